"""Whether a graph takes and gives what its metadata says."""

from typing import Any, NamedTuple

from colddiff_exporters.gate.message import UnsafeFileError
from colddiff_exporters.metadata import Metadata

_FLOAT, _INT64 = 1, 7
CONTEXT_TYPES = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
"""Element types of context tensors: as ONNX numbers them, and as numpy calls them."""

_MAX_CONTEXTS = 64
_LEVELS = {"sampler": ("timesteps",), "step": ("t", "s"), "restorer": ("t",)}
_RESULTS = {"sampler": "x0", "step": "x_s", "restorer": "x0"}
_OPTIONAL = {"sampler": {"x0_direct", "trajectory"}, "step": {"x0_hat"}, "restorer": set[str]()}


class Value(NamedTuple):
    """An input or output: its element type, as ONNX numbers it, and an int or a name per axis."""

    name: str
    element: int
    shape: tuple[int | str, ...]

    @classmethod
    def of(cls, item: Any) -> "Value":
        """Read a ValueInfoProto."""
        kind = item.type.tensor_type
        shape = (d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim)
        return cls(item.name, kind.elem_type, tuple(shape))


def check_signature(graph: Any, facts: Metadata) -> tuple[Value, ...]:
    """Compare inputs and outputs with the metadata.

    Returns:
        The inputs for context tensors.

    Raises:
        UnsafeFileError: they do not fit.
    """
    inputs = {item.name: Value.of(item) for item in graph.input}
    outputs = {item.name: Value.of(item) for item in graph.output}
    if len(inputs) != len(graph.input) or len(outputs) != len(graph.output):
        raise UnsafeFileError("two inputs or outputs of one name")
    images = inputs.pop("x_t", None)
    if images is None or images.element != _FLOAT or len(images.shape) != 4:
        raise UnsafeFileError("no float32 images x_t to put in")
    if images.shape[1:] != facts.image_shape:
        raise UnsafeFileError(
            f"images of {images.shape[1:]} where its metadata says images of {facts.image_shape}"
        )
    for name in _LEVELS[facts.graph]:
        levels = inputs.pop(name, None)
        if levels is None or levels.element != _INT64 or not 1 <= len(levels.shape) <= 2:
            raise UnsafeFileError(f"no int64 {name} to put in")
        steps = levels.shape[-1]
        if facts.static_steps is not None and steps != facts.static_steps + 1:
            raise UnsafeFileError(f"{steps} levels where its metadata says {facts.static_steps}")
    result = outputs.pop(_RESULTS[facts.graph], None)
    if result is None or result.element != _FLOAT:
        raise UnsafeFileError(f"no float32 {_RESULTS[facts.graph]} to take out")
    unknown = sorted(outputs.keys() - _OPTIONAL[facts.graph])
    if unknown:
        raise UnsafeFileError(f"an output {unknown[0]!r}")
    return _contexts(inputs, facts)


def _contexts(inputs: dict[str, Value], facts: Metadata) -> tuple[Value, ...]:
    if len(inputs) > _MAX_CONTEXTS or (inputs and facts.graph == "restorer"):
        raise UnsafeFileError(f"{len(inputs)} inputs too many")
    for name, item in inputs.items():
        fixed = all(isinstance(n, int) and n > 0 for n in item.shape[1:])
        if item.element not in CONTEXT_TYPES or not item.shape or not fixed:
            raise UnsafeFileError(f"an input {name!r} that is no context tensor")
    return tuple(inputs.values())
