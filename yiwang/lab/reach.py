"""Whether hosts answer SSH, asked from the operator's namespace."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from yiwang.lab.namespaces import alive
from yiwang.lab.spec import LabHost
from yiwang.lab.tools import enter_network, wait_until

_GREETING = b"SSH-"


def answering(namespace: Path, hosts: Iterable[LabHost], seconds: float = 1.0) -> set[str]:
    """The names of the hosts whose SSH server greets within ``seconds``; all are asked at once."""
    return wait_for(namespace, hosts, seconds, lambda _: True)


def wait_for(
    namespace: Path,
    hosts: Iterable[LabHost],
    seconds: float,
    worth_waiting: Callable[[LabHost], bool],
    on_answer: Callable[[LabHost, float], None] = lambda _host, _seconds: None,
) -> set[str]:
    """Ask all hosts until each has answered, is not ``worth_waiting`` for any more, or ``seconds`` have passed."""
    wanted = list(hosts)
    started = time.monotonic()
    given_up = threading.Event()

    def ask(host: LabHost) -> str | None:
        answered = False

        def attempt() -> bool:
            nonlocal answered
            answered = _greets(host)
            return answered or given_up.is_set() or not worth_waiting(host)

        wait_until(attempt, seconds, 0.05)
        if answered:
            on_answer(host, time.monotonic() - started)
        return host.name if answered else None

    if not wanted or not alive(namespace.name):
        return set()
    # Sockets belong to the network of the thread that opens them; the pool's threads never leave the operator's.
    with ThreadPoolExecutor(len(wanted), initializer=enter_network, initargs=(namespace,)) as pool:
        try:
            return {name for name in pool.map(ask, wanted) if name}
        except BaseException:
            # Ctrl-C: the threads are waited for, so they must end too.
            given_up.set()
            raise


def _greets(host: LabHost) -> bool:
    try:
        with socket.create_connection((str(host.ipv4), host.port), timeout=1.0) as connection:
            connection.settimeout(1.0)
            return connection.recv(16).startswith(_GREETING)
    except OSError:
        return False
