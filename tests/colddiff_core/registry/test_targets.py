"""What the source of a module tells about a component."""

import sys
from pathlib import Path

import pytest

from colddiff_core.registry.components import registry
from colddiff_core.registry.targets import fault_of

MODULE = """
import torch
import torch.nn as nn
import colddiff_core
import colddiff_core.contracts.degradation as deg
from colddiff_core import Degradation, Sampler as S
from colddiff_core.contracts.degradation import Degradation as Base
from seen_elsewhere import Thing
from . import near
from .near import Near, Far

class Direct(Degradation): ...
class Renamed(Base): ...
class Dotted(colddiff_core.Degradation): ...
class Aliased(deg.Degradation): ...
class Relative(Near): ...
class RelativeDotted(near.Near): ...
class Mixed(dict, Near): ...
class Unseen(Thing): ...
class Computed(print()): ...
Assigned = make_it()
try:
    class Tried(Degradation): ...
except ImportError:
    Tried = None

class Bare: ...
class Network(nn.Module): ...
class Other(S): ...
class Wrong(Far): ...
def function(): ...
"""
NEAR = "from colddiff_core import Degradation\nclass Near(Degradation): ...\nclass Far(dict): ...\n"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "looked_at"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('this was imported')")
    (folder / "module.py").write_text(MODULE)
    (folder / "near.py").write_text(NEAR)
    (folder / "broken.py").write_text("def (")
    (folder / "lazy.py").write_text("def __getattr__(name): ...")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        *("Direct", "Renamed", "Dotted", "Aliased", "Relative", "RelativeDotted", "Mixed"),
        *("Unseen", "Computed", "Assigned", "Tried"),
    ],
)
def test_what_is_or_may_be_a_degradation(name: str) -> None:
    assert fault_of(f"looked_at.module:{name}", "degradation") is None


@pytest.mark.parametrize("name", ["Bare", "Network", "Other", "Wrong", "function"])
def test_what_cannot_be_one(name: str) -> None:
    fault = fault_of(f"looked_at.module:{name}", "degradation")
    assert fault is not None
    assert "is not a Degradation; derive it from colddiff_core.Degradation" in fault


def test_what_is_not_there() -> None:
    assert fault_of("looked_at.module:No", "sampler") == "looked_at.module has no No"
    assert fault_of("looked_at.no:No", "sampler") == "there is no module looked_at.no"
    assert fault_of("nowhere_at.all:No", "sampler") == "there is no module nowhere_at.all"


def test_what_cannot_be_seen_is_not_judged() -> None:
    for module in ("looked_at.broken", "looked_at.lazy"):
        assert fault_of(f"{module}:X", "sampler") is None


def test_nothing_is_imported() -> None:
    assert fault_of("looked_at.near:Near", "degradation") is None
    assert "looked_at" not in sys.modules


@pytest.mark.parametrize("item", registry().components(), ids=lambda i: f"{i.kind}-{i.name}")
def test_the_builtins_are_what_they_say(item) -> None:  # type: ignore[no-untyped-def]
    assert fault_of(item.component.target, item.kind) is None
    wrong = "prior" if item.kind != "prior" else "sampler"
    assert fault_of(item.component.target, wrong) is not None
