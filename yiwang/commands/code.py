"""``yiwang code check``, ``explain`` and ``make``: the national codes, for people and for programs."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from yiwang.commands import _code_make
from yiwang.commands._options import JsonOption, QuietOption, example
from yiwang.commands._values import Cut, given, path_option
from yiwang.errors import ExitCode, UserError
from yiwang.messages import language, t
from yiwang.output import Console, table
from yiwang.paths import state
from yiwang.standard import dates, divisions
from yiwang.standard.code import Code
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity, shown, shown_path
from yiwang.standard.item import Profile
from yiwang.standard.kinds import KINDS, Kind, Reading
from yiwang.standard.labels import Label, said

# Lines printed at once: a file of a million values is neither held back nor flushed a million times.
_BATCH = 1000
MOST = 10_000
DEFAULT_PROFILE: Profile = "zwfw-2018"
_SHOWN = 200

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help=t("code.kind"), show_default=False)]
LiveOption = Annotated[bool, typer.Option("--live", help=t("code.live"))]
ProfileOption = Annotated[str | None, typer.Option("--profile", metavar="PROFILE", help=t("code.profile"), show_default=False)]
DivisionsOption = Annotated[str | None, typer.Option("--divisions", metavar="FILE", help=t("code.divisions"), show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    end = example("yiwang code check uscc 91350100M000100Y43", 0, 1, 3, 4, failed=t("code.failed"))
    group = typer.Typer(help=t("code.help"), epilog=end, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="code")
    _register_check(group)
    _register_explain(group)
    _register_make(group)


def _register_check(group: typer.Typer) -> None:
    @group.command(help=t("code.check"), epilog=example("yiwang code check uscc 91350100M000100Y43", 0, 1, 3, failed=t("code.failed")))
    def check(
        kind: KindArgument,
        values: Annotated[list[str] | None, typer.Argument(metavar="[VALUE]…", help=t("code.values"), show_default=False)] = None,
        file: Annotated[str | None, typer.Option("--file", metavar="FILE", help=t("code.file"), show_default=False)] = None,
        live: LiveOption = False,
        profile: ProfileOption = None,
        own: DivisionsOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: every value is valid; 1: one is not."""
        console = Console(json_output=json_output, quiet=quiet)
        chosen = _kind(kind)
        reading = _reading(chosen, live=live, profile=profile, own=own)
        total = invalid = 0
        rows: list[dict[str, Any]] = []
        texts = given(values, path_option("--file", file))
        while batch := list(islice(texts, _BATCH)):
            checked = [(text, *_check(chosen, text, reading)) for text in batch]
            total += len(checked)
            invalid += sum(code is None for _, code, _ in checked)
            if json_output:
                rows += [{"value": _clean(text), **_verdict(code, findings)} for text, code, findings in checked]
            else:
                console.result(None, "\n".join(_line(text, code, findings) for text, code, findings in checked))
        if json_output:
            console.result({"kind": kind, "ok": not invalid, "total": total, "invalid": invalid, "values": rows})
        if total > 1:
            console.info(t("code.summary", total=total, invalid=invalid))
        return ExitCode.FAILED if invalid else ExitCode.OK


