"""Refuse what no export of this project holds.

Allowed is one graph in the standard operator set, of the operators in `operators.json` with the
attributes that are listed there, its weights inside or in the one file beside it, and sizes within
bounds.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from colddiff_exporters.gate.message import UnsafeFileError, graphs
from colddiff_exporters.gate.operators import check_operator

MAX_NUMBERS = 2**28
"""Most numbers that one constant shape may ask for; the largest image has 200 million."""

_MAX_RANK = 16
_MAX_SHAPE = 16  # numbers: a constant this short may be a shape, or the pads of eight axes
_ASKS_FOR_SPACE = {"ConstantOfShape": 0, "Resize": 3} | dict.fromkeys(
    ("Expand", "OneHot", "Pad", "Range", "Reshape", "Tile"), 1
)
"""Which input of an operator says how large its result is."""

_INT32, _INT64 = 6, 7
_WIDTHS = {1: 4, 2: 1, 3: 1, _INT32: 4, _INT64: 8, 9: 1, 10: 2, 11: 8}
"""Bytes of the types of tensors: float, uint8, int8, int32, int64, bool, half, double."""

_FIELDS = {1: "float_data", _INT64: "int64_data", 11: "double_data"}
"""Where numbers of a type lie if they are not raw; `int32_data` for the others."""


class Extent(NamedTuple):
    """Where the numbers of a weight lie in the file beside."""

    location: str
    offset: int
    length: int


def check_content(model: Any) -> list[Extent]:
    """Judge a model.

    Returns:
        The weights that lie in a file beside.

    Raises:
        UnsafeFileError: it holds what no export holds.
    """
    for item in model.opset_import:
        _check_domain(item.domain)
    extents = []
    for graph in graphs(model.graph):
        for item in (*graph.input, *graph.output, *graph.value_info):
            if item.type.tensor_type.elem_type not in _WIDTHS:
                raise UnsafeFileError(f"{item.name!r}, which is no tensor")
        for node in graph.node:
            _check_domain(node.domain)
            check_operator(node)
        _check_names(graph)
        inside = (item.t for node in graph.node for item in node.attribute if item.HasField("t"))
        extents += [found for item in (*graph.initializer, *inside) for found in _extents(item)]
    _check_space(model.graph)
    return extents


def constants(graph: Any) -> dict[str, tuple[int, ...]]:
    """The short integer constants of a graph, by name."""
    found = {item.name: item for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found |= {name: item.t for name in node.output for item in node.attribute}
    return {name: _numbers(item) for name, item in found.items()}


def _extents(tensor: Any) -> Iterator[Extent]:
    """Judge a tensor; where it lies, if not in the file."""
    width, count = _WIDTHS.get(tensor.data_type), math.prod(tensor.dims)
    if width is None or len(tensor.dims) > _MAX_RANK:
        raise UnsafeFileError(
            f"tensor {tensor.name!r} of type {tensor.data_type} and {len(tensor.dims)} axes"
        )
    size = tensor.ByteSize()
    beside = {item.key: item.value for item in tensor.external_data}
    if not (beside or tensor.data_location):
        # Of two fields, ONNX Runtime might read the one that was not judged
        said = {field.name for field, _ in tensor.ListFields() if field.name.endswith("_data")}
        if said - {_FIELDS.get(tensor.data_type, "int32_data")} and said != {"raw_data"}:
            raise UnsafeFileError(f"numbers of {tensor.name!r} in {' and '.join(sorted(said))}")
        # no packed numbers take less than half a byte
        if min(tensor.dims, default=0) < 0 or count > 2 * size:
            raise UnsafeFileError(
                f"tensor {tensor.name!r} of shape {list(tensor.dims)} in {size:,} bytes"
            )
        return
    try:
        extent = Extent(beside["location"], int(beside["offset"]), int(beside["length"]))
    except (KeyError, ValueError) as error:
        raise UnsafeFileError("weights in another file, without a place there") from error
    if extent.length != count * width or min(extent.offset, *tensor.dims) < 0:
        raise UnsafeFileError(f"weights in another file, {extent.length:,} bytes for {count:,}")
    if tensor.raw_data or not tensor.data_location:
        raise UnsafeFileError("weights in another file, and here as well")
    yield extent


def _check_names(graph: Any) -> None:
    """Refuse two values of one name: a constant that is an input, too, would be whatever is fed."""
    values = [item.name for item in (*graph.input, *graph.initializer)]
    values += [name for node in graph.node for name in node.output if name]
    if len(set(values)) < len(values):
        raise UnsafeFileError("two values of one name")


def _numbers(tensor: Any) -> tuple[int, ...]:
    if tensor.data_type not in (_INT32, _INT64) or math.prod(tensor.dims) > _MAX_SHAPE:
        return ()
    raw, width = tensor.raw_data, _WIDTHS[tensor.data_type]
    if not raw:
        return tuple(tensor.int32_data or tensor.int64_data)[: _MAX_SHAPE + 1]
    return tuple(
        int.from_bytes(raw[k : k + width], "little", signed=True)
        for k in range(0, min(len(raw), width * _MAX_SHAPE), width)
    )


def _check_space(graph: Any) -> None:
    """Refuse results of absurd size, as far as constants say it."""
    known: Mapping[str, tuple[int, ...]] = {}
    for inner in graphs(graph):
        known = {**known, **constants(inner)}
        for node in inner.node:
            k = _ASKS_FOR_SPACE.get(node.op_type, len(node.input))
            numbers = known.get(node.input[k], ()) if k < len(node.input) else ()
            if math.prod(max(abs(n), 1) for n in numbers) > MAX_NUMBERS:
                raise UnsafeFileError(
                    f"{node.op_type} to {numbers}, over the limit of {MAX_NUMBERS:,} numbers"
                )


def _check_domain(domain: str) -> None:
    if domain not in ("", "ai.onnx"):
        raise UnsafeFileError(f"operators of the domain {domain!r}")
