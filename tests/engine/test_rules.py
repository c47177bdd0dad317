"""Rules of resource options: replacement, deletion, aliases, secrets, failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.box_case import Box, errors, ops

from yiwang.engine.planner import PlanError
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Goal
from yiwang.engine.values import UNKNOWN, is_secret

pytestmark = pytest.mark.system

URN = "urn:pulumi:dev::box::box:index:Box::"

REPLACED = """
host = Box("host", key=f"k{min(step, 2)}")
Box("hosted", opts=ResourceOptions(deleted_with=host))
Box("tied", opts=ResourceOptions(replace_with=[host]))
Box("retained", key=f"k{min(step, 2)}", opts=ResourceOptions(retain_on_delete=True))
Box("triggered", opts=ResourceOptions(replacement_trigger=[min(step, 2)]))
Box("on-changes", tags={"a": {"b": [1, min(step, 2)]}}, opts=ResourceOptions(replace_on_changes=["tags"]))
Box("ignored", text=f"t{step}", tags={"a": step, "b": [step]}, opts=ResourceOptions(ignore_changes=["text", "tags.a", "tags.b[0]"]))
Box("freed", key=f"k{min(step, 2)}", opts=ResourceOptions(protect=step == 1))
"""


def test_what_forces_a_replacement(tmp_path: Path) -> None:
    box = Box(tmp_path, program=REPLACED)
    assert box.run("up", 1).ok
    second = box.run("up", 2)
    assert second.ok, errors(second)
    replaced = ["freed", "host", "hosted", "on-changes", "retained", "tied", "triggered"]
    assert ops(second) == {"create-replacement": replaced, "replace": replaced, "delete-replaced": replaced}
    keys = {step.name: step.keys for step in second.steps if step.op == "replace"}
    assert (keys["hosted"], keys["tied"], keys["triggered"], keys["on-changes"]) == (("deletedWith",), ("replaceWith",), (), ("tags",))
    deleted = box.world()["deleted"]
    assert "retained:k1" not in deleted
    assert "hosted:" not in deleted, "it went with its host"
    assert {"host:k1", "freed:k1", "tied:"} <= set(deleted)
    assert box.states()["ignored"].inputs["text"] == "t1"
    assert (box.states()["triggered"].replacement_trigger, box.states()["freed"].protect) == ([2], False)
    assert box.run("up", 2).changes == {}
    assert box.run("up", 3).changes == {}, "changes that are ignored are none"


ALIASES = """
opts = ResourceOptions
if step == 1:
    own = pulumi.ProviderResource("box", "old-provider", {})
    a = Box("a", text="x", opts=opts(provider=own))
    shelf = pulumi.ComponentResource("box:index:Shelf", "shelf")
    b = Box("shelf-b", text=a.label, opts=opts(parent=shelf))
    Box("user", text=b.label, opts=opts(depends_on=[a], deleted_with=a))
else:
    own = pulumi.ProviderResource("box", "new-provider", {}, opts(aliases=[pulumi.Alias(name="old-provider")]))
    fail = "update" if step == 2 else None
    a = Box("a2", name="a", text="y", fail=fail, opts=opts(provider=own, aliases=[pulumi.Alias(name="a")]))
    shelf = pulumi.ComponentResource("box:index:Rack", "rack", None, opts(aliases=[pulumi.Alias(name="shelf", type_="box:index:Shelf")]))
    b = Box("rack-b", name="shelf-b", text=a.label, opts=opts(parent=shelf))
    Box("user", text=b.label, opts=opts(depends_on=[a], deleted_with=a))
