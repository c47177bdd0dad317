"""What runs the stacks: the embedded engine, or the Pulumi CLI. Both are an ``Engine``; everything above knows no other."""

from __future__ import annotations

from yiwang.deployment.engines.interface import Engine, choose
from yiwang.deployment.engines.stacks import environment, full_name, stack_of

__all__ = ["Engine", "choose", "environment", "full_name", "stack_of"]
