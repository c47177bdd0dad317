"""Runs a Pulumi program in a process of its own. Started as a script by ``program``; what to run comes on stdin as JSON.

Not a module of the engine at run time: it imports nothing of it, so that the program sees a Python of its own.
Exit codes: 0; 1 the program ended with Pulumi's error for people; 160 + n with one of our own that asks for exit code n;
32 with any other exception. All but 0 were logged.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi import runtime

_FAILED = 1
_RAISED = 32
_TOLD = 160
# Each outstanding call of the SDK holds a thread.
_THREADS_PER_STEP = 4
_GARBAGE = 50_000


def _mend_sdk() -> None:
    # Not importable: this is a script, and the program may use a Python that has no yiwang.
    spec = importlib.util.spec_from_file_location("_yiwang_sdk", Path(__file__).with_name("sdk.py"))
    assert spec is not None  # noqa: S101 - it has a path
    assert spec.loader is not None  # noqa: S101 - of a source file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.mend()


def _configure(request: dict[str, Any]) -> None:
    callbacks: Any = importlib.import_module("pulumi.runtime._callbacks")
    callbacks.aio = _OnSocket(Path(request["monitor"].removeprefix("unix:")).parent)
    runtime.set_all_config(request["config"], request["secret_keys"])
    runtime.configure(
        runtime.Settings(
            monitor=request["monitor"],
            engine=request["engine"],
            project=request["project"],
            stack=request["stack"],
            parallel=request["parallel"],
            dry_run=request["dry_run"],
            organization=request["organization"],
            root_directory=request["directory"],
        )
    )


class _OnSocket:
    """In place of ``grpc.aio`` for the SDK's callbacks (transforms): its server listens on a socket beside the engine's, not on TCP."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(grpc.aio, name)

    def server(self, **options: Any) -> Any:
        """A server that takes no address."""
        self._made += 1
        server = grpc.aio.server(**options)
        socket = self._directory / f"callbacks-{self._made}.sock"
        listen = server.add_insecure_port

        def add_insecure_port(address: str) -> str:
            del address
            listen(f"unix:{socket}")
            # What the SDK makes of it is cut off again by the engine: <host>:<this>.
            return str(socket)

        server.add_insecure_port = add_insecure_port
        return server


def _trace(error: BaseException) -> str:
    """The traceback from the program's first frame on."""
    here = error.__traceback__
    own = {__file__, runpy.__file__, "<frozen runpy>"}
    while here is not None and (here.tb_frame.f_code.co_filename in own or "/pulumi/runtime/" in here.tb_frame.f_code.co_filename):
        here = here.tb_next
    return "".join(traceback.format_exception(type(error), error, here or error.__traceback__))


def _report(error: BaseException) -> int:
    """Log what the program raised, and say so by the exit code. An error made for people (yiwang.errors.UserError) has no trace."""
    report = getattr(error, "report", None)
    code = getattr(error, "code", None)
    if callable(report) and isinstance(code, int):
        pulumi.log.error(report())
        return _TOLD + code if _TOLD + code < 256 else _TOLD + _FAILED
    pulumi.log.error(f"Program failed with an unhandled exception:\n{_trace(error)}")
    return _RAISED


def _run(request: dict[str, Any]) -> int:
    program = request["program"]
    sys.argv = [program]
    sys.path.insert(0, str(Path(program).parent))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(request["parallel"], 1) * _THREADS_PER_STEP))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def body() -> None:
        runpy.run_path(program, run_name="__main__")

    try:
        loop.run_until_complete(runtime.run_in_stack(body))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        code = _FAILED
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else _FAILED * (error.code is not None)
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is reported as the program's
        code = _report(error)
    else:
        code = 0
    # Log lines are sent by tasks of the loop.
    rest = asyncio.all_tasks(loop)
    if rest:
        loop.run_until_complete(asyncio.wait(rest, timeout=5))
    return code


def main() -> None:
    """Read the request, run the program, and leave without the interpreter's long goodbye."""
    request = json.loads(sys.stdin.read())
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    # As the CLI: where the program lies, which is not the project's directory when that names another by `main`.
    os.chdir(Path(request["program"]).parent)
    _configure(request)
    _mend_sdk()
    # A short life with many objects that stay: looking for garbage among them all the time costs more than it finds.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    code = _run(request)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
