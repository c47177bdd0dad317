"""The provider protocol: gRPC requests to the resource types and back."""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2  # type: ignore[import-untyped]  # comes with grpc, without types
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from yiwang import __version__
from yiwang.errors import UserError
from yiwang.files import make_private, write_atomic
from yiwang.messages import t
from yiwang.paths import cache
from yiwang.provider.certificate import CertificateResource
from yiwang.provider.resource import PartialFailure, Resource
from yiwang.provider.role import RoleResource
from yiwang.provider.role_work import Worker
from yiwang.provider.scrub import Scrubber
from yiwang.provider.secret import SecretResource
from yiwang.provider.values import from_struct, secret_texts, to_struct

Context: TypeAlias = Any  # grpc.aio.ServicerContext; grpc is not typed


class Provider(ResourceProviderServicer):
    """Serves the three resource types. Every text that leaves goes through the scrubber."""

    def __init__(self, worker: Worker, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._resources: Mapping[str, Resource] = {
            "yiwang:index:Role": RoleResource(worker),
            "yiwang:index:Secret": SecretResource(),
            "yiwang:index:Certificate": CertificateResource(),
        }

    async def Handshake(self, request: Any, context: Context) -> Any:  # noqa: ARG002,N802 - the protocol's interface
        """What we understand."""
        return pb.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True, accept_outputs=False)

    async def GetPluginInfo(self, request: Any, context: Context) -> Any:  # noqa: ARG002,N802
        """Our version."""
        return plugin_pb2.PluginInfo(version=__version__)

    async def CheckConfig(self, request: Any, context: Context) -> Any:  # noqa: ARG002,N802
        """There is no configuration: the environment says everything."""
        return pb.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: Any, context: Context) -> Any:  # noqa: ARG002,N802
        """Nothing in it matters."""
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)

    async def Configure(self, request: Any, context: Context) -> Any:  # noqa: ARG002,N802
        """What we understand, for engines without a handshake."""
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True, acceptOutputs=False)

    async def Cancel(self, request: Any, context: Context) -> Any:  # noqa: ARG002,N802
        """What runs is finished and saved; the engine starts nothing more."""
        return empty_pb2.Empty()

    async def Check(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Findings about the inputs."""

        async def answer() -> Any:
            news = self._read(request.news)
            failures = [
                pb.CheckFailure(property=problem.key, reason=self._scrubber.text(problem.reason))
                for problem in self._of(request).check({key: value for key, value in news.items() if value is not None})
            ]
            return pb.CheckResponse(inputs=request.news, failures=failures)

        return await self._guard(context, answer)

    async def Diff(self, request: Any, context: Context) -> Any:  # noqa: N802
        """The comparison of inputs and results; asks no host."""

        async def answer() -> Any:
            old_inputs, olds, news = (self._read(each) for each in (request.old_inputs, request.olds, request.news))
            change = self._of(request).diff(old_inputs, olds, news)
            # ignoreChanges has been applied to the inputs by the engine already.
            return pb.DiffResponse(
                changes=pb.DiffResponse.DIFF_SOME if change.keys else pb.DiffResponse.DIFF_NONE,
                diffs=change.keys,
                replaces=change.replaces,
                deleteBeforeReplace=change.delete_first,
                detailedDiff={path: _kind(path, change.replaces, old_inputs) for path in change.paths or change.keys},
                hasDetailedDiff=bool(change.keys),
            )

        return await self._guard(context, answer)

    async def Create(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Make it."""

        async def answer() -> Any:
            made = await self._of(request).create(self._read(request.properties), preview=request.preview)
            return pb.CreateResponse(id=made.id, properties=self._write(made.outputs))

        return await self._guard(context, answer)

    async def Update(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Change it."""

        async def answer() -> Any:
            old_inputs, olds, news = (self._read(each) for each in (request.old_inputs, request.olds, request.news))
            outputs = await self._of(request).update(old_inputs, olds, news, preview=request.preview)
            return pb.UpdateResponse(properties=self._write(outputs))

        return await self._guard(context, answer)

    async def Read(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Look at it."""

        async def answer() -> Any:
            outputs = await self._of(request).read(self._read(request.inputs), self._read(request.properties))
            return pb.ReadResponse(id=request.id, properties=self._write(outputs), inputs=request.inputs)

        return await self._guard(context, answer)

    async def Delete(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Remove it."""

        async def answer() -> Any:
            await self._of(request).delete(self._read(request.old_inputs), self._read(request.properties))
            return empty_pb2.Empty()

        return await self._guard(context, answer)

    def _of(self, request: Any) -> Resource:
        kind = request.type or request.urn.split("::")[2].rpartition("$")[2]
        try:
            return self._resources[kind]
        except KeyError:
            raise UserError(t("provider.unknown_type", type=kind, known=", ".join(self._resources))) from None

    def _read(self, struct: Any) -> dict[str, Any]:
        """A property map of a request; its secrets are known to the scrubber from now on."""
        values = from_struct(struct)
        self._scrubber.add(secret_texts(values))
        return {key: value for key, value in values.items() if value is not None}

    def _write(self, outputs: Mapping[str, Any]) -> Any:
        self._scrubber.add(secret_texts(dict(outputs)))
        return to_struct(outputs)

    async def _guard(self, context: Context, answer: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, or the error that a person or the engine can use; no traceback and no secret leaves."""
        try:
            return await answer()
        except PartialFailure as failure:
            detail = pb.ErrorResourceInitFailed(
                id=failure.identifier, properties=self._write(failure.outputs), reasons=[self._scrubber.text(failure.text)]
            )
            await self._abort(context, failure.text, [detail])
        except UserError as error:
            await self._abort(context, error.report(), [])
        except Exception as error:  # noqa: BLE001 - the boundary: everything else is a bug, kept with its traceback
            path = self._bug(error)
            await self._abort(context, t("provider.bug", error=f"{type(error).__name__}: {error}", path=path), [])

    async def _abort(self, context: Context, text: str, details: Iterable[Any]) -> None:
        text = self._scrubber.text(text)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        await context.abort(grpc.StatusCode.UNKNOWN, text, trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),))

    def _bug(self, error: BaseException) -> str:
        now = datetime.datetime.now(datetime.UTC)
        path = make_private(cache() / "bugs") / f"{now:%Y%m%dT%H%M%S}-provider.log"
        write_atomic(path, self._scrubber.text("".join(traceback.format_exception(error))))
        return str(path)


def _kind(path: str, replaces: Iterable[str], old_inputs: Mapping[str, Any]) -> Any:
    """How a changed property is shown: as an addition where there was none before."""
    top, _, rest = path.partition(".")
    before = old_inputs.get(top)
    added = before is None or (rest and isinstance(before, Mapping) and rest not in before)
    replaced = top in replaces
    kinds = pb.PropertyDiff
    choice = {
        (True, True): kinds.ADD_REPLACE,
        (True, False): kinds.ADD,
        (False, True): kinds.UPDATE_REPLACE,
        (False, False): kinds.UPDATE,
    }
    return pb.PropertyDiff(kind=choice[bool(added), replaced], inputDiff=top not in {"results", "notAfter"})
