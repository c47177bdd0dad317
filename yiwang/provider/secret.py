"""The resource ``Secret``: a random text, made once."""

from __future__ import annotations

import secrets
import string
from typing import Any

from yiwang.messages import t
from yiwang.provider.resource import Answer, Change, Problem, Resource, known_keys
from yiwang.provider.values import UNKNOWN, Secret, reveal, unknown

_KEYS = frozenset({"length", "alphabet", "keepers"})
_ALPHABET = string.ascii_letters + string.digits
_LENGTHS = range(8, 4097)


class SecretResource(Resource):
    """Checks, compares and draws secrets. Any change of its inputs makes a new one (a replacement)."""

    def check(self, inputs: dict[str, Any]) -> list[Problem]:
        """What is wrong with the inputs."""
        problems = known_keys(inputs, _KEYS)
        length, alphabet = reveal(inputs.get("length")), reveal(inputs.get("alphabet"))
        if not unknown(length) and (not isinstance(length, int) or length not in _LENGTHS):
            problems.append(Problem("length", t("provider.secret_length", value=length, low=_LENGTHS[0], high=_LENGTHS[-1])))
        if isinstance(alphabet, str) and len(set(alphabet)) < 10:
            problems.append(Problem("alphabet", t("provider.secret_alphabet")))
        return problems

    def diff(self, old_inputs: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]) -> Change:  # noqa: ARG002 - the interface
        """Changed inputs; each replaces."""
        old, new = reveal(old_inputs), reveal(news)
        changed = tuple(key for key in sorted(_KEYS) if old.get(key) != new.get(key))
        return Change(changed, replaces=changed)

    async def create(self, news: dict[str, Any], *, preview: bool) -> Answer:
        """A new secret."""
        if preview:
            return Answer("", {"value": Secret(UNKNOWN)})
        plain = reveal(news)
        alphabet = plain.get("alphabet") or _ALPHABET
        value = "".join(secrets.choice(alphabet) for _ in range(int(plain["length"])))
        return Answer(secrets.token_hex(8), {"value": Secret(value)})

    async def update(
        self,
        old_inputs: dict[str, Any],  # noqa: ARG002 - the interface
        olds: dict[str, Any],
        news: dict[str, Any],  # noqa: ARG002
        *,
        preview: bool,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Nothing: each change replaces. The engine may still force an update."""
        return olds
