"""Everything of a run in one process: gRPC without sockets, providers without processes, and a program that speaks the protocol.

Messages go through their bytes and the services are the real ones; only the way between is short. ``install`` puts it in place
for the whole process, so it belongs into one of its own.
"""

# ruff: noqa: ARG002 - what is stood in for has these arguments
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import alias_pb2, engine_pb2, engine_pb2_grpc, provider_pb2_grpc, resource_pb2_grpc
from pulumi.runtime.proto import resource_pb2 as pb

from yiwang.engine import plugin, run
from yiwang.engine.program import RAISED
from yiwang.engine.values import SECRET, SIGNATURE, UNKNOWN
from yiwang.engine.wire import to_struct

_servers: dict[str, Server] = {}


class AbortError(Exception):
    """A service ended a call."""


class GoneError(Exception):
    """The process of a service died in a call."""


class Call:
    """What a service sees of a call."""

    trailing: tuple[tuple[str, bytes], ...] = ()

    def __init__(self) -> None:
        self.status = (grpc.StatusCode.UNKNOWN, "")

    async def abort(self, code: Any, details: str = "") -> None:
        self.status = (code, details)
        raise AbortError

    def set_code(self, code: Any) -> None:
        self.status = (code, self.status[1])

    def set_details(self, details: str) -> None:
        self.status = (self.status[0], details)


class Details(NamedTuple):
    """Which method is called."""

    method: str
    invocation_metadata: tuple[()]


class Server:
    """A gRPC server that is reached by its address, in this process."""

    def __init__(self, **_options: Any) -> None:
        self._generic: list[Any] = []
        self._methods: dict[str, Any] = {}
        self.dead = False

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self._generic.extend(handlers)

    def _method(self, path: str) -> Any:
        if path not in self._methods:
            details = Details(path, ())
            self._methods[path] = next(found for handler in self._generic if (found := handler.service(details)) is not None)
        return self._methods[path]

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """The same once more, in later versions of the generated code."""

    def add_insecure_port(self, address: str) -> int:
        _servers[address] = self
        return 1

    async def start(self) -> None:
        """It is there."""

    async def stop(self, grace: float | None) -> None:
        self.dead = True

    def _alive(self) -> None:
        if self.dead:
            raise GoneError

    async def ask(self, path: str, message: bytes) -> bytes:
        handler, call = self._method(path), Call()
        try:
            self._alive()
            answer = await handler.unary_unary(handler.request_deserializer(message), call)
            self._alive()
        except GoneError:
            self.dead = True
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, _none(), _none(), "the process is gone") from None
        except AbortError:
            code, details = call.status
            raise grpc.aio.AioRpcError(code, _none(), grpc.aio.Metadata(*call.trailing), details) from None
        except NotImplementedError:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, _none(), _none(), "Method not implemented!") from None
        except RuntimeError as error:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNKNOWN, _none(), _none(), str(error)) from None
        found: bytes = handler.response_serializer(answer)
        return found


def _none() -> Any:
    return grpc.aio.Metadata()


class Channel:
    """The way to a server."""

    def __init__(self, address: str, **_options: Any) -> None:
        self._address = address

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any, **_more: Any) -> Callable[..., Any]:
        async def ask(request: Any, **_options: Any) -> Any:
            return response_deserializer(await _servers[self._address].ask(path, request_serializer(request)))

        return ask

    def __getattr__(self, name: str) -> Any:
        return self.unary_unary

    async def close(self, grace: float | None = None) -> None:
        """Nothing is held."""


class Process:
    """A plugin that runs here. ``socket`` is only its name."""

    def __init__(self, socket: Path, server: Server) -> None:
        self.socket = socket
        self._server = server

    async def stop(self, *, at_once: bool = False) -> None:
        self._server.dead = True