"""


def test_aliases_of_providers_components_and_what_fails(tmp_path: Path) -> None:
    box = Box(tmp_path, program=ALIASES)
    assert box.run("up", 1).ok
    failed = box.run("up", 2)
    assert not failed.ok
    box.recorded()  # sound by the checkpoint's rules, though one is renamed and another is not
    assert {"a", "user", "shelf-b"} <= set(box.states())
    done = box.run("up", 3)
    assert (done.ok, ops(done)) == (True, {"update": ["a2"]}), errors(done)
    states = box.states()
    assert sorted(states) == ["a2", "rack", "rack-b", "user"]
    assert states["rack-b"].urn == "urn:pulumi:dev::box::box:index:Rack$box:index:Box::rack-b"
    assert states["user"].deleted_with == states["a2"].urn
    assert states["a2"].provider.startswith("urn:pulumi:dev::box::pulumi:providers:box::new-provider::")
    assert box.run("up", 3).changes == {}
    assert set(box.world()["created"].values()) == {1}
    assert box.world()["deleted"] == {}


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (
            'one = Box("a")\nBox("b", opts=ResourceOptions(aliases=[pulumi.Alias(name="a")], depends_on=[one]))',
            f"Duplicate resource alias '{URN}a' applied to resource with URN '{URN}b' conflicting with resource with URN '{URN}b'",
        ),
        (
            'one = Box("b", opts=ResourceOptions(aliases=[pulumi.Alias(name="a")]))\nBox("a", opts=ResourceOptions(depends_on=[one]))',
            f"Duplicate resource URN '{URN}a' conflicting with alias on resource with URN '{URN}b'",
        ),
    ],
)
def test_names_that_are_taken(program: str, text: str, tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("a")')
    assert box.run("up", 1).ok
    box.write(program)
    result = box.run("preview", 2)
    assert not result.ok
    assert any(text in message for message in errors(result)), errors(result)


def test_a_parent_that_was_not_registered() -> None:
    registry = object.__new__(Registry)
    registry._claimed = set()
    with pytest.raises(PlanError, match="could not find parent resource urn:x"):
        registry.claim("urn:y", Goal(type="t:i:T", name="n", custom=True, parent="urn:x"))


SECRETS = """
hidden = pulumi.Output.secret("pw") if step == 2 else "pw"
Box("a", secret=hidden, plain="x", tags={"deep": [hidden, 1]})
Box("b", text="t", opts=ResourceOptions(additional_secret_outputs=["label"] if step == 2 else []))
"""


def test_what_becomes_secret(tmp_path: Path) -> None:
    box = Box(tmp_path, program=SECRETS)
    assert box.run("up", 1).ok
    assert '"pw"' in box.store.path.read_text()
    assert box.run("up", 2).ok
    states = box.states()
    assert is_secret(states["a"].inputs["secret"])
    assert is_secret(states["a"].outputs["secret"]), "an output that repeats a secret input is one"
    assert is_secret(states["b"].outputs["label"]), "also where nothing else changes"
    assert '"pw"' not in box.store.path.read_text()
    assert box.run("up", 2).changes == {}


FAILING = """
shelf = pulumi.ComponentResource("box:index:Shelf", "shelf")
inside = ResourceOptions(parent=shelf)
bad = Box("bad", fail="create" if step == 1 else None, opts=inside)
Box("on-bad", text=bad.label, opts=inside)
Box("fine", text="f")
shelf.register_outputs({"label": bad.label})
if step < 3:
    one = Box("one", fail="delete", text="1")
    Box("on-one", text=one.label)
    Box("alone", text="2")
pulumi.export("bad", bad.label)
"""


def test_going_on_after_failures(tmp_path: Path) -> None:
    box = Box(tmp_path, program=FAILING)
    failed = box.run("up", 1, continue_on_error=True)
    assert not failed.ok
    assert sorted(box.states()) == ["alone", "fine", "on-one", "one", "shelf"]
    assert box.run("up", 2).ok
    gone = box.run("up", 3, continue_on_error=True)
    assert not gone.ok
    assert sorted(set(box.states()) & {"one", "on-one", "alone"}) == ["one"], "what could not be deleted stays, nothing else"


CHAIN = """
first = ResourceOptions(delete_before_replace=True)
a = Box("a", key=f"k{min(step, 2)}", opts=first)
provider = pulumi.ProviderResource("box", "made", {"key": a.label})
Box("made-by-it", opts=ResourceOptions(provider=provider))
Box("b", key=a.label)
Box("tied", opts=ResourceOptions(replace_with=[a]))
if step == 1:
    Box("c", key=a.label)
"""


def test_delete_before_replace_takes_along_what_is_tied_and_what_its_providers_made(tmp_path: Path) -> None:
    box = Box(tmp_path, program=CHAIN)
    assert box.run("up", 1).ok
    second = box.run("up", 2)
    assert second.ok, errors(second)
    found = ops(second)
    assert found["delete-replaced"] == ["a", "b", "c", "tied"], "the box provider updates its configuration in place"
    assert found["create-replacement"] == ["a", "b", "tied"]
    assert found["remove-pending-replace"] == ["c"], "deleted with the rest, and not made again"
    order = [step.name for step in second.steps if step.op == "delete-replaced"]
    assert order[-1] == "a"
    assert [step.keys for step in second.steps if step.op == "create-replacement" and step.name == "b"] == [("key",)]
    assert sorted(box.states()) == ["a", "b", "made-by-it", "tied"]
    assert box.run("up", 2).changes == {}


UNKNOWN_CONFIG = """
a = Box("a", key=f"k{step}")
own = pulumi.ProviderResource("box", "own", {"where": a.label})
b = Box("b", text="x", opts=ResourceOptions(provider=own))
pulumi.export("text", b.text)
pulumi.export("got", pulumi.runtime.invoke_output("box:index:get", {}, pulumi.InvokeOptions(provider=own)))
"""


def test_a_provider_whose_configuration_is_not_known_yet(tmp_path: Path) -> None:
    box = Box(tmp_path, program=UNKNOWN_CONFIG)
    first = box.run("preview", 1)
    assert first.ok, errors(first)
    assert (ops(first), first.outputs["text"], first.outputs["got"]) == ({"create": ["a", "b"]}, UNKNOWN, {})
    made = box.run("up", 1)
    assert (made.ok, made.outputs["got"]) == (True, {"where": "a/k1", "preview": False})
    planned = box.run("preview", 2)
    assert ops(planned)["update"] == ["b"], "for all that can be known"
    warnings = [entry for entry in planned.diagnostics if entry.severity == "warning"]
    assert [(entry.urn, entry.message.startswith("The provider for this resource has inputs")) for entry in warnings] == [(f"{URN}b", True)]
    done = box.run("up", 2)
    assert "update" not in ops(done)
    assert done.outputs["got"]["where"] == "a/k2"
