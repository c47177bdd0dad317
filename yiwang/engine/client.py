"""One provider as the executor uses it: typed questions over gRPC, with what the provider accepts taken into account."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc

from yiwang.engine import urn as urns
from yiwang.engine.assets import hold_assets, restored, without_contents
from yiwang.engine.planner import DiffAnswer
from yiwang.engine.resource import Resource
from yiwang.engine.values import Properties, for_provider, has_secret, normalise, remark, secret
from yiwang.engine.wire import NumberError, finite, from_struct, to_struct
from yiwang.messages import t

MESSAGE_BYTES = 400 * 1024 * 1024
# The details of a partial failure, all outputs among them, come as metadata. Up to the first is always taken, the second never passed.
METADATA_BYTES = 8 * 1024 * 1024
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
]


# Property and reason of each argument that is refused.
Failures = list[tuple[str, str]]


class ProviderError(Exception):
    """A provider refused or failed; the message is the provider's."""


class ProviderGoneError(ProviderError):
    """The provider's process ended during the call: nobody knows how far it came."""


class UnsupportedError(ProviderError):
    """The provider does not know the question."""


class InitError(ProviderError):
    """The object exists but did not become ready: its state is kept, with the reasons."""

    def __init__(self, message: str, id_: str, outputs: Properties, inputs: Properties, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.id = id_
        self.outputs = outputs
        self.inputs = inputs
        self.reasons = list(reasons)


@dataclass(frozen=True)
class Reading:
    """What Read found. ``id`` is empty when the object is gone; ``inputs`` None when the provider gives none.

    ``exists``: whether the provider gave properties at all, some do so without an id.
    """

    id: str
    outputs: Properties
    inputs: Properties | None = None
    init_errors: tuple[str, ...] = ()
    exists: bool = True


class Provider(Protocol):
    """What the executor asks of a provider; properties hold secrets as marked objects."""

    previews: bool

    async def check_config(self, urn: str, old: Properties, new: Properties) -> Properties | None:
        """The checked configuration, None when the provider has no opinion."""

    async def diff_config(self, urn: str, old: Resource, new: Properties) -> DiffAnswer:
        """What a change of configuration means."""

    async def check(self, urn: str, old: Properties | None, new: Properties, seed: bytes) -> Properties:
        """The inputs with defaults, random ones made from ``seed``; raises ProviderError naming what is wrong."""

    async def diff(self, urn: str, old: Resource, new_inputs: Properties, ignore: Sequence[str]) -> DiffAnswer:
        """What a change of inputs means."""

    async def create(self, new: Resource, *, preview: bool) -> tuple[str, Properties]:
        """Make the object; its id and outputs."""

    async def update(self, old: Resource, new: Resource, *, preview: bool) -> Properties:
        """Change the object; its outputs."""

    async def delete(self, old: Resource) -> None:
        """Remove the object; no error when it is gone."""

    async def read(self, urn: str, id_: str, inputs: Properties | None, outputs: Properties | None, *, seconds: float = 0) -> Reading:
        """Find the object; ``inputs`` and ``outputs`` as they are recorded, None when nothing is."""

    async def invoke(self, token: str, args: Properties, *, preview: bool) -> tuple[Properties, Failures]:
        """The answer of a function, and which arguments it refuses."""

    async def call(self, question: Any) -> Any:
        """The answer of a method, as it comes off the wire."""


class GrpcProvider:
    """A plugin, over its socket. ``configure`` comes before all but the questions about configuration."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=CHANNEL_OPTIONS)
        self._stub: Any = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._secrets = False
        self._resources = False
        self.previews = False

    async def handshake(self, engine_address: str, root: Path, directory: Path) -> None:
        """Introduce ourselves; plugins without a handshake are fine."""
        request = pb.ProviderHandshakeRequest(
            engine_address=engine_address, root_directory=str(root), program_directory=str(directory), configure_with_urn=True
        )
        await self._optional(self._stub.Handshake(request))

    async def configure(self, resource: Resource) -> None:
        """Hand over the provider resource's inputs."""
        properties = {key: value for key, value in resource.inputs.items() if key != "__internal"}
        answer = await _call(
            self._stub.Configure(
                pb.ConfigureRequest(
                    args=to_struct(properties),
                    acceptSecrets=True,
                    acceptResources=True,
                    sends_old_inputs=True,
                    sends_old_inputs_to_delete=True,
                    id=resource.id,
                    **_identity(resource.urn),
                )
            )
        )
        self._secrets = answer.acceptSecrets
        self._resources = answer.acceptResources
        self.previews = answer.supportsPreview

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def check_config(self, urn: str, old: Properties, new: Properties) -> Properties | None:
        """See ``Provider``."""
        request = pb.CheckRequest(olds=to_struct(old), news=to_struct(new), **_identity(urn))
        answer = await self._optional(self._stub.CheckConfig(request))
        if answer is None:
            return None
        _refuse(urn, answer.failures)
        return remark(_understood(answer.inputs), new)

    async def diff_config(self, urn: str, old: Resource, new: Properties) -> DiffAnswer:
        """See ``Provider``."""
        before = {key: value for key, value in old.inputs.items() if key != "__internal"}
        request = pb.DiffRequest(
            id=old.id, olds=to_struct(old.outputs), old_inputs=to_struct(before), news=to_struct(new), **_identity(urn)
        )
        answer = await self._optional(self._stub.DiffConfig(request))
        return DiffAnswer() if answer is None else _difference(answer)

    async def check(self, urn: str, old: Properties | None, new: Properties, seed: bytes) -> Properties:
        """See ``Provider``."""
        request = pb.CheckRequest(olds=self._out(old or {}), news=self._out(new), randomSeed=seed, **_identity(urn))
        answer = await _call(self._stub.Check(request))
        _refuse(urn, answer.failures)
        return self._in(answer.inputs, new)

    async def diff(self, urn: str, old: Resource, new_inputs: Properties, ignore: Sequence[str]) -> DiffAnswer:
        """See ``Provider``."""
        request = pb.DiffRequest(
            id=old.id,
            olds=self._out(without_contents(old.outputs)),
            old_inputs=self._out(without_contents(old.inputs)),
            news=self._out(new_inputs),
            ignoreChanges=ignore,
            **_identity(urn),
        )
        return _difference(await _call(self._stub.Diff(request)))

    async def create(self, new: Resource, *, preview: bool) -> tuple[str, Properties]:
        """See ``Provider``."""
        request = pb.CreateRequest(properties=self._out(new.inputs), timeout=new.timeout("create"), preview=preview, **_identity(new.urn))
        answer = await _call(self._stub.Create(request))
        if not answer.id and not preview:
            raise ProviderError(t("engine.empty_id"))
        return answer.id, self._made(answer.id, answer.properties, new.inputs)

    async def update(self, old: Resource, new: Resource, *, preview: bool) -> Properties:
        """See ``Provider``."""
        request = pb.UpdateRequest(
            id=old.id,
            olds=self._out(without_contents(old.outputs)),
            old_inputs=self._out(without_contents(old.inputs)),
            news=self._out(new.inputs),
            timeout=new.timeout("update"),
            ignoreChanges=new.ignore_changes,
            preview=preview,
            **_identity(new.urn),
        )
        answer = await _call(self._stub.Update(request))
        return self._made(old.id, answer.properties, new.inputs)

    async def delete(self, old: Resource) -> None:
        """See ``Provider``."""
        request = pb.DeleteRequest(
            id=old.id,
            properties=self._out(without_contents(old.outputs)),
            old_inputs=self._out(without_contents(old.inputs)),
            timeout=old.timeout("delete"),
            **_identity(old.urn),
        )
        await _call(self._stub.Delete(request))

    async def read(self, urn: str, id_: str, inputs: Properties | None, outputs: Properties | None, *, seconds: float = 0) -> Reading:
        """See ``Provider``."""
        request = pb.ReadRequest(
            id=id_,
            properties=None if outputs is None else self._out(without_contents(outputs)),
            inputs=None if inputs is None else self._out(without_contents(inputs)),
            timeout=seconds,
            **_identity(urn),
        )
        try:
            answer = await _call(self._stub.Read(request))
        except InitError as error:
            return Reading(error.id, remark(error.outputs, inputs or {}), error.inputs or None, tuple(error.reasons))
        found = _understood(answer.properties)
        back = _understood(answer.inputs) if answer.HasField("inputs") else None
        if not self._secrets:
            found = remark(remark(found, outputs or {}), inputs or {})
            back = None if back is None else remark(back, inputs or {})
        if inputs is not None and hold_assets(inputs):
            found, back = restored(found, inputs), restored(back, inputs)
        return Reading(answer.id, found, back, exists=answer.HasField("properties"))

    async def invoke(self, token: str, args: Properties, *, preview: bool) -> tuple[Properties, Failures]:
        """See ``Provider``."""
        answer = await _call(self._stub.Invoke(pb.InvokeRequest(tok=token, args=self._out(args), preview=preview)))
        found = _understood(getattr(answer, "return"))
        if has_secret(args) and not self._secrets:
            found = {key: secret(value) for key, value in found.items()}
        return found, [(failure.property, failure.reason) for failure in answer.failures]

    async def call(self, question: Any) -> Any:
        """See ``Provider``."""
        return await _call(self._stub.Call(question))

    def _out(self, properties: Properties) -> Any:
        return to_struct(for_provider(properties, secrets=self._secrets, resources=self._resources))

    def _in(self, struct: Any, marked: Properties) -> Properties:
        found = _understood(struct)
        return found if self._secrets else remark(found, marked)

    def _made(self, id_: str, struct: Any, marked: Properties) -> Properties:
        """What a provider says of an object that is there now: it is recorded even when the answer cannot be."""
        try:
            return self._in(struct, marked)
        except ProviderError as error:
            raise InitError(str(error), id_, self._in(finite(struct), marked), {}, [str(error)]) from None

    @staticmethod
    async def _optional(call: Awaitable[Any]) -> Any:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED or "not implemented" in (error.details() or ""):
                return None
            raise _failure(error) from None


def _understood(struct: Any) -> Properties:
    """A provider's properties. Raises ProviderError for what no checkpoint can hold."""
    try:
        found: Properties = normalise(from_struct(struct))
    except NumberError as error:
        raise ProviderError(str(error)) from None
    return found


def _identity(urn: str) -> dict[str, Any]:
    return {"urn": urn, "name": urns.name_of(urn), "type": urns.type_of(urn)}


def _refuse(urn: str, failures: Sequence[Any]) -> None:
    if failures:
        lines = [f"{failure.property}: {failure.reason}" if failure.property else failure.reason for failure in failures]
        kind, name = urns.type_of(urn), urns.name_of(urn)
        raise ProviderError("\n".join(t("engine.has_a_problem", type=kind, name=name, problem=line) for line in lines))


def _difference(answer: Any) -> DiffAnswer:
    kinds = {path: pb.PropertyDiff.Kind.Name(entry.kind).lower().replace("_", "-") for path, entry in answer.detailedDiff.items()}
    return DiffAnswer(
        changes={pb.DiffResponse.DIFF_NONE: False, pb.DiffResponse.DIFF_SOME: True}.get(answer.changes),
        replaces=tuple(answer.replaces),
        diffs=tuple(answer.diffs),
        detailed=dict(sorted(kinds.items())),
        delete_before_replace=answer.deleteBeforeReplace,
        input_diffs=frozenset(path for path, entry in answer.detailedDiff.items() if entry.inputDiff),
    )


async def _call(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise _failure(error) from None


def _failure(error: grpc.aio.AioRpcError) -> ProviderError:
    """A gRPC error as ours; a partial failure is found in the status details."""
    message = error.details() or error.code().name
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                found = _init_error(detail, message)
                if found is not None:
                    return found
    if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return ProviderGoneError(t("engine.provider_gone", message=message))
    if error.code() == grpc.StatusCode.UNIMPLEMENTED:
        return UnsupportedError(message)
    return ProviderError(message)


def _init_error(detail: any_pb2.Any, message: str) -> InitError | None:
    partial = pb.ErrorResourceInitFailed()
    if not detail.Unpack(partial):
        return None
    return InitError(
        message,
        partial.id,
        normalise(from_struct(finite(partial.properties))),
        normalise(from_struct(finite(partial.inputs))),
        list(partial.reasons),
    )
