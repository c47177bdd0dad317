"""The real world of the random programs, and two providers for it: ``box`` finds what an interrupted create made, ``dyn`` does not.

The world is a file of lines that survives a kill: one for each object that was made, changed or removed. The providers run
in the engine's process; ``gate`` is called around each change, where a kill or a failure may strike.
"""

# ruff: noqa: ARG002, N802 - the names and the arguments are the protocol's
from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb

from yiwang.engine.values import UNKNOWN
from yiwang.engine.wire import from_struct, to_struct

Gate = Callable[[str, str], Awaitable[None]]


# Held while the world changes, and by a kill while it looks at it: files are written by another thread.
changing = threading.Lock()


class World:
    """What exists outside. ``made`` and ``removed`` count per object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.objects: dict[str, Any] = {}
        self.made: Counter[str] = Counter()
        self.removed: Counter[str] = Counter()
        for line in path.read_text().splitlines() if path.exists() else ():
            self._apply(json.loads(line))

    def _apply(self, entry: dict[str, Any]) -> None:
        id_, inputs = entry["id"], entry["inputs"]
        if inputs is None:
            self.removed[id_] += self.objects.pop(id_, None) is not None
        else:
            self.made[id_] += id_ not in self.objects
            self.objects[id_] = inputs

    def change(self, id_: str, inputs: dict[str, Any] | None) -> None:
        """Make, change or (with None) remove an object, for good: a kill right after this loses nothing."""
        entry = {"id": id_, "inputs": inputs}
        with changing:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, json.dumps(entry).encode() + b"\n")
            os.close(descriptor)
        self._apply(entry)

    def vanish(self, name: str) -> None:
        """Remove an object as somebody else would."""
        for id_ in [found for found in self.objects if found.startswith(f"{name}:")]:
            self.change(id_, None)

    def facts(self) -> dict[str, Any]:
        """What is compared."""
        return {"objects": self.objects, "made": dict(+self.made), "removed": dict(+self.removed)}


class PartialError(Exception):
    """The object exists but is not ready."""


class Box(provider_pb2_grpc.ResourceProviderServicer):
    """Objects are found again by name, key and the provider's zone; all that a provider may do is done."""

    def __init__(self, world: World, gate: Gate) -> None:
        self.world = world
        self.gate = gate
        self.zone = ""

    async def GetPluginInfo(self, request: Any, call: Any) -> Any:
        return plugin_pb2.PluginInfo(version="0.0.1")

    async def CheckConfig(self, request: Any, call: Any) -> Any:
        return pb.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: Any, call: Any) -> Any:
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        replaces = [key for key in changed if key == "zone"]
        return pb.DiffResponse(changes=_some(changed), diffs=changed, replaces=replaces)

    async def Configure(self, request: Any, call: Any) -> Any:
        self.zone = str(from_struct(request.args).get("zone") or "")
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    async def Check(self, request: Any, call: Any) -> Any:
        await self.gate("check", from_struct(request.news).get("name", ""))
        return pb.CheckResponse(inputs=request.news)

    async def Diff(self, request: Any, call: Any) -> Any:
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        ignored = list(request.ignoreChanges)
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key) and key not in ignored)
        return pb.DiffResponse(changes=_some(changed), diffs=changed, replaces=[key for key in changed if key == "key"])

    def _outputs(self, inputs: dict[str, Any]) -> Any:
        return to_struct({**inputs, "label": f"{inputs['name']}/{inputs['key']}"})

    def _identity(self, inputs: dict[str, Any]) -> str:
        return f"{inputs['name']}:{inputs['key']}:{self.zone}"

    async def Create(self, request: Any, call: Any) -> Any:
        inputs = from_struct(request.properties)
        if request.preview:
            return pb.CreateResponse(properties=to_struct({**inputs, "label": UNKNOWN}))
        id_ = self._identity(inputs)
        await self.gate("before create", inputs["name"])
        self.world.change(id_, inputs)
        try:
            await self.gate("after create", inputs["name"])
        except PartialError:
            await _partial(call, id_, self._outputs(inputs), request.properties)
        return pb.CreateResponse(id=id_, properties=self._outputs(inputs))

    async def Update(self, request: Any, call: Any) -> Any:
        inputs = from_struct(request.news)
        if not request.preview:
            await self.gate("before update", inputs["name"])
            self.world.change(request.id, inputs)
            try:
                await self.gate("after update", inputs["name"])
            except PartialError:
                await _partial(call, request.id, self._outputs(inputs), request.news)
        return pb.UpdateResponse(properties=self._outputs(inputs))

    async def Read(self, request: Any, call: Any) -> Any:
        inputs = self.world.objects.get(request.id)
        if inputs is None:
            return pb.ReadResponse()
        return pb.ReadResponse(id=request.id, properties=self._outputs(inputs), inputs=to_struct(inputs))

    async def Delete(self, request: Any, call: Any) -> Any:
        inputs = from_struct(request.old_inputs)
        await self.gate("before delete", inputs["name"])
        self.world.change(request.id or self._identity(inputs), None)
        await self.gate("after delete", inputs["name"])
        return empty_pb2.Empty()


class Dyn(Box):
    """As ``pulumi.dynamic``: no previews, no secrets, differences by the outputs, and a new id for each create."""

    async def CheckConfig(self, request: Any, call: Any) -> Any:
        await call.abort(grpc.StatusCode.UNIMPLEMENTED, "not implemented")

    DiffConfig = CheckConfig

    async def Configure(self, request: Any, call: Any) -> Any:
        return pb.ConfigureResponse()

    async def Diff(self, request: Any, call: Any) -> Any:
        old, new = from_struct(request.olds), from_struct(request.news)
        old.pop("label", None)
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return pb.DiffResponse(changes=_some(changed), replaces=[key for key in changed if key == "key"])

    def _identity(self, inputs: dict[str, Any]) -> str:
        mine = [id_ for id_ in self.world.made if id_.startswith(f"{inputs['name']}:#")]
        return f"{inputs['name']}:#{len(mine) + 1}"


def _some(changed: list[str]) -> Any:
    return pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE


async def _partial(call: Any, id_: str, properties: Any, inputs: Any) -> None:
    detail = any_pb2.Any()
    detail.Pack(pb.ErrorResourceInitFailed(id=id_, properties=properties, inputs=inputs, reasons=["not ready"]))
    status = status_pb2.Status(code=2, message="partial", details=[detail])
    call.trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    await call.abort(grpc.StatusCode.UNKNOWN, "partial")
