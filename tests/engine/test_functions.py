"""Functions and methods of providers, and transforms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine.box_case import Box, errors, ops

from yiwang.errors import UserError

pytestmark = pytest.mark.system

INVOKES = """
own = pulumi.ProviderResource("box", "own", {"where": "here"})
got = pulumi.runtime.invoke("box:index:get", {"x": 1}).value
pulumi.export("plain", got)
opts = pulumi.InvokeOptions(provider=own)
pulumi.export("own", pulumi.runtime.invoke_output("box:index:get", {"x": 2}, opts)["where"])
versioned = pulumi.InvokeOptions(version="2.0.0")
pulumi.export("versioned", pulumi.runtime.invoke("box:index:get", {}, versioned).value["preview"])
a = Box("a", text="x", opts=ResourceOptions(provider=own))
pulumi.export("late", pulumi.runtime.invoke_output("box:index:get", {"x": a.id})["x"])
pulumi.export("secret", pulumi.runtime.invoke_output("box:index:get", {"x": pulumi.Output.secret("hidden")})["x"])
pulumi.export("method", pulumi.runtime.call("box:index:Box/tell", {"__self__": a, "text": "t"}, a)["label"])
pulumi.export("reference", a)
"""


def test_functions_and_methods_of_providers(tmp_path: Path) -> None:
    box = Box(tmp_path, program=INVOKES)
    planned = box.run("preview", 1)
    assert planned.ok, errors(planned)
    shown = planned.outputs
    assert shown["plain"] == {"x": 1, "preview": True, "where": ""}
    assert (shown["own"], shown["versioned"]) == ("here", True)
    assert "hidden" not in json.dumps(box.run("preview", 1).plan)
    made = box.run("up", 1)
    assert made.ok, errors(made)
    assert made.outputs["plain"]["preview"] is False
    assert made.outputs["late"] == "a:"
    assert made.outputs["secret"]["value"] == "hidden"
    assert made.outputs["method"] == "a: t box/dev here"
    assert made.outputs["reference"]["urn"].endswith("::a")
    providers = {urn.rpartition("::")[2] for urn in box.recorded() if "pulumi:providers:box" in urn}
    assert providers == {"own", "default", "default_2_0_0"}, "default providers are there from their first use on"
    assert box.run("up", 1).changes == {}


def test_failing_functions(tmp_path: Path) -> None:
    box = Box(tmp_path)
    for program, text in (
        (
            'pulumi.runtime.invoke("box:index:get", {"fail": "abort"})',
            "invocation of box:index:get returned an error: told to fail in invoke",
        ),
        ('pulumi.runtime.invoke("box:index:get", {"fail": "yes"})', "invoke of box:index:get failed: not like this (fail)"),
        ('pulumi.runtime.invoke("pulumi:pulumi:getResource", {"urn": "urn:x"})', "unknown resource 'urn:x'"),
        ('pulumi.runtime.invoke("pulumi:pulumi:other", {})', "function pulumi:pulumi:other is not available"),
    ):
        box.write(program)
        result = box.run("preview", 1)
        assert not result.ok
        assert any(text in message for message in errors(result)), (program, errors(result))


def test_a_function_of_a_package_that_is_not_available(tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("before")\npulumi.runtime.invoke("aws:s3:get", {})')
    with pytest.raises(UserError, match="provider aws is not available"):
        box.run("up", 1)
    assert box.world()["calls"] == [], "found out before anything is made"


TRANSFORMS = """
def everywhere(args):
    if args.type_ == "box:index:Box" and args.name != "as-it-is":
        return pulumi.ResourceTransformResult({**args.props, "text": f"{args.props['text']}!"}, args.opts)


async def own(args):
    if not args.custom:
        return pulumi.ResourceTransformResult({"shelf": args.name}, args.opts)
    return pulumi.ResourceTransformResult({**args.props, "text": f"{args.props['text']}?", "key": "k"}, args.opts)


def protecting(args):
    return pulumi.ResourceTransformResult(args.props, ResourceOptions.merge(args.opts, ResourceOptions(protect=True)))


def asking(args):
    return pulumi.InvokeTransformResult({**args.args, "more": 1}, args.opts)


def older(args):
    return pulumi.ResourceTransformationResult({**args.props, "old": 1}, args.opts) if args.name == "plain" else None


pulumi.runtime.register_stack_transformation(older)
pulumi.runtime.register_resource_transform(everywhere)
pulumi.runtime.register_invoke_transform(asking)
first = Box("as-it-is", text="x")
Box("plain", text="p", opts=ResourceOptions(depends_on=[first]))
shelf = pulumi.ComponentResource("box:index:Shelf", "shelf", None, ResourceOptions(transforms=[own]))
Box("inside", text=first.label, secret=pulumi.Output.secret("s"), opts=ResourceOptions(parent=shelf, transforms=[protecting]))
pulumi.export("asked", pulumi.runtime.invoke("box:index:get", {}).value["more"])
"""


def test_transforms(tmp_path: Path) -> None:
    box = Box(tmp_path, program=TRANSFORMS)
    planned = box.run("preview", 1)
    assert planned.ok, errors(planned)
    made = box.run("up", 1)
    assert made.ok, errors(made)
    assert made.outputs["asked"] == 1
    states = box.states()
    assert {name: state.inputs.get("text") for name, state in states.items()} == {
        "as-it-is": "x",
        "plain": "p!",
        "shelf": None,
        "inside": "as-it-is/?!",
    }
    assert (states["plain"].inputs["old"], states["plain"].dependencies) == (1, [states["as-it-is"].urn])
    inside = states["inside"]
    assert (inside.protect, inside.inputs["key"], inside.inputs["secret"]["value"]) == (True, "k", "s")
    assert inside.property_dependencies["text"] == [states["as-it-is"].urn]
    assert states["shelf"].inputs == {"shelf": "shelf"}
    assert box.run("up", 1).changes == {}
    assert ops(box.run("up", 1)) == {}


def test_a_failing_transform_ends_the_program(tmp_path: Path) -> None:
    program = """
def wrong(args):
    raise ValueError("no such box")


Box("a", opts=ResourceOptions(transforms=[wrong]))
"""
    box = Box(tmp_path, program=program)
    result = box.run("preview", 1)
    assert not result.ok
    assert any("no such box" in text for text in errors(result)), errors(result)
