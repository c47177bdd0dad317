"""The engine service: log messages of programs and providers, and the root resource."""

from __future__ import annotations

from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2 as pb
from pulumi.runtime.proto import engine_pb2_grpc

from yiwang.engine.events import Severity
from yiwang.engine.report import Reporter

_SEVERITIES: dict[int, Severity] = {pb.DEBUG: "debug", pb.INFO: "info", pb.WARNING: "warning", pb.ERROR: "error"}
# What the SDK logs when a registration was not taken because something else had failed.
_SHUT_DOWN = "Resource monitor has terminated"


class Engine(engine_pb2_grpc.EngineServicer):
    """One run's engine service."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._root = ""

    async def Log(self, request: Any, call: Any) -> Any:  # noqa: N802 - the protocol's name
        """A message for a person; debug messages are not kept."""
        del call
        severity = _SEVERITIES.get(request.severity, "info")
        echo = severity == "error" and _SHUT_DOWN in request.message
        if severity != "debug" and not request.ephemeral and not echo:
            self._reporter.diagnostic(severity, request.message.rstrip("\n"), request.urn)
        return empty_pb2.Empty()

    async def GetRootResource(self, request: Any, call: Any) -> Any:  # noqa: N802
        """The stack's URN."""
        del request, call
        return pb.GetRootResourceResponse(urn=self._root)

    async def SetRootResource(self, request: Any, call: Any) -> Any:  # noqa: N802
        """The stack's URN."""
        del call
        self._root = request.urn
        return pb.SetRootResourceResponse()

    async def RequirePulumiVersion(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Any version will do."""
        del request, call
        return pb.RequirePulumiVersionResponse()
