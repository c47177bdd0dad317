"""Asks each module for its metrics at the port where they are shown, with this host's certificate, until all of them answer.

Standard input: JSON with ``host`` (its name in certificates), ``port``, ``modules``: by name, how a line begins that has to be there.
Exit 1 with one line that says what is missing.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
from typing import Any

TLS = "/etc/yiwang/tls"
# What has just started needs a moment.
SECONDS = 30.0


def lacks(text: str, beginning: str) -> str:
    """What is wrong with metrics; nothing where a line begins as it should."""
    return "" if any(line.startswith(beginning) for line in text.splitlines()) else f"no {beginning}"


def ask(given: dict[str, Any], name: str) -> str:
    """What is wrong with a module; nothing where it answers."""
    try:
        context = ssl.create_default_context(cafile=f"{TLS}/ca.crt")
        context.load_cert_chain(f"{TLS}/host.crt", f"{TLS}/host.key")
        connection = http.client.HTTPSConnection(given["host"], given["port"], context=context, timeout=10)
        connection.request("GET", f"/proxy?module={name}")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    return lacks(text, given["modules"][name]) if answer.status == http.HTTPStatus.OK else f"{answer.status} {answer.reason}"


def main() -> None:
    """Until nothing is missing, or the time is over."""
    given = json.load(sys.stdin)
    deadline = time.monotonic() + SECONDS
    names = sorted(given["modules"])
    while wrong := {name: said for name in names if (said := ask(given, name))}:
        if time.monotonic() > deadline:
            sys.exit("; ".join(f"{name} ({said})" for name, said in wrong.items()))
        time.sleep(1)


if __name__ == "__main__":
    main()
