"""Boxes of the test provider; what there is depends on STEP (see tests/engine/test_kill.py)."""

import os
from typing import Any

import pulumi

step = int(os.environ.get("STEP", "1"))


class Box(pulumi.CustomResource):
    text: pulumi.Output[str]
    label: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **props: Any) -> None:
        super().__init__("box:index:Box", name, {"name": name, "text": None, "label": None, **props}, opts)


class Shelf(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("box:index:Shelf", name)
        inside = pulumi.ResourceOptions(parent=self)
        self.low = Box(f"{name}-low", opts=inside, text="low")
        self.high = Box(f"{name}-high", opts=inside, text=self.low.label)
        self.register_outputs({"label": self.high.label})


if step == 9:
    pulumi.CustomResource("other:index:Thing", "before-anything", {})

secret = pulumi.Output.secret("hidden-in-a-box")
first = Box("first", text=f"first-{min(step, 2)}", secret=secret)
shelf = Shelf("shelf")
replaced = Box("replaced", key=f"k{min(step, 2)}", text="r")
Box("on-replaced", text=replaced.label)
moved = Box("moved", key=f"k{min(step, 2)}", opts=pulumi.ResourceOptions(delete_before_replace=True))
Box("on-moved", key=moved.label)
if step == 1:
    gone = Box("gone", text="g")
    Box("on-gone", text=gone.label)
else:
    fresh = Box("fresh", text=first.label)
    Box("on-fresh", text=fresh.label, opts=pulumi.ResourceOptions(parent=shelf))
pulumi.export("label", shelf.high.label)
pulumi.export("secret", first.label)
pulumi.export("hidden", secret)
