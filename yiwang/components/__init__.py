"""The nouns of the platform as Pulumi components; the programs in ``stacks/`` are made of these."""

from yiwang.components.authority import Authority, Issuer
from yiwang.components.base import Base
from yiwang.components.context import Context, current
from yiwang.components.external import ExternalStorage
from yiwang.components.storage import Storage

__all__ = ["Authority", "Base", "Context", "ExternalStorage", "Issuer", "Storage", "current"]
