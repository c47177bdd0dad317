"""What the live tests use: the package on a server of the lab, beside its database and its locked bucket, and the driver there."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.live_case import databases
from storage.objects_case import buckets
from tests_support import Yiwang

from yiwang import paths

PACKAGE = Path(paths.__file__).parent
PLACE = "/var/tmp/sealing"
PYTHON = "/opt/yiwang/storage/bin/python"
AUTHORITY = "/etc/yiwang/tls/ca.crt"
# What the package is on a server: itself, and what it imports of ours.
SHIPPED = ("__init__.py", "messages.py", "locale/sealing.yaml", "sealing", "standard")

DRIVER = ("driver.py", "place.py", "scenarios.py", "troubles.py")


@dataclass(frozen=True)
class Server:
    """One host that has the database, the buckets, and may sign in to them. Secrets go by standard input alone."""

    yiwang: Yiwang
    host: str
    site: str

    def run(self, command: str, stdin: bytes) -> str:
        argv = [sys.executable, "-m", "yiwang", "lab", "ssh", self.host, command]
        done = subprocess.run(argv, env=self.yiwang.environment(), input=stdin, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, f"{done.stdout.decode()}\n{done.stderr.decode()}"
        return done.stdout.decode()

    def ship(self) -> None:
        self.run(f"rm -rf {PLACE} && mkdir {PLACE} && tar -xzf - -C {PLACE}", archive())

    def settings(self) -> dict[str, Any]:
        database = databases(self.yiwang, self.site)["vault"]
        places = buckets(self.yiwang, self.site)
        papers, evidence = ({**places[name], "authority": AUTHORITY} for name in ("papers", "evidence"))
        login = {"database": database["url"], "password": database["password"]}
        return {**login, "buckets": {"papers": papers}, "evidence": evidence, "keys": ["ab" * 31 + "01"]}

    def does(self, scenario: str, settings: dict[str, Any]) -> Any:
        """What the driver says of a scenario."""
        command = f"cd {PLACE} && PYTHONPATH={PLACE} PYTHONDONTWRITEBYTECODE=1 {PYTHON} -m sealing.driver {scenario}"
        return json.loads(self.run(command, json.dumps(settings).encode()))


def archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in SHIPPED:
            tar.add(PACKAGE / name, f"yiwang/{name}", filter=lambda member: None if "__pycache__" in member.name else member)
        for name in DRIVER:
            tar.add(Path(__file__).with_name(name), f"sealing/{name}")
    return packed.getvalue()


def missing(server: Server) -> str:
    """What the environment on the server lacks for the package."""
    script = "import importlib.util as u; print(*[n for n in ('cryptography', 'psycopg', 'boto3', 'yaml') if u.find_spec(n) is None])"
    packed = base64.b64encode(script.encode()).decode()
    return server.run(f'{PYTHON} -c "$(echo {packed} | base64 -d)"', b"").strip()
