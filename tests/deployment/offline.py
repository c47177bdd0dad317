"""A province that nobody can reach: the real verbs, engine and provider, without a lab and without any traffic."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests_support import Yiwang

ROOT = Path(__file__).parent.parent.parent
PASSPHRASE = "open sesame"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJustForTheTestsJustForTheTestsJustForTheTes nobody\n"


class Offline(Yiwang):
    """The command line on a copy of the lab's inventory; SSH to its hosts ends before it leaves the machine."""

    @classmethod
    def make(cls, directory: Path) -> Offline:
        shutil.copytree(ROOT / "inventories" / "lab", directory, ignore=shutil.ignore_patterns(".state"))
        ssh = directory / ".state" / "ssh"
        ssh.mkdir(parents=True, mode=0o700)
        (ssh / "none.conf").write_text("Host *\n  ProxyCommand false\n")
        (ssh / "id_ed25519.pub").write_text(KEY)
        passphrase = directory / ".state" / "passphrase"
        passphrase.write_text(f"{PASSPHRASE}\n")
        passphrase.chmod(0o600)
        return cls(directory)

    def copy(self, directory: Path) -> Offline:
        """The same province, with what is recorded, somewhere else."""
        shutil.copytree(self.inventory, directory)
        return Offline(directory)

    @property
    def public_key(self) -> Path:
        return self.inventory / ".state" / "ssh" / "id_ed25519.pub"

    def checkpoint(self, project: str, stack: str) -> Path:
        return self.inventory / ".state" / ".pulumi" / "stacks" / project / f"{stack}.json"

    def resources(self, project: str, stack: str) -> list[dict[str, Any]]:
        latest = json.loads(self.checkpoint(project, stack).read_text())["checkpoint"]["latest"]
        found: list[dict[str, Any]] = latest.get("resources", [])
        return found

    def export(self, stack: str, outputs: dict[str, str]) -> None:
        """Record what a stack exports, as if another inventory had made it."""
        path = self.checkpoint(stack, stack)
        document = json.loads(path.read_text())
        (root,) = (entry for entry in document["checkpoint"]["latest"]["resources"] if entry["type"] == "pulumi:pulumi:Stack")
        root["outputs"] = outputs
        path.write_text(json.dumps(document))

    def rename(self, project: str, old: str, new: str) -> None:
        """Record a stack under another name, as if its site had been taken out of the inventory since."""
        path = self.checkpoint(project, old)
        text = path.read_text().replace(f"urn:pulumi:{old}::", f"urn:pulumi:{new}::").replace(f"{project}/{old}", f"{project}/{new}")
        self.checkpoint(project, new).write_text(text)
        path.unlink()

    def apply(self, project: str, stack: str, *hosts: str) -> None:
        """Record the role `base` as if it had once been applied on these hosts."""
        path = self.checkpoint(project, stack)
        document = json.loads(path.read_text())
        resources = document["checkpoint"]["latest"]["resources"]
        like = next(each for each in resources if each["type"] == "yiwang:index:Secret")
        entries = {host: {"address": "192.0.2.1", "port": 22, "variables": {}} for host in hosts}
        named = {"role": "base", "site": stack, "digest": "once"}
        role = {key: like[key] for key in ("custom", "parent", "provider")} | {
            "urn": f"{like['urn'].rpartition('$')[0]}$yiwang:index:Role::base",
            "type": "yiwang:index:Role",
            "id": f"{stack}/base",
            "inputs": {**named, "hosts": entries, "variables": {}},
            "outputs": {**named, "results": {host: {"applied": "once"} for host in hosts}},
        }
        resources.append(role)
        path.write_text(json.dumps(document))

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A verb whose stderr can be read line by line."""
        return subprocess.Popen(
            [sys.executable, "-m", "yiwang", *arguments],
            env={**self.environment(), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def unread(self, *arguments: str) -> int:
        """The exit code of a verb whose output nobody reads: both pipes are closed at the other end from the start."""
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "yiwang", *arguments],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                timeout=120,
                check=False,
            )
        finally:
            os.close(writer)
        return done.returncode
