"""Read an ONNX file's declarations and refuse what no export of this project holds.

Allowed is what `colddiff export` writes: one graph in the standard operator set, its weights
inside, no functions, no other domain (such operators run native code, and one of ONNX Runtime's
reads files), no reference to another file, sizes and nesting within bounds.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from colddiff_exporters.gate.wire import Reader, WireError, data, integers, signed, text

MAX_NUMBERS = 2**28
"""Most numbers that one constant shape may ask for; the largest image has 200 million."""

_MAX_DEPTH = 4  # of graphs in graphs: the loop's body, a branch in it, and two to spare
_MAX_RANK = 16
_MAX_SHAPE = 16  # numbers: a constant this short may be a shape, or the pads of eight axes
_ASKS_FOR_SPACE = {  # which inputs of an operator say how large its result is
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (3,),
    "Tile": (1,),
}
_MAX_SIZE = 2**16  # in the attributes that are sizes
_MAX_CHOICE = 32  # in all others: axes, types, switches; ONNX Runtime crashes on some wild ones
_SIZES = {
    "block_size",
    "blocksize",
    "dilations",
    "group",
    "hidden_size",
    "kernel_shape",
    "kv_num_heads",
    "num_groups",
    "num_outputs",
    "output_padding",
    "output_shape",
    "pads",
    "q_num_heads",
    "size",
    "split",
    "strides",
}
_CONSTANTS = {"value_int", "value_ints"}
_EXTERNAL = 1
_INT32, _INT64 = 6, 7


class UnsafeFileError(ValueError):
    """The file holds something that no export holds."""


class Value(NamedTuple):
    """An input or output: its element type, as ONNX numbers it, and an int or a name per axis."""

    name: str
    element: int
    shape: tuple[int | str, ...]


@dataclass
class Node:
    """An operator, its attributes that are integers, and the graphs it holds."""

    op: str = ""
    attributes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    graphs: list["Graph"] = field(default_factory=list)


@dataclass
class Graph:
    """What a graph declares; `integers` are its short integer constants, by name."""

    nodes: list[Node] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    integers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def all_nodes(self) -> Iterator[Node]:
        """The nodes of the graph and of all graphs inside."""
        for node in self.nodes:
            yield node
            for inner in node.graphs:
                yield from inner.all_nodes()

    def all_graphs(self) -> Iterator["Graph"]:
        """The graph and all graphs inside."""
        yield self
        for node in self.nodes:
            for inner in node.graphs:
                yield from inner.all_graphs()


@dataclass(frozen=True)
class Model:
    """What a file declares.

    Attributes:
        graph: the main graph.
        properties: the metadata.
        places: where the value of each metadata entry lies in the file.
        opset: version of the operator set.
    """

    graph: Graph
    properties: Mapping[str, str]
    places: Mapping[str, int]
    opset: int


def read_model(content: bytes) -> Model:
    """Read and judge a file.

    Raises:
        WireError: it is no protobuf message, so no ONNX file.
        UnsafeFileError: it holds what no export holds.
    """
    return _ModelReader().model(memoryview(content))


class _ModelReader:
    def __init__(self) -> None:
        self._reader = Reader()

    def model(self, message: memoryview) -> Model:
        graphs: list[memoryview] = []
        properties: dict[str, str] = {}
        places: dict[str, int] = {}
        opsets: list[int] = []
        for number, value, start in self._reader.fields(message):
            if number == 7:
                graphs.append(data(value))
            elif number == 8:
                opsets.append(self._opset(data(value)))
            elif number == 14:
                key, entry, offset = self._property(data(value))
                if key in properties:
                    raise UnsafeFileError(f"two metadata entries {key!r}")
                properties[key], places[key] = entry, start + offset
            elif number == 20:
                raise UnsafeFileError("a training graph")
            elif number == 25:
                raise UnsafeFileError("local functions")
        if len(graphs) != 1 or len(opsets) != 1:
            raise WireError("expected one graph and one operator set")
        graph = self._graph(graphs[0], 0)
        _check_space(graph)
        return Model(graph, properties, places, opsets[0])

    def _opset(self, message: memoryview) -> int:
        version = 0
        for number, value, _ in self._reader.fields(message):
            if number == 1:
                _check_domain(text(value))
            elif number == 2 and isinstance(value, int):
                version = value
        return version

    def _property(self, message: memoryview) -> tuple[str, str, int]:
        key, entry, offset = "", "", 0
        for number, value, start in self._reader.fields(message):
            if number == 1:
                key = text(value)
            elif number == 2:
                entry, offset = text(value), start
        return key, entry, offset

    def _graph(self, message: memoryview, depth: int) -> Graph:
        if depth > _MAX_DEPTH:
            raise UnsafeFileError(f"graphs in graphs, more than {_MAX_DEPTH} deep")
        graph = Graph()
        for number, value, _ in self._reader.fields(message):
            if number == 1:
                node, constant = self._node(data(value), depth)
                graph.nodes.append(node)
                if constant and len(node.outputs) == 1:
                    graph.integers[node.outputs[0]] = constant
            elif number == 5:
                name, numbers = self._tensor(data(value))
                graph.integers[name] = numbers
            elif number == 11:
                graph.inputs.append(self._value(data(value)))
            elif number == 12:
                graph.outputs.append(self._value(data(value)))
            elif number == 15:
                raise UnsafeFileError("sparse weights")
        return graph

    def _node(self, message: memoryview, depth: int) -> tuple[Node, tuple[int, ...]]:
        """The node, and the numbers of the last constant in its attributes if they are few."""
        node, constant = Node(), tuple[int, ...]()
        for number, value, _ in self._reader.fields(message):
            if number == 1:
                node.inputs.append(text(value))
            elif number == 2:
                node.outputs.append(text(value))
            elif number == 4:
                node.op = text(value)
            elif number == 5:
                constant = self._attribute(data(value), node, depth) or constant
            elif number == 7:
                _check_domain(text(value))
        return node, constant

    def _attribute(self, message: memoryview, node: Node, depth: int) -> tuple[int, ...]:
        numbers: list[int] = []
        name, constant = "", tuple[int, ...]()
        single: set[int] = set()
        for number, value, _ in self._reader.fields(message):
            if number in (5, 6):  # protobuf would merge a second one into the first
                if number in single:
                    raise UnsafeFileError("an attribute with two values")
                single.add(number)
            if number == 1:
                name = text(value)
            elif number in (5, 10):
                _, constant = self._tensor(data(value))
            elif number in (6, 11):
                node.graphs.append(self._graph(data(value), depth + 1))
            elif number in (3, 8):
                numbers.extend(integers(value))
                if len(numbers) > _MAX_SIZE:
                    raise UnsafeFileError(f"an attribute {name!r} of too many numbers")
            elif number in (22, 23):
                raise UnsafeFileError("sparse weights")
        if name in _CONSTANTS:
            return tuple(numbers[: _MAX_SHAPE + 1])
        limit = _MAX_SIZE if name in _SIZES else _MAX_CHOICE
        for n in numbers:
            if not -_MAX_CHOICE <= n <= limit:
                raise UnsafeFileError(f"an attribute {name!r} of {n:,}")
        node.attributes[name] = tuple(numbers)
        return constant

    def _tensor(self, message: memoryview) -> tuple[str, tuple[int, ...]]:
        """Name, and the numbers if they are few integers."""
        name, element, dims = "", 0, list[int]()
        raw: memoryview | None = None
        numbers: list[int] = []
        for number, value, _ in self._reader.fields(message):
            if number == 1:
                dims.extend(integers(value))
                if len(dims) > _MAX_RANK:
                    raise UnsafeFileError(f"a tensor of more than {_MAX_RANK} axes")
            elif number == 2 and isinstance(value, int):
                element = value
            elif number in (5, 7):
                numbers.extend(_first(value, _MAX_SHAPE + 1 - len(numbers)))
            elif number == 8:
                name = text(value)
            elif number == 9:
                raw = data(value)
            elif number == 13 or (number == 14 and value == _EXTERNAL):
                raise UnsafeFileError("weights in another file")
        count = math.prod(dims)
        if min(dims, default=0) < 0 or count > 2 * len(message):  # two numbers of 4 bits a byte
            raise UnsafeFileError(f"tensor {name!r} of shape {dims} in {len(message):,} bytes")
        if element not in (_INT32, _INT64) or count > _MAX_SHAPE:
            return name, ()
        if raw is not None:
            width = 4 if element == _INT32 else 8
            numbers = [
                int.from_bytes(raw[k : k + width], "little", signed=True)
                for k in range(0, len(raw) - width + 1, width)
            ]
        return name, tuple(numbers)

    def _value(self, message: memoryview) -> Value:
        name, element, shape, types = "", 0, list[int | str](), 0
        for number, value, _ in self._reader.fields(message):
            if number == 1:
                name = text(value)
            elif number == 2:
                types += 1
                for inner, kind, _ in self._reader.fields(data(value)):
                    if inner == 1:
                        types += 1
                        element, shape = self._tensor_type(data(kind))
        if types != 2:
            raise UnsafeFileError(f"{name!r}, which is no tensor")
        return Value(name, element, tuple(shape))

    def _tensor_type(self, message: memoryview) -> tuple[int, list[int | str]]:
        element, shape = 0, list[int | str]()
        for number, value, _ in self._reader.fields(message):
            if number == 1 and isinstance(value, int):
                element = value
            elif number == 2:
                for inner, dim, _ in self._reader.fields(data(value)):
                    if inner == 1:
                        shape.append(self._dimension(data(dim)))
        return element, shape

    def _dimension(self, message: memoryview) -> int | str:
        size: int | str = ""
        for number, value, _ in self._reader.fields(message):
            if number == 1 and isinstance(value, int):
                size = signed(value)
            elif number == 2:
                size = text(value)
        return size


def _first(value: int | memoryview, count: int) -> Iterator[int]:
    for number, _ in zip(integers(value), range(count), strict=False):
        yield number


def _check_space(graph: Graph) -> None:
    """Refuse results of absurd size, as far as constants say it."""
    constants: dict[str, list[tuple[int, ...]]] = {}
    for inner in graph.all_graphs():
        for name, numbers in inner.integers.items():
            constants.setdefault(name, []).append(numbers)
    for node in graph.all_nodes():
        for k in _ASKS_FOR_SPACE.get(node.op, ()):
            for numbers in constants.get(node.inputs[k], ()) if k < len(node.inputs) else ():
                asked = math.prod(max(abs(n), 1) for n in numbers)
                if asked > MAX_NUMBERS:
                    raise UnsafeFileError(
                        f"{node.op} to {numbers}, over the limit of {MAX_NUMBERS:,} numbers"
                    )


def _check_domain(domain: str) -> None:
    if domain not in ("", "ai.onnx"):
        raise UnsafeFileError(f"operators of the domain {domain!r}")
