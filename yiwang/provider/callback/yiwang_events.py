"""Ansible callback: what a run does, as lines of JSON to the file named by ``YIWANG_CALLBACK``.

The one file of this project that runs inside ansible-playbook. It knows nothing of the rest and only reports:
the provider decides what the lines mean and takes the secrets out of them.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: yiwang_events
type: stdout
short_description: reports a run as lines of JSON
description: Writes one JSON object a line to the file (a FIFO) named by the environment variable YIWANG_CALLBACK.
"""

_UNIT_ACTIONS = ("service", "systemd", "systemd_service")
_LONGEST = 65536


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible is not typed
    """Turns the callbacks of one ansible-playbook process into lines."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "yiwang_events"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._out = open(os.environ["YIWANG_CALLBACK"], "w", encoding="utf-8")  # noqa: SIM115,PTH123 - open until the process ends
        # The place of each task among all that the files tell of; what is included while a play runs has none.
        self._places: dict[str, int] = {}
        self._total = 0

    def _say(self, event: str, **fields: Any) -> None:
        self._out.write(json.dumps({"event": event, **fields}, ensure_ascii=False, default=str) + "\n")
        self._out.flush()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """The run begins: how many tasks all its plays have, as far as the files tell."""
        for play in playbook.get_plays():
            self._total += 1 if play.gather_facts else 0
            for task in _tasks(play.compile()):
                self._total += 1
                self._places[task._uuid] = self._total  # noqa: SLF001 - Ansible has no public name for it
        self._say("start", tasks=self._total)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002 - Ansible's interface
        """A task begins on the hosts."""
        self._say("task", task=task.name or task.action, place=self._places.get(task._uuid))  # noqa: SLF001 - as above

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """A handler begins; those are not among the tasks counted before."""
        self._say("task", task=task.name or task.action, place=None)

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task is done on a host."""
        self._result(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task did not apply to a host."""
        self._result(result, "skipped")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed on a host; where errors are ignored that counts as done."""
        self._result(result, "ok" if ignore_errors else "failed", message=_message(result.result))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host did not answer."""
        self._result(result, "unreachable", message=_message(result.result))

    def _result(self, result: Any, status: str, **fields: Any) -> None:
        if status == "failed":
            fields["unit"] = _unit(result)
        self._say("result", host=result.host.get_name(), task=result.task.name or result.task.action, status=status, **fields)

    def v2_on_file_diff(self, result: Any) -> None:
        """What a task changed, or would change, in files."""
        answers = result.result.get("results") or [result.result]
        for answer in answers:
            if not isinstance(answer, dict) or not answer.get("changed"):
                continue
            diffs = answer.get("diff") or []
            for diff in diffs if isinstance(diffs, list) else [diffs]:
                text = _unified(diff)
                if text:
                    task = result.task.name or result.task.action
                    self._say("diff", host=result.host.get_name(), task=task, path=_path(diff, answer), diff=cut(text))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end: the sums for each host and what roles set as statistics."""
        self._say("stats", hosts={host: stats.summarize(host) for host in stats.processed}, custom=stats.custom)


def cut(text: str) -> str:
    """At most ``_LONGEST`` characters, whole lines: half a secret would not be known as one."""
    return text if len(text) <= _LONGEST else text[: text.rfind("\n", 0, _LONGEST) + 1]


def _tasks(blocks: list[Any]) -> Iterator[Any]:
    """The tasks of compiled blocks in their order; meta tasks (flush of handlers and such) are nobody's work."""
    for block in blocks:
        for each in (*block.block, *block.always):
            if hasattr(each, "block"):
                yield from _tasks([each])
            elif not each.implicit and each.action not in ("meta", "ansible.builtin.meta"):
                yield each


def _message(answer: dict[str, Any]) -> str:
    """What went wrong, in a few lines: of the failed items of a loop, else of the task itself."""
    failed = [item for item in answer.get("results") or [] if isinstance(item, dict) and (item.get("failed") or item.get("unreachable"))]
    if failed:
        return "\n".join(f"{item.get('_ansible_item_label', item.get('item', ''))}: {_message(item)}" for item in failed[:5])
    parts = [str(answer.get("msg") or answer.get("censored") or "")]
    for output in ("stderr", "stdout", "module_stderr", "module_stdout"):
        lines = str(answer.get(output) or "").strip().splitlines()
        if lines:
            parts += lines[-5:]
            break
    return "\n".join(part for part in parts if part) or "no message"


def _unit(result: Any) -> str | None:
    """The systemd unit that a failed task was about, where it was about one."""
    if result.task.action.rpartition(".")[2] not in _UNIT_ACTIONS:
        return None
    answers = [item for item in result.result.get("results") or [] if isinstance(item, dict) and item.get("failed")] or [result.result]
    for answer in answers:
        name = answer.get("invocation", {}).get("module_args", {}).get("name") or answer.get("name")
        if name:
            return str(name)
    return None


def _path(diff: Any, answer: dict[str, Any]) -> str:
    """The file that a difference is about; Ansible's headers carry a note behind the path at times."""
    arguments = answer.get("invocation", {}).get("module_args", {})
    candidates = (arguments.get("dest"), arguments.get("path"), answer.get("dest"), answer.get("path"))
    headers = (diff.get("before_header"), diff.get("after_header")) if isinstance(diff, dict) else ()
    header = next((str(each) for each in headers if each), "").partition(" (")[0]
    return next((str(path) for path in candidates if path), header)


def _unified(diff: Any) -> str:
    if not isinstance(diff, dict):
        return str(diff)
    if diff.get("prepared"):
        return str(diff["prepared"])
    if "before" not in diff and "after" not in diff:
        return ""
    before, after = (_lines(diff.get(side)) for side in ("before", "after"))
    name = str(diff.get("after_header") or diff.get("before_header") or "")
    return "".join(difflib.unified_diff(before, after, f"{diff.get('before_header') or name}", name))


def _lines(content: Any) -> list[str]:
    if content is None:
        content = ""
    text: str = content if isinstance(content, str) else json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    if text and not text.endswith("\n"):
        text += "\n"
    return text.splitlines(keepends=True)
