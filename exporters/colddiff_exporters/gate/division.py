"""Integers are divided by constants other than 0 and -1: the processor stops a program at others.

Whether a division is one of integers is told by the element types of inputs and constants, carried
through the graph as ONNX Runtime does. What cannot be told counts as integers.
"""

from collections.abc import Mapping
from typing import Any

from colddiff_exporters.gate.content import constants
from colddiff_exporters.gate.message import UnsafeFileError
from colddiff_exporters.gate.operators import builtin_operators

_FLOATS = {1, 10, 11}
_INT64, _BOOL = 7, 9
_DIVIDES = {"Div", "Mod", "ReduceMean"}
_GIVES = {"Shape": _INT64, "Equal": _BOOL, "GreaterOrEqual": _BOOL, "Loop": 0, "Constant": 0}
_LIKE = {"Where": 1, "DequantizeLinear": 1, "QuantizeLinear": 2}
"""Operators whose result is not of the type of their first input, but of another."""


def check_divisions(graph: Any, outer: Mapping[str, int] | None = None) -> None:
    """Refuse divisions of integers that may be by 0 or -1.

    Args:
        graph: with the graphs inside.
        outer: element types of the values around it, by name.

    Raises:
        UnsafeFileError: there is one.
    """
    types = dict(outer or {})
    types |= {item.name: item.data_type for item in graph.initializer}
    types |= {item.name: item.type.tensor_type.elem_type for item in graph.input}
    numbers = constants(graph)
    for node in graph.node:
        if node.op_type in _DIVIDES and not _FLOATS & {types.get(name, 0) for name in node.input}:
            divisor = numbers.get(node.input[-1]) if node.op_type != "ReduceMean" else None
            if not divisor or not {0, -1}.isdisjoint(divisor):
                raise UnsafeFileError(f"a division of integers ({node.op_type}) that may fail")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                check_divisions(attribute.g, types)
        types |= dict.fromkeys(node.output, 0)
        alike = node.output if node.op_type == "Split" else node.output[:1]  # MaxPool gives places
        types |= dict.fromkeys(alike, _result(node, types))


def _result(node: Any, types: Mapping[str, int]) -> int:
    """The element type that a node gives; 0 if that cannot be told."""
    if node.op_type == "Cast":
        return int(node.attribute[0].i) if node.attribute else 0
    if node.op_type in _GIVES or node.op_type not in builtin_operators():
        return _GIVES.get(node.op_type, 0)
    k = _LIKE.get(node.op_type, 0)
    return types.get(node.input[k], 0) if k < len(node.input) else 0
