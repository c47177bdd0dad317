"""The provider process ``pulumi-resource-yiwang``.

It listens on the unix socket named by ``PULUMI_PROVIDER_SOCKET`` (the embedded engine), else on a port of the
loopback interface which it prints (the Pulumi CLI), and ends with the process that started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys

import grpc
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from yiwang.provider import settings
from yiwang.provider.role_work import Worker
from yiwang.provider.scrub import Scrubber
from yiwang.provider.service import Provider

_PR_SET_PDEATHSIG = 1
_LARGEST = 400 << 20
"""Largest message in bytes, as the Pulumi CLI has it."""


def main() -> None:
    """Serve until asked to stop."""
    os.umask(0o077)
    parent = os.getppid()
    socket = os.environ.get(settings.SOCKET)
    if socket:
        # The embedded engine starts us from a thread that lives as long as it does.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    asyncio.run(_serve(socket, parent))


async def _serve(socket: str | None, parent: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # An interrupt at the terminal is the engine's to decide about: it lets us finish, or ends us.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    _watch(parent, stop)
    scrubber = Scrubber()
    worker = Worker(settings.from_environment(), scrubber)
    sizes = [("grpc.max_receive_message_length", _LARGEST), ("grpc.max_send_message_length", _LARGEST)]
    server = grpc.aio.server(options=sizes)
    add_ResourceProviderServicer_to_server(Provider(worker, scrubber), server)
    port = server.add_insecure_port(f"unix:{socket}" if socket else "127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    try:
        await stop.wait()
    finally:
        await server.stop(None)
        await worker.close()


def _watch(parent: int, stop: asyncio.Event) -> None:
    """Stop when the parent process ends: the Pulumi CLI may die without a word."""
    try:
        descriptor = os.pidfd_open(parent)
    except OSError:
        stop.set()
        return

    def gone() -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        stop.set()

    asyncio.get_running_loop().add_reader(descriptor, gone)


if __name__ == "__main__":
    main()
