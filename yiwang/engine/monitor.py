"""The resource monitor: the service a program registers its resources with. Translates; decides nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import resource_pb2 as pb
from pulumi.runtime.proto import resource_pb2_grpc

from yiwang.engine import assets
from yiwang.engine import urn as urns
from yiwang.engine.client import ProviderError
from yiwang.engine.context import Context, HaltedError
from yiwang.engine.executor import Executor
from yiwang.engine.functions import Functions
from yiwang.engine.resource import Goal
from yiwang.engine.store import ORGANIZATION
from yiwang.engine.transforms import Transforms
from yiwang.engine.values import UNKNOWN, normalise, parse_path
from yiwang.engine.wire import NumberError, from_struct, from_value, to_struct
from yiwang.messages import t

_FEATURES = (
    pb.RESOURCE_MONITOR_FEATURE_SECRETS,
    pb.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    pb.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    pb.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    pb.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    pb.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    pb.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    pb.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    # Not there, but refused by name; without these the SDK tells people to update a CLI that is not there.
    pb.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    pb.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
    pb.RESOURCE_MONITOR_FEATURE_STATE_MIGRATIONS,
)
_FEATURE_WORDS = (  # the same, as older SDKs ask for them
    "secrets",
    "resourceReferences",
    "aliasSpecs",
    "deletedWith",
    "replaceWith",
    "replacementTrigger",
    "transforms",
    "invokeTransforms",
)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+|0|")


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """One program's monitor. What it cannot do it refuses by name."""

    def __init__(self, context: Context, executor: Executor, transforms: Transforms) -> None:
        self._context = context
        self._executor = executor
        self._transforms = transforms
        self._functions = Functions(context, executor)

    async def GetDeploymentInfo(self, request: Any, call: Any) -> Any:  # noqa: N802 - the protocol's name
        """What the program is part of, and what this monitor can do."""
        del request, call
        context = self._context
        return pb.DeploymentInfo(
            project=context.project.name,
            stack=context.stack.name,
            organization=ORGANIZATION,
            config=context.config.values,
            configSecretKeys=sorted(context.config.secret_keys),
            dryRun=context.dry,
            parallel=context.options.parallel,
            supportedFeatures=_FEATURES,
        )

    async def SupportsFeature(self, request: Any, call: Any) -> Any:  # noqa: N802
        """The same for SDKs that ask one by one."""
        del call
        return pb.SupportsFeatureResponse(hasSupport=request.id in _FEATURE_WORDS)

    async def RegisterResource(self, request: Any, call: Any) -> Any:  # noqa: N802
        """One resource of the program."""
        try:
            request = await self._transforms.registration(request)
        except ProviderError as error:
            await call.abort(grpc.StatusCode.UNKNOWN, str(error))
        await self._refuse(request, call)
        try:
            goal = goal_of(request, str(self._context.project.directory), self._context.project.main.parent)
        except ValueError as error:
            self._context.reporter.error(f"{request.type} {request.name}: {error}")
            await _shut_down(call)
        try:
            done = await self._executor.register(goal)
        except HaltedError:
            await _shut_down(call)
        if done.resource is None:
            if not self._goes_on(reports=request.supportsResultReporting):
                await _shut_down(call)
            return pb.RegisterResourceResponse(urn=done.urn, result=pb.FAIL)
        resource = done.resource
        self._transforms.registered(resource.urn, request)
        id_ = "" if resource.id == UNKNOWN and not resource.is_provider else resource.id
        unknown = resource.urn in self._executor.registry.skipped
        # A component's outputs come from the program; those of an earlier run may refer to what is not registered yet.
        outputs = to_struct(resource.outputs) if resource.custom else None
        return pb.RegisterResourceResponse(urn=resource.urn, id=id_, object=outputs, unknown=unknown)

    def _goes_on(self, *, reports: bool = True) -> bool:
        """Whether a failed registration is answered, so that the program goes on with unknown outputs."""
        return self._context.options.continue_on_error and reports and not self._context.halted

    async def _refuse(self, request: Any, call: Any) -> None:
        asked = {
            "remote": request.remote,
            "hooks": request.hooks.ByteSize() > 0,
            "migrations": bool(request.state_migrations),
            "parameterized": bool(request.packageRef),
            "mappings": bool(request.envVarMappings),
        }
        for what, is_asked in asked.items():
            if is_asked:
                urn = urns.make(self._context.stack.name, self._context.project.name, request.parent, request.type, request.name)
                self._context.reporter.error(t("engine.unavailable", what=t(f"engine.what_{what}")), urn)
                await _shut_down(call)

    async def RegisterResourceOutputs(self, request: Any, call: Any) -> Any:  # noqa: N802
        """The outputs of a component, or of the stack."""
        try:
            await self._executor.set_outputs(request.urn, normalise(from_struct(request.outputs)))
        except NumberError as error:
            self._context.reporter.error(str(error), request.urn)
            await _shut_down(call)
        except HaltedError:
            await _shut_down(call)
        return empty_pb2.Empty()

    async def ReadResource(self, request: Any, call: Any) -> Any:  # noqa: N802
        """An object that exists and is not managed here."""
        await self._refuse_package(request, call)
        try:
            inputs = normalise(from_struct(request.properties))
        except NumberError as error:
            self._context.reporter.error(f"{request.type} {request.name}: {error}")
            await _shut_down(call)
        goal = Goal(
            type=request.type,
            name=request.name,
            custom=True,
            parent=request.parent,
            inputs=inputs,
            provider=request.provider,
            version=request.version,
            plugin_url=request.pluginDownloadURL,
            dependencies=tuple(sorted(request.dependencies)),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            source_position=_position(request, str(self._context.project.directory)),
        )
        try:
            done = await self._executor.read(goal, request.id)
        except HaltedError:
            await _shut_down(call)
        if done.resource is None:
            if not self._goes_on():
                await _shut_down(call)
            return pb.ReadResourceResponse(urn=done.urn, result=pb.FAIL)
        return pb.ReadResourceResponse(urn=done.urn, id=done.resource.id, properties=to_struct(done.resource.outputs))

    async def Invoke(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Functions of providers."""
        await self._refuse_package(request, call)
        return await self._answered(self._invoke(request), call)

    async def Call(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Methods of resources."""
        await self._refuse_package(request, call)
        return await self._answered(self._functions.call(request, self._context.providers.engine_address), call)

    async def _invoke(self, request: Any) -> Any:
        return await self._functions.invoke(await self._transforms.invoke(request))

    async def _answered(self, answer: Awaitable[Any], call: Any) -> Any:
        try:
            return await answer
        except (ProviderError, NumberError) as error:
            await call.abort(grpc.StatusCode.UNKNOWN, str(error))
        except HaltedError:
            await _shut_down(call)

    async def RegisterPackage(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Packages made of others by parameters."""
        await self._unavailable(t("engine.what_package", name=request.name), call)

    async def RegisterStackTransform(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Functions that change every registration."""
        del call
        self._transforms.stack.append(request)
        return empty_pb2.Empty()

    async def RegisterStackInvokeTransform(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Functions that change every invoke."""
        del call
        self._transforms.invokes.append(request)
        return empty_pb2.Empty()

    async def RegisterResourceHook(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Functions that run beside steps."""
        del request
        await self._unavailable(t("engine.what_hooks"), call)

    async def RegisterErrorHook(self, request: Any, call: Any) -> Any:  # noqa: N802
        """Functions that run when a step fails."""
        del request
        await self._unavailable(t("engine.what_hooks"), call)

    async def SignalAndWaitForShutdown(self, request: Any, call: Any) -> Any:  # noqa: N802
        """The program is through: it may end."""
        del request, call
        return empty_pb2.Empty()

    async def _refuse_package(self, request: Any, call: Any) -> None:
        if request.packageRef:
            await self._unavailable(t("engine.what_parameterized"), call)

    async def _unavailable(self, what: str, call: Any) -> NoReturn:
        self._context.reporter.error(t("engine.unavailable", what=what))
        await _shut_down(call)


async def _shut_down(call: Any) -> NoReturn:
    """Tell the program, in the words the SDK knows, that nothing more is taken."""
    await call.abort(grpc.StatusCode.UNAVAILABLE, "resource monitor shut down")
    raise AssertionError


def goal_of(request: Any, directory: str, working_directory: Path) -> Goal:
    """A registration as the engine's own value. Raises ValueError for what cannot be read, or is not supported."""
    inputs = {key: value for key, value in normalise(from_struct(request.object)).items() if value is not None}
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=assets.hashed(inputs, working_directory) if assets.hold_assets(inputs) else inputs,
        provider=request.provider,
        version=request.version,
        plugin_url=request.pluginDownloadURL,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies=_by_property(request),
        protect=request.protect if request.HasField("protect") else None,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        custom_timeouts=_timeouts(request.customTimeouts),
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        replace_with=tuple(request.replace_with),
        aliases=tuple(_alias(entry) for entry in request.aliases) + tuple(urns.Alias(urn=urn) for urn in request.aliasURNs),
        import_id=request.importId,
        replacement_trigger=normalise(from_value(request.replacement_trigger)) if request.HasField("replacement_trigger") else None,
        hide_diffs=tuple(parse_path(path) for path in request.hideDiffs),
        source_position=_position(request, directory),
    )


def _by_property(request: Any) -> dict[str, list[str]]:
    """What each input comes from. An SDK that does not say so means that each comes from all dependencies."""
    if request.propertyDependencies:
        return {key: sorted(entry.urns) for key, entry in request.propertyDependencies.items()}
    return {key: sorted(request.dependencies) for key in request.object.fields} if request.dependencies else {}


def _alias(entry: Any) -> urns.Alias:
    if entry.urn:
        return urns.Alias(urn=entry.urn)
    spec = entry.spec
    return urns.Alias(
        name=spec.name, type=spec.type, stack=spec.stack, project=spec.project, parent=spec.parentUrn, no_parent=spec.noParent
    )


def _timeouts(message: Any) -> dict[str, float]:
    found = {name: seconds(getattr(message, name)) for name in ("create", "update", "delete", "read") if getattr(message, name)}
    return {name: int(value) if value == int(value) else value for name, value in found.items()}


def seconds(duration: str) -> float:
    """A duration as Go writes it (``1h2m3.5s``) in seconds. Raises ValueError for anything else."""
    if not _DURATION.fullmatch(duration):
        raise ValueError(t("engine.no_duration", value=duration))
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))


def _position(request: Any, directory: str) -> str:
    position = request.sourcePosition
    if not position.uri:
        return ""
    uri = position.uri.replace(f"file://{directory}/", "project:///")
    return f"{uri}#{position.line},{position.column}" if position.column else f"{uri}#{position.line}"
