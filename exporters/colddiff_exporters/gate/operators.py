"""The operators that exports are made of, and nothing else.

`operators.json` lists them, with their attributes and which of their inputs may be left out. It is
written by `scripts/onnx_operators.py` from exports of all components. A plugin whose components
are made of others declares them with `Component(..., onnx_operators={"Erf": {}})`, in the form of
that file. What a file says of itself widens nothing.

An attribute has the values of a list, or integers `from` … `to`, or is a `"float"`, `"tensor"` or
`"graph"`.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from colddiff_exporters.gate.message import UnsafeFileError

Operators = Mapping[str, Mapping[str, Any]]

_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}
"""Where an attribute of a type has its value."""

_OPAQUE = {"f": "float", "floats": "float", "t": "tensor", "g": "graph"}


def check_operator(node: Any) -> None:
    """Refuse an operator that no export has, or that none has so.

    Args:
        node: a NodeProto.

    Raises:
        UnsafeFileError: neither this project nor an installed plugin makes it.
    """
    reason = _objection(builtin_operators(), node)
    if reason and all(_objection(each, node) for each in _of_plugins()):
        raise UnsafeFileError(reason)


@cache
def builtin_operators() -> Operators:
    """What exports of this project are made of."""
    source = files(__package__).joinpath("operators.json")
    found: Operators = json.loads(source.read_text(encoding="utf-8"))
    return found


def attribute_values(attribute: Any) -> list[int | str]:
    """The values of an AttributeProto; what is no integer or text is named by its kind.

    Raises:
        UnsafeFileError: it has values of two kinds, or of a kind that no export has.
    """
    field = _FIELDS.get(attribute.type, "")
    found = {item.name for item, _ in attribute.ListFields()} - {"name", "type"}
    if not field or not found <= {field}:
        raise UnsafeFileError(f"an attribute {attribute.name!r} of two kinds, or none")
    if field in _OPAQUE:
        return [_OPAQUE[field]]
    value = getattr(attribute, field)
    values = [value] if field in ("i", "s") else list(value)
    return [item.decode() if isinstance(item, bytes) else item for item in values]


def _of_plugins() -> Iterator[Operators]:
    from colddiff_core.registry.components import registry
    from colddiff_core.registry.hookspecs import KINDS

    for kind in KINDS:
        for item in registry().components(kind):
            yield item.component.onnx_operators


def _objection(operators: Operators, node: Any) -> str:
    """What is wrong with an operator; empty if nothing is."""
    name = node.op_type
    if name not in operators:
        return f"the operator {name!r}, which no installed plugin declares"
    known = operators[name].get("attributes", {})
    for attribute in node.attribute:
        for value in attribute_values(attribute):
            if not _fits(value, known.get(attribute.name, ())):
                shown = f"{value:,}" if isinstance(value, int) else repr(value)
                return f"an attribute {attribute.name!r} of {shown} ({name})"
        if attribute.name == "num_outputs" and attribute.i != len(node.output):
            return f"{name} into {attribute.i} with {len(node.output)} outputs"
    omitted = {k for k, each in enumerate(node.input) if not each}
    for k in sorted(omitted.difference(operators[name].get("omitted", ()))):
        return f"{name} without its input {k}"
    return ""


def _fits(value: int | str, allowed: Any) -> bool:
    if isinstance(allowed, Mapping):
        return isinstance(value, int) and allowed["from"] <= value <= allowed["to"]
    return value == allowed or (not isinstance(allowed, str) and value in allowed)
