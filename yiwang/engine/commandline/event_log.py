"""Where ``--event-log`` goes: a file, or the Automation API's own service on this machine (``tcp://127.0.0.1:port``)."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from yiwang.engine.api import QUIET
from yiwang.engine.commandline.failure import unavailable, writing

_TCP = "tcp://"
_HERE = ("127.0.0.1:", "localhost:", "[::1]:")
_LAST_WORDS_SECONDS = 10


class Log(Protocol):
    """What takes the lines."""

    def write(self, line: str) -> None:
        """One event."""

    def close(self) -> None:
        """No more come."""


class _File:
    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        # Also of a file that was there with another mode.
        os.fchmod(descriptor, 0o600)
        self._file: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8")

    def write(self, line: str) -> None:
        """One line; whoever follows the file sees it now."""
        self._file.write(f"{line}\n")
        self._file.flush()

    def close(self) -> None:
        """Close it."""
        self._file.close()


class _Service:
    """A stream to a service that was started for this command. A service that went away takes nothing, and the run goes on."""

    def __init__(self, address: str) -> None:
        # gRPC looks once, when it is loaded: what connections say of themselves is not for the user.
        os.environ.setdefault(QUIET, "NONE")
        import grpc  # noqa: PLC0415 - loaded only where it is needed
        from pulumi.runtime.proto import events_pb2, events_pb2_grpc  # noqa: PLC0415

        self._request: Any = events_pb2.EventRequest
        self._gone: Any = grpc.RpcError
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._channel = grpc.insecure_channel(address)
        stub: Any = events_pb2_grpc.EventsStub(self._channel)
        self._call = stub.StreamEvents.future(self._requests())

    def _requests(self) -> Iterator[Any]:
        while (line := self._lines.get()) is not None:
            yield self._request(event=line)

    def write(self, line: str) -> None:
        """One event."""
        self._lines.put(line)

    def close(self) -> None:
        """Wait until all has arrived."""
        import grpc  # noqa: PLC0415

        self._lines.put(None)
        try:
            self._call.result(timeout=_LAST_WORDS_SECONDS)
        except (self._gone, grpc.FutureTimeoutError, grpc.FutureCancelledError):
            self._call.cancel()
        self._channel.close()


def opened(target: str, directory: Path) -> Log:
    """The log that ``target`` names. Raises CommandError for an address that is not of this machine."""
    if not target.startswith(_TCP):
        with writing(target):
            return _File(directory / target)
    address = target.removeprefix(_TCP)
    if not address.startswith(_HERE):
        # What is in the events is the user's; it does not leave the machine unencrypted.
        raise unavailable(f"--event-log {target}")
    return _Service(address)
