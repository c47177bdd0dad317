"""What tests of the databases use: how one is reached, a statement from a host, and waiting."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from tests_support import Yiwang

# The package as it is, under the number of one that came before.
OLDER = """set -eu
cd "$(mktemp -d)"
apt-get -qq download postgresql-15 2> /dev/null
dpkg-deb -R postgresql-15_*.deb older
sed -i 's/^Version: .*/Version: 15.0-1/' older/DEBIAN/control
dpkg-deb -b older older.deb > /dev/null
dpkg -i --force-downgrade older.deb > /dev/null 2>&1
rm -rf "$PWD"
"""


def databases(yiwang: Yiwang, site: str = "province") -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yiwang.json("outputs", "--site", site, "--show-secrets")[site]["databases"]
    return found


def psql(yiwang: Yiwang, host: str, url: str, password: str, statement: str) -> tuple[bool, str]:
    """Whether a statement succeeds by a URL from a host, and what is said; the password is in no argument of the host's."""
    script = f"export PGPASSWORD=$(cat) PGCONNECT_TIMEOUT=4; psql -XAtq -v ON_ERROR_STOP=1 -d '{url}' <<'SQL'\n{statement}\nSQL\n"
    packed = [base64.b64encode(text.encode()).decode() for text in (script, password)]
    done = yiwang.ssh(host, f'echo {packed[1]} | base64 -d | bash -c "$(echo {packed[0]} | base64 -d)" 2>&1; echo exit $?', check=False)
    text, _, code = done.rpartition("exit ")
    return code.strip() == "0", text.strip()


def on_server(yiwang: Yiwang, statement: str, host: str = "p-data") -> str:
    """A statement by the cluster's keeper."""
    packed = base64.b64encode(statement.encode()).decode()
    return yiwang.ssh(host, f"echo {packed} | base64 -d | sudo runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1").strip()


def wait_for(condition: Callable[[], bool], seconds: float, what: Callable[[], str]) -> float:
    """Seconds until the condition holds. Fails with what ``what`` says then."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, what()
        time.sleep(0.5)
    return time.monotonic() - started


def journal(yiwang: Yiwang, host: str = "p-data") -> str:
    return yiwang.ssh(host, "sudo journalctl -u yiwang-patroni -u yiwang-etcd -o cat -n 40 --no-pager", check=False)