def _register_explain(group: typer.Typer) -> None:
    @group.command(
        help=t("code.explain"), epilog=example("yiwang code explain item 11370800MB285591843370117002011", 0, 1, 3, failed=t("code.failed"))
    )
    def explain(
        kind: KindArgument,
        value: Annotated[str, typer.Argument(metavar="VALUE", help=t("code.value"), show_default=False)],
        live: LiveOption = False,
        profile: ProfileOption = None,
        own: DivisionsOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: the value is valid; 1: it is not."""
        console = Console(json_output=json_output, quiet=quiet)
        chosen = _kind(kind)
        code, findings = _check(chosen, value, _reading(chosen, live=live, profile=profile, own=own))
        found = {"kind": kind, "value": _clean(value), **_verdict(code, findings)}
        if code is not None:
            found["parts"] = [
                {
                    "key": part.key,
                    "name": part.name.text(language()),
                    "text": part.text,
                    "position": part.position,
                    "meaning": part.meaning and part.meaning.text(language()),
                }
                for part in code.parts()
            ]
        console.result(found, _table(code) if code is not None else _line(value, code, findings))
        for finding in findings if code is not None and not json_output else ():
            console.warn(finding.text(language()))
        return ExitCode.FAILED if code is None else ExitCode.OK


def _register_make(group: typer.Typer) -> None:
    command = "yiwang code make licence type=11100000000013338W011 issuer=11430000006122244L serial=20230000403"

    @group.command(help=t("code.make"), epilog=example(command, 0, 1, 3, 4, 5, failed=t("code.unread_help")))
    def make(
        kind: KindArgument,
        parts: Annotated[list[str] | None, typer.Argument(metavar="[PART=TEXT]…", help=t("code.parts"), show_default=False)] = None,
        count: Annotated[int, typer.Option("--count", metavar="N", min=1, max=MOST, help=t("code.count"))] = 1,
        file: Annotated[str | None, typer.Option("--serials", metavar="FILE", help=t("code.serials"), show_default=False)] = None,
        own: DivisionsOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: the codes are printed, one a line; 1: not all could be; 3: the parts are wrong; 4, 5: the serials cannot be counted."""
        console = Console(json_output=json_output, quiet=quiet)
        chosen = _kind(kind)
        if chosen.make is None:
            makeable = ", ".join(each.name for each in KINDS.values() if each.make)
            text = t("code.not_issued", name=chosen.label.text(language()))
            raise UserError(text, code=ExitCode.INPUT, fix=t("code.not_issued_fix", names=makeable))
        reading = _reading(chosen, own=own)
        texts = _parts(parts or ())
        path = path_option("--serials", file)
        if kind != "case" and (count > 1 or path is not None):
            raise UserError(t("code.counts_cases"), code=ExitCode.INPUT, fix=t("code.counts_cases_fix"))
        making = _code_make.Making(chosen, texts, reading, count, path or state() / "serials.db")
        return _code_make.run(making, console, lambda code: [finding.text(language()) for finding in _check(chosen, code, reading)[1]])


def _kind(name: str) -> Kind:
    """Raises UserError for a kind that there is not."""
    if name in KINDS:
        return KINDS[name]
    near = difflib.get_close_matches(name, KINDS, 1)
    fix = t("code.did_you_mean", name=near[0]) if near else t("code.known", names=", ".join(KINDS))
    raise UserError(t("code.no_kind", name=shown(name)), code=ExitCode.INPUT, fix=fix)


def _reading(kind: Kind, *, live: bool = False, profile: str | None = None, own: str | None = None) -> Reading:
    """Raises UserError for an option that means nothing for the kind, a profile that there is not, or a file of divisions that is wrong."""
    known = dict(zip(get_args(Profile), get_args(Profile), strict=True))
    path = path_option("--divisions", own)
    for option, given_one, read in (("--live", live, "mismatch"), ("--profile", profile, "profile"), ("--divisions", path, "table")):
        if given_one and read not in kind.reads:
            readers = ", ".join(each.name for each in KINDS.values() if read in each.reads)
            text = t("code.unused_option", option=option, kind=kind.name)
            raise UserError(text, code=ExitCode.INPUT, fix=t("code.unused_option_fix", names=readers))
    chosen = DEFAULT_PROFILE if profile is None else profile
    if chosen not in known:
        raise UserError(t("code.no_profile", name=shown(chosen)), code=ExitCode.INPUT, fix=t("code.known", names=", ".join(known)))
    if path and known[chosen] == "108-2016":
        text = t("code.unused_option", option="--divisions", kind="--profile 108-2016")
        raise UserError(text, code=ExitCode.INPUT, fix=t("code.unused_option_drop"))
    mismatch = Severity.WARNING if live else Severity.ERROR
    table_of_divisions = _divisions(path) if path else None
    return Reading(mismatch, known[chosen], table_of_divisions, dates.china_day(datetime.datetime.now(datetime.UTC)))


def _divisions(own: Path) -> Divisions:
    """The national divisions and those of a file. Raises UserError."""
    try:
        return divisions.national().extended(own)
    except CodeError as error:
        text = t("code.bad_divisions", reason=error.text(language()))
        other = error.finding.problem in {Problem.NOT_PLAIN_FILE, Problem.FILE_TOO_LARGE, Problem.NOT_TEXT_FILE}
        raise UserError(text, code=ExitCode.INPUT, fix=t("code.unreadable_fix" if other else "code.bad_divisions_fix")) from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        text = t("code.unreadable", name=shown_path(own), reason=reason)
        raise UserError(text, code=ExitCode.INPUT, fix=t("code.unreadable_fix")) from None


def _check(kind: Kind, text: str, reading: Reading) -> tuple[Code | None, tuple[Finding, ...]]:
    """The code with its warnings, or None with what is wrong."""
    try:
        code = kind.parse(text, reading)
    except CodeError as error:
        return None, tuple(_of_cut(finding, text) for finding in error.findings) if isinstance(text, Cut) else error.findings
    return code, code.warnings


def _of_cut(finding: Finding, text: Cut) -> Finding:
    """What is said of the length of a line that was not read whole."""
    if finding.problem not in {Problem.LENGTH, Problem.TOO_LONG} or finding.values.get("found") != len(text):
        return finding
    more = Label(f"超过 {len(text)}", f"more than {len(text)}")
    return dataclasses.replace(finding, values={**finding.values, "found": more})


def _verdict(code: Code | None, findings: Iterable[Finding]) -> dict[str, Any]:
    return {
        "valid": code is not None,
        "findings": [
            {
                "rule": finding.problem.value,
                "severity": finding.severity.value,
                "position": finding.position,
                "text": finding.text(language()),
                "document": said(finding.source.document, language()),
                "clause": finding.source.clause and said(finding.source.clause, language()),
                "confidence": finding.source.confidence,
            }
            for finding in findings
        ],
    }


def _line(text: str, code: Code | None, findings: tuple[Finding, ...]) -> str:
    verdict = "invalid" if code is None else "doubtful" if findings else "valid"
    said = ("；" if language() == "zh" else "; ").join(finding.text(language()) for finding in findings)
    return f"{shown(text, _SHOWN) or t('code.empty_value')}  {t(f'code.{verdict}', findings=said)}"


def _table(code: Code) -> str:
    rows = [[part.name.text(language()), part.text, part.meaning.text(language()) if part.meaning else ""] for part in code.parts()]
    return table(rows, [t(f"code.column_{column}") for column in ("part", "text", "meaning")])


def _parts(given_parts: Iterable[str]) -> dict[str, str]:
    """``key=text`` as a mapping. Raises UserError for one that is not, or is there twice."""
    found: dict[str, str] = {}
    for part in given_parts:
        key, equals, text = part.partition("=")
        if not equals or not key or key in found:
            problem = t("code.part_twice" if key in found else "code.no_part", part=shown(part))
            raise UserError(problem, code=ExitCode.INPUT, fix=t("code.no_part_fix"))
        found[key] = text
    return found


def _clean(text: str) -> str:
    """``text`` as JSON can hold it: bytes that are no UTF-8 as escapes."""
    bytes_shown = re.sub("[\udc80-\udcff]", lambda found: shown(found[0]), text)
    return bytes_shown.encode("utf-8", "backslashreplace").decode()
