"""Options of apt: what the inventory takes for them is what apt itself takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from yiwang.inventory import rolevalues
from yiwang.inventory.values import WrongError

GOOD = (
    "",
    'Acquire::http::Proxy "http://proxy.example:3128";\n',
    '// a comment; with marks { "\nAcquire::Retries 3;\n/* of two\nlines */',
    'Acquire { http { Proxy "http://proxy.example"; Timeout "20"; }; };',
    'APT::NeverAutoRemove { "^linux-.*"; };',
    "# a line\n#clear APT::Update;\n",
    'DPkg::Options:: "--force-confold";',
)
BAD = (
    "Acquire::Retries 3",
    "http_proxy=http://proxy.example",
    "Acquire::http::Proxy http://proxy.example:3128;",
    'Acquire::http::Proxy "http://proxy.example;\n',
)


@pytest.mark.parametrize("text", GOOD)
def test_what_apt_reads_is_taken(text: str, tmp_path: Path) -> None:
    rolevalues.apt_conf(text)
    assert _apt(text, tmp_path) in (0, None)


@pytest.mark.parametrize("text", BAD)
def test_what_apt_does_not_read_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(WrongError):
        rolevalues.apt_conf(text)
    assert _apt(text, tmp_path) != 0


def test_a_brace_that_stays_open_is_refused_though_apt_closes_it_by_itself() -> None:
    with pytest.raises(WrongError):
        rolevalues.apt_conf('Acquire { http { Proxy "x"; }')


def _apt(text: str, tmp_path: Path) -> int | None:
    """How apt-config, as the role asks it, ends; None where there is none."""
    if shutil.which("apt-config") is None:
        return None
    (tmp_path / "apt.conf").write_text(text)
    return subprocess.run(["apt-config", "-c", str(tmp_path / "apt.conf"), "dump"], capture_output=True, check=False).returncode
