"""The provider process of ``pulumi.dynamic`` resources, on a unix socket. Run as a script: ``dynhost.py WORKERS``.

The SDK's own host listens on unauthenticated loopback TCP and unpickles what it gets, with four workers. It starts its
server when it is imported, so what it gets from gRPC is changed before: the address is the socket of the environment
(in a directory of mode 0700), and there are as many workers as steps at the same time.
"""

from __future__ import annotations

import os
import runpy
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

_SOCKET = os.environ["PULUMI_PROVIDER_SOCKET"]
_WORKERS = int(sys.argv[1])
_executor = futures.ThreadPoolExecutor
_server = grpc.server


class _OnSocket:
    """A gRPC server whose insecure port is the socket."""

    def __init__(self, server: Any) -> None:
        self._wrapped = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def add_insecure_port(self, address: str) -> int:
        """Listen on the socket in place of ``address``."""
        del address
        self._wrapped.add_insecure_port(f"unix:{_SOCKET}")
        return 1


def _pool(max_workers: int | None = None, **options: Any) -> futures.ThreadPoolExecutor:
    del max_workers
    return _executor(max_workers=_WORKERS, **options)


if __name__ == "__main__":
    futures.ThreadPoolExecutor = _pool  # type: ignore[assignment,misc]
    grpc.server = lambda *arguments, **options: _OnSocket(_server(*arguments, **options))
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=False)
