"""Transforms: functions of the program that change registrations and invokes before they are looked at.

They run in the program, which serves them on a socket of its own (see ``runner``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import alias_pb2, callback_pb2, callback_pb2_grpc
from pulumi.runtime.proto import resource_pb2 as pb

from yiwang.engine.client import CHANNEL_OPTIONS, ProviderError
from yiwang.messages import t

# Option of a transform -> field of a registration, where they are of one kind.
_LISTS = {
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "aliases": "aliases",
    "additional_secret_outputs": "additionalSecretOutputs",
    "hide_diff": "hideDiffs",
    "replace_with": "replace_with",
}
_TEXTS = {
    "version": "version",
    "provider": "provider",
    "plugin_download_url": "pluginDownloadURL",
    "deleted_with": "deletedWith",
    "import": "importId",
}
_MAYBE = {"protect": "protect", "retain_on_delete": "retainOnDelete"}


class Transforms:
    """The transforms of one run. ``directory``: where the program's sockets have to be."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._channels: dict[str, Any] = {}
        self._of: dict[str, list[Any]] = {}
        self._parents: dict[str, str] = {}
        self.stack: list[Any] = []
        self.invokes: list[Any] = []

    async def close(self) -> None:
        """Let go of the program's sockets."""
        for channel in self._channels.values():
            await channel.close()

    def registered(self, urn: str, request: Any) -> None:
        """Children of ``urn`` are changed by its transforms too."""
        self._of[urn], self._parents[urn] = list(request.transforms), request.parent

    async def registration(self, request: Any) -> Any:
        """A registration as the transforms want it: its own first, then its parents', then the stack's. Raises ProviderError."""
        callbacks, parent = list(request.transforms), request.parent
        while parent:
            callbacks += self._of.get(parent, [])
            parent = self._parents.get(parent, "")
        callbacks += self.stack
        if not callbacks:
            return request
        properties, options = request.object, _options(request)
        for callback in callbacks:
            question = pb.TransformRequest(
                type=request.type, name=request.name, custom=request.custom, parent=request.parent, properties=properties, options=options
            )
            answer = pb.TransformResponse.FromString(await self._ask(callback, question))
            properties = answer.properties if answer.HasField("properties") else properties
            options = answer.options if answer.HasField("options") else options
        return _changed(request, properties, options)

    async def invoke(self, request: Any) -> Any:
        """An invoke as the stack's transforms want it. Raises ProviderError."""
        if not self.invokes:
            return request
        changed = pb.ResourceInvokeRequest()
        changed.CopyFrom(request)
        options = pb.TransformInvokeOptions(
            provider=request.provider, version=request.version, plugin_download_url=request.pluginDownloadURL
        )
        for callback in self.invokes:
            question = pb.TransformInvokeRequest(token=request.tok, args=changed.args, options=options)
            answer = pb.TransformInvokeResponse.FromString(await self._ask(callback, question))
            changed.args.CopyFrom(answer.args)
            options = answer.options if answer.HasField("options") else options
        changed.provider, changed.version, changed.pluginDownloadURL = options.provider, options.version, options.plugin_download_url
        return changed

    async def _ask(self, callback: Any, question: Any) -> bytes:
        stub: Any = callback_pb2_grpc.CallbacksStub(self._channel(callback.target))
        request = callback_pb2.CallbackInvokeRequest(token=callback.token, request=question.SerializeToString())
        try:
            answer = await stub.Invoke(request)
        except grpc.aio.AioRpcError as error:
            raise ProviderError(t("engine.transform_failed", error=error.details() or error.code().name)) from None
        return bytes(answer.response)

    def _channel(self, target: str) -> Any:
        socket = Path(target.partition(":")[2])
        if socket.parent != self._directory:
            raise ProviderError(t("engine.foreign_callback", target=target))
        if target not in self._channels:
            self._channels[target] = grpc.aio.insecure_channel(f"unix:{socket}", options=CHANNEL_OPTIONS)
        return self._channels[target]


def _options(request: Any) -> Any:
    options = pb.TransformResourceOptions(
        depends_on=request.dependencies,
        custom_timeouts=request.customTimeouts if request.HasField("customTimeouts") else None,
        providers=request.providers,
        **{name: getattr(request, field) for name, field in {**_LISTS, **_TEXTS}.items() if name != "aliases"},
        **{name: getattr(request, field) for name, field in _MAYBE.items() if request.HasField(field)},
    )
    options.aliases.extend([*(alias_pb2.Alias(urn=urn) for urn in request.aliasURNs), *request.aliases])
    if request.deleteBeforeReplaceDefined or request.deleteBeforeReplace:
        options.delete_before_replace = request.deleteBeforeReplace
    if request.HasField("replacement_trigger"):
        options.replacement_trigger.CopyFrom(request.replacement_trigger)
    return options


def _changed(request: Any, properties: Any, options: Any) -> Any:
    """The registration with what the transforms made of its properties and options."""
    changed: Any = pb.RegisterResourceRequest()
    changed.CopyFrom(request)
    changed.object.CopyFrom(properties)
    for name, field in _LISTS.items():
        changed.ClearField(field)
        getattr(changed, field).extend(getattr(options, name))
    changed.ClearField("aliasURNs")
    for name, field in _TEXTS.items():
        setattr(changed, field, getattr(options, name))
    for name, field in _MAYBE.items():
        changed.ClearField(field)
        if options.HasField(name):
            setattr(changed, field, getattr(options, name))
    changed.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    changed.deleteBeforeReplace = options.delete_before_replace
    for name, field in (("custom_timeouts", "customTimeouts"), ("replacement_trigger", "replacement_trigger")):
        changed.ClearField(field)
        if options.HasField(name):
            getattr(changed, field).CopyFrom(getattr(options, name))
    changed.ClearField("hooks")
    if options.HasField("hooks"):
        changed.hooks.CopyFrom(options.hooks)
    # What the remaining properties come from stays as it was.
    kept = {key: list(entry.urns) for key, entry in request.propertyDependencies.items() if key in properties.fields}
    changed.ClearField("propertyDependencies")
    for key in properties.fields:
        changed.propertyDependencies[key].urns.extend(kept.get(key, []))
    changed.ClearField("dependencies")
    changed.dependencies.extend(sorted({*options.depends_on, *(urn for urns in kept.values() for urn in urns)}))
    return changed
