"""What the gate lets in is what exports are made of."""

from pathlib import Path

import onnx
import pytest
from conftest import make_process
from onnx import helper
from sealing import sealed_again

from colddiff_core import Component, build
from colddiff_core.contracts.errors import ModelFileError
from colddiff_core.registry.components import Registered, registry
from colddiff_exporters.checked_file import read_file
from colddiff_exporters.gate.operators import builtin_operators


def test_dangerous_operators_are_not_in_it() -> None:
    """Those that read files, run code, or loop by a condition; and what made ONNX Runtime crash."""
    known = builtin_operators().keys()
    assert not known & {
        "If",
        "Scan",
        "SequenceAt",
        "SequenceConstruct",
        "SequenceMap",
        "StringSplit",
    }
    assert {"Conv", "Loop", "MatMul"} <= known


def test_every_entry_is_of_the_form_that_is_read() -> None:
    for entry in builtin_operators().values():
        assert entry.keys() == {"attributes", "omitted"}
        for allowed in entry["attributes"].values():
            kinds = isinstance(allowed, list) or allowed in ("float", "tensor", "graph")
            assert kinds or allowed.keys() == {"from", "to"}


def test_a_plugin_declares_its_own(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    build("exporter", "onnx", verify=False).export(make_process(), path)
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Celu", ["x_t"], ["unused"], alpha=0.5))
    path.write_bytes(sealed_again(model))
    with pytest.raises(ModelFileError, match="the operator 'Celu'"):
        read_file(path)
    celu = {"Celu": {"attributes": {"alpha": "float"}}}
    for declared, allowed in (({"Celu": {}}, False), (celu, True)):
        component = Component("celu", "celu:Celu", "", onnx_operators=declared)
        with registry().including(Registered("restorer", component, "celu", "1", "celu")):
            if allowed:
                read_file(path)
                continue
            with pytest.raises(ModelFileError, match="the operator 'Celu'"):
                read_file(path)
