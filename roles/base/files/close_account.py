"""Closes the account that the host was installed with: it expires, and loses the operator's keys and its rules of sudo.

Arguments: look or close, the account, the operator's public keys and the groups of people who may sign in (JSON). Prints, a line
each, what it does, or in `look` would do. An account of one of those groups is a person's, and stays as it is.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(os.environ.get("YIWANG_PREFIX", "/"))
EXPIRED, EXPIRES = "1970-01-02", 7


def groups_of(account: pwd.struct_passwd) -> set[str]:
    """Names of the groups that the account is in."""
    return {group.gr_name for group in grp.getgrall() if account.pw_name in group.gr_mem or group.gr_gid == account.pw_gid}


def is_expired(name: str) -> bool:
    """Whether the account is: no login, no sudo, no cron, whatever else is written anywhere."""
    entries = (line.split(":") for line in (ROOT / "etc/shadow").read_text(encoding="utf-8").splitlines())
    return any(entry[0] == name and entry[EXPIRES] == "1" for entry in entries)


def without(text: str, keys: list[str]) -> str:
    """The lines of an authorized_keys file that hold none of the keys."""
    bodies = {key.split()[1] for key in keys}
    return "".join(line for line in text.splitlines(keepends=True) if not bodies & set(line.split()))


def take_keys(account: pwd.struct_passwd, keys: list[str], *, doing: bool) -> bool:
    """Take the keys out, acting as the account: what it has put in the way of its files leads nowhere it could not go itself."""
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        file = ROOT / account.pw_dir.lstrip("/") / ".ssh/authorized_keys"
        text = file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
        kept = without(text, keys)
        if doing and kept != text:
            descriptor, name = tempfile.mkstemp(dir=file.parent)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as fresh:
                fresh.write(kept)
            Path(name).replace(file)
    except PermissionError:
        return False
    finally:
        os.seteuid(0)
        os.setegid(0)
    return kept != text


def rules_of(name: str) -> list[Path]:
    """The drop-ins of sudo that are about this account alone."""
    found = []
    for file in sorted((ROOT / "etc/sudoers.d").iterdir()):
        rules = [line for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip() and line[0] != "#"]
        if rules and all(re.match(rf"(Defaults:)?{re.escape(name)}\s", rule) for rule in rules):
            found.append(file)
    return found


def main() -> None:
    """Do it, or say what is to be done."""
    doing, name, keys, people = sys.argv[1] == "close", sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return
    if groups_of(account) & set(people):
        return
    for file in rules_of(name):
        print(file)
        if doing:
            file.unlink()
    if take_keys(account, keys, doing=doing):
        print("authorized_keys")
    if not is_expired(name):
        print("expires")
        if doing:
            subprocess.run(["/usr/sbin/usermod", "--expiredate", EXPIRED, name], check=True)


if __name__ == "__main__":
    main()