class Program:
    """Registers the resources of one version as the SDK would: each when what it refers to is there."""

    version: dict[str, Any]

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        self._task: asyncio.Task[int] | None = None
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._kinds = {spec["label"]: spec for spec in self.version["resources"]}

    async def run(self, address: str, *, dry_run: bool, **_options: Any) -> int:
        channel: Any = Channel(address)
        self._monitor = resource_pb2_grpc.ResourceMonitorStub(channel)
        self._engine = engine_pb2_grpc.EngineStub(channel)
        self._task = asyncio.create_task(self._main())
        try:
            return await self._task
        except asyncio.CancelledError:
            return -9

    def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _main(self) -> int:
        await self._monitor.GetDeploymentInfo(empty_pb2.Empty())
        request = pb.RegisterResourceRequest(type="pulumi:pulumi:Stack", name="box-dev", acceptSecrets=True)
        try:
            stack = await self._monitor.RegisterResource(request)
            self._stack = stack.urn
            await self._engine.SetRootResource(engine_pb2.SetRootResourceRequest(urn=stack.urn))
            loop = asyncio.get_running_loop()
            self._answers = {label: loop.create_future() for label in self._kinds}
            async with asyncio.TaskGroup() as group:
                for spec in self.version["resources"]:
                    group.create_task(self._one(spec))
            outputs = {label: self._answers[label].result().fields.get("label") for label in self.version["exports"]}
            await self._outputs(stack.urn, {label: value for label, value in outputs.items() if value is not None})
            await self._monitor.SignalAndWaitForShutdown(empty_pb2.Empty())
        except (grpc.aio.AioRpcError, ExceptionGroup):
            return RAISED
        return 0

    async def _outputs(self, urn: str, values: dict[str, Any]) -> None:
        outputs = struct_pb2.Struct()
        for key, value in values.items():
            outputs.fields[key].CopyFrom(value)
        await self._monitor.RegisterResourceOutputs(pb.RegisterResourceOutputsRequest(urn=urn, outputs=outputs))

    async def _one(self, spec: dict[str, Any]) -> None:
        needed = self._needs(spec)
        await asyncio.gather(*(asyncio.shield(self._answers[label]) for label in needed))
        if spec["kind"] == "read":
            answer = await self._read(spec)
        else:
            answer = await self._monitor.RegisterResource(self._request(spec))
        self._answers[spec["label"]].set_result(Answer(answer))
        if spec["kind"] == "component":
            await self._outputs(answer.urn, {"size": struct_pb2.Value(string_value="small")})

    def _needs(self, spec: dict[str, Any]) -> set[str]:
        found = {spec["parent"], spec["provider"], spec["deleted_with"], *spec["depends_on"]} - {""}
        found |= {value["from"] for value in spec["props"].values() if isinstance(value, dict) and "from" in value}
        return found | {inside for label in spec["depends_on"] for inside in self._inside(label, spec)}

    def _inside(self, label: str, user: dict[str, Any]) -> list[str]:
        """What a dependency on ``label`` means: the resource, or those of a component that were made before its user."""
        if self._kinds[label]["kind"] != "component":
            return [label]
        earlier = self.version["resources"][: self.version["resources"].index(user)]
        children = [spec["label"] for spec in earlier if spec["parent"] == label]
        return [found for child in children for found in self._inside(child, user)]

    def _urn(self, label: str) -> str:
        return str(self._answers[label].result().urn) if label else ""

    async def _read(self, spec: dict[str, Any]) -> Any:
        request = pb.ReadResourceRequest(
            id="seen:k0:", type="box:index:Box", name=spec["name"], parent=self._urn(spec["parent"]) or self._stack, acceptSecrets=True
        )
        return await self._monitor.ReadResource(request)

    def _request(self, spec: dict[str, Any]) -> Any:
        kind = spec["kind"]
        types = {"box": "box:index:Box", "dyn": "pulumi-python:dynamic/box:Thing", "component": "box:index:Shelf"}
        inputs, sources = self._inputs(spec)
        dependencies = {self._urn(label) for entry in spec["depends_on"] for label in self._inside(entry, spec)}
        provider = self._answers[spec["provider"]].result() if spec["provider"] else None
        return pb.RegisterResourceRequest(
            type=types.get(kind, "pulumi:providers:box"),
            name=spec["name"],
            parent=self._urn(spec["parent"]) or self._stack,
            custom=kind != "component",
            object=inputs,
            dependencies=dependencies | {urn for found in sources.values() for urn in found},
            propertyDependencies={key: pb.RegisterResourceRequest.PropertyDependencies(urns=found) for key, found in sources.items()},
            provider=f"{provider.urn}::{provider.id}" if provider is not None else "",
            protect=spec["protect"],
            retainOnDelete=spec["retain"],
            deletedWith=self._urn(spec["deleted_with"]),
            deleteBeforeReplace=bool(spec["dbr"]),
            deleteBeforeReplaceDefined=spec["dbr"] is not None,
            ignoreChanges=spec["ignore"],
            replaceOnChanges=spec["replace_on"],
            additionalSecretOutputs=spec["secret_outputs"],
            aliases=[_alias(entry) for entry in spec["aliases"]],
            acceptSecrets=True,
            supportsPartialValues=True,
            supportsResultReporting=True,
        )

    def _inputs(self, spec: dict[str, Any]) -> tuple[Any, dict[str, list[str]]]:
        inputs = to_struct({"name": spec["label"]} if spec["kind"] in {"box", "dyn"} else {})
        sources: dict[str, list[str]] = {key: [] for key in inputs.fields}
        for key, value in spec["props"].items():
            sources[key] = [self._urn(value["from"])] if isinstance(value, dict) and "from" in value else []
            inputs.fields[key].CopyFrom(self._value(value))
        return inputs, sources

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return struct_pb2.Value(string_value=value)
        if "secret" in value:
            return to_struct({"v": {SIGNATURE: SECRET, "value": value["secret"]}}).fields["v"]
        fields = self._answers[value["from"]].result().fields
        return fields[value["out"]] if value["out"] in fields else struct_pb2.Value(string_value=UNKNOWN)


class Answer:
    """What a registration or a read led to."""

    def __init__(self, message: Any) -> None:
        self.urn = message.urn
        self.id = getattr(message, "id", "")
        self.fields = (message.object if hasattr(message, "object") else message.properties).fields


def _alias(entry: dict[str, str]) -> Any:
    if "urn" in entry:
        return alias_pb2.Alias(urn=entry["urn"])
    return alias_pb2.Alias(spec=alias_pb2.Alias.Spec(name=entry["name"]))


def install(providers: Callable[[str], Any]) -> None:
    """Put everything into this process. ``providers`` makes the servicer of a package."""
    grpc.aio.server = Server
    grpc.aio.insecure_channel = Channel

    async def start(package: str, arguments: Any, directory: Path, *_more: Any) -> Process:
        server = Server()
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(providers(package), server)
        socket = directory / f"{package}-{len(_servers)}"
        server.add_insecure_port(f"unix:{socket}")
        return Process(socket, server)

    vars(plugin)["start"] = start
    vars(run)["Program"] = Program
    with contextlib.suppress(AttributeError):
        vars(run)["_examined"].clear()
