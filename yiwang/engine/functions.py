"""Functions of providers (invokes) and methods of resources (calls), for a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2, resource_pb2

from yiwang.engine import urn as urns
from yiwang.engine.client import Provider, ProviderError
from yiwang.engine.context import Context
from yiwang.engine.executor import Executor
from yiwang.engine.resource import Goal
from yiwang.engine.store import ORGANIZATION
from yiwang.engine.values import Properties, for_provider, normalise, without_unknown
from yiwang.engine.wire import from_struct, to_struct
from yiwang.messages import t

_GET_RESOURCE = "pulumi:pulumi:getResource"


class Functions:
    """The functions and methods one program asks for. ``address``: where the program's monitor is."""

    def __init__(self, context: Context, executor: Executor) -> None:
        self._context = context
        self._executor = executor

    async def invoke(self, request: Any) -> Any:
        """The answer to an invoke. Raises ProviderError, HaltedError."""
        provider = await self._provider(request.tok, request.provider, request.version, request.pluginDownloadURL)
        args = without_unknown(normalise(from_struct(request.args)))
        if request.tok == _GET_RESOURCE:
            return resource_pb2.ResourceInvokeResponse(**{"return": to_struct(self._resource(args))})
        try:
            answer, failures = await self._executor.ask(provider.invoke(request.tok, args, preview=self._context.dry))
        except ProviderError as error:
            raise ProviderError(t("engine.invoke_failed", token=request.tok, error=error)) from error
        if not request.acceptResources:
            answer = for_provider(answer, secrets=True, resources=False)
        listed = [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures]
        return resource_pb2.ResourceInvokeResponse(**{"return": to_struct(answer)}, failures=listed)

    async def call(self, request: Any, address: str) -> Any:
        """The answer to a call of a method. Raises ProviderError, HaltedError."""
        args = normalise(from_struct(request.args))
        provider = await self._provider(request.tok, self._receiver(request, args), request.version, request.pluginDownloadURL)
        context = self._context
        question = provider_pb2.CallRequest(
            tok=request.tok,
            args=to_struct(args),
            argDependencies={
                key: provider_pb2.CallRequest.ArgumentDependencies(urns=entry.urns) for key, entry in request.argDependencies.items()
            },
            project=context.project.name,
            stack=context.stack.name,
            organization=ORGANIZATION,
            config=context.config.values,
            configSecretKeys=sorted(context.config.secret_keys),
            dryRun=context.dry,
            parallel=context.options.parallel,
            monitorEndpoint=address,
        )
        try:
            # Not in one of the run's slots: a method may register resources and wait for them.
            return await provider.call(question)
        except ProviderError as error:
            raise ProviderError(t("engine.call_failed", token=request.tok, error=error)) from error

    async def _provider(self, token: str, reference: str, version: str, url: str) -> Provider:
        goal = Goal(type=token, name="", custom=True, provider=reference, version=version, plugin_url=url)
        return await self._executor.provider(goal)

    def _receiver(self, request: Any, args: Properties) -> str:
        """The provider of a method: as the program says, or that of the resource; a provider's own methods are its."""
        receiver = args.get("__self__")
        urn = receiver.get("urn", "") if isinstance(receiver, Mapping) else ""
        if urns.is_provider(request.tok):
            if not urn:
                raise ProviderError(t("engine.no_receiver", token=request.tok))
            return self._executor.registry.new[urn].reference() if urn in self._executor.registry.new else urn
        registered = self._executor.registry.new.get(urn)
        return str(request.provider) or (registered.provider if registered is not None else "")

    def _resource(self, args: Properties) -> Properties:
        """What is known of a resource of this run, by its URN."""
        urn = args.get("urn")
        found = self._executor.registry.new.get(str(urn))
        if found is None:
            raise ProviderError(t("engine.invoke_failed", token=_GET_RESOURCE, error=t("engine.unknown_resource", urn=urn)))
        return {"urn": found.urn, "id": found.id, "state": found.outputs}
