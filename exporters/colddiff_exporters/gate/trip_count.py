"""The one loop of a file, and how often it can turn."""

from typing import Any

from colddiff_core.contracts.timesteps import MAX_NUM_STEPS
from colddiff_exporters.gate.content import constants
from colddiff_exporters.gate.message import UnsafeFileError, graphs

_LOOPS = {"Loop", "Scan"}


def check_loops(graph: Any, *, sampler: bool) -> None:
    """Refuse loops whose trip count does not come from the length of `timesteps`.

    The caller gives `timesteps`, so it bounds the work; a constant count is bounded here.

    Raises:
        UnsafeFileError: another loop than the sampler's, or a trip count of its own.
    """
    loops = [node for inner in graphs(graph) for node in inner.node if node.op_type in _LOOPS]
    if not sampler:
        if loops:
            raise UnsafeFileError("a loop, which only a sampler has")
        return
    if len(loops) != 1 or loops[0].op_type != "Loop" or loops[0] not in graph.node:
        raise UnsafeFileError(f"{len(loops)} loops, expected the sampler's alone")
    count = loops[0].input[0] if loops[0].input else ""
    constant = constants(graph).get(count, ())
    if len(constant) == 1 and 1 <= constant[0] <= MAX_NUM_STEPS:
        return
    if not _is_length_less_one(graph, count):
        raise UnsafeFileError("a trip count that is not the number of steps in timesteps")


def _is_length_less_one(graph: Any, name: str) -> bool:
    """Whether `name` is Squeeze(Sub(Shape(timesteps), 1)), as the exporter writes it."""
    squeeze = _maker(graph, name, "Squeeze")
    sub = squeeze and _maker(graph, squeeze.input[0], "Sub")
    if not sub or len(sub.input) != 2 or constants(graph).get(sub.input[1]) != (1,):
        return False
    shape = _maker(graph, sub.input[0], "Shape")
    if shape is None or list(shape.input) != ["timesteps"]:
        return False
    # Of one axis: ONNX Runtime reads a trip count from whatever it is given, even from nothing
    span = {item.name: item.i for item in shape.attribute}
    return span in ({"start": 0, "end": 1}, {"start": 1, "end": 2})


def _maker(graph: Any, name: str, op: str) -> Any:
    makers = [node for node in graph.node if name in node.output]
    if len(makers) == 1 and makers[0].op_type == op and makers[0].input:
        return makers[0]
    return None
