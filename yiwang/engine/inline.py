"""Programs that somebody else runs: a language host (Pulumi's Automation API) that is told to run its function against our monitor."""

from __future__ import annotations

from typing import Any

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

# What `program` calls a program that ended and said why by itself.
RAISED = 32


async def run(address: str, request: dict[str, Any]) -> int:
    """Ask the host at ``address`` to run its program with what ``request`` (see ``program``) says; the exit code."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = language_pb2_grpc.LanguageRuntimeStub(channel)
        message = language_pb2.RunRequest(
            project=request["project"],
            stack=request["stack"],
            organization=request["organization"],
            pwd=request["directory"],
            program=".",
            args=[request["engine"]],
            config=request["config"],
            configSecretKeys=request["secret_keys"],
            dryRun=request["dry_run"],
            parallel=request["parallel"],
            monitor_address=request["monitor"],
            info=language_pb2.ProgramInfo(root_directory=request["directory"], program_directory=request["directory"], entry_point="."),
        )
        try:
            answer = await stub.Run(message)
        except grpc.aio.AioRpcError:
            # The host went away with its program.
            return 1
    return RAISED if answer.error or answer.bail else 0
