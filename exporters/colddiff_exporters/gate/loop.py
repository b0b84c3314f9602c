"""The one loop of a file, and how often it can turn."""

from colddiff_core.contracts.timesteps import MAX_NUM_STEPS
from colddiff_exporters.gate.model import Graph, Node, UnsafeFileError

_LOOPS = {"Loop", "Scan"}


def check_loops(graph: Graph, *, sampler: bool) -> None:
    """Refuse loops whose trip count does not come from the length of `timesteps`.

    The caller gives `timesteps`, so it bounds the work; a constant count is bounded here.

    Raises:
        UnsafeFileError: another loop than the sampler's, or a trip count of its own.
    """
    loops = [node for node in graph.all_nodes() if node.op in _LOOPS]
    if not sampler and loops:
        raise UnsafeFileError("a loop, which only a sampler has")
    if not sampler:
        return
    if len(loops) != 1 or loops[0].op != "Loop" or loops[0] not in graph.nodes:
        raise UnsafeFileError(f"{len(loops)} loops, expected the sampler's alone")
    count = loops[0].inputs[0] if loops[0].inputs else ""
    constant = graph.integers.get(count, ())
    if len(constant) == 1 and 1 <= constant[0] <= MAX_NUM_STEPS:
        return
    if not _is_length_less_one(graph, count):
        raise UnsafeFileError("a trip count that is not the number of steps in timesteps")


def _is_length_less_one(graph: Graph, name: str) -> bool:
    """Whether `name` is Squeeze(Sub(Shape(timesteps), 1)), as the exporter writes it."""
    squeeze = _maker(graph, name, "Squeeze")
    sub = squeeze and _maker(graph, squeeze.inputs[0], "Sub")
    if not sub or len(sub.inputs) != 2 or graph.integers.get(sub.inputs[1]) != (1,):
        return False
    shape = _maker(graph, sub.inputs[0], "Shape")
    if shape is None or shape.inputs != ["timesteps"]:
        return False
    # Of one axis: ONNX Runtime reads a trip count from whatever it is given, even from nothing
    span = [shape.attributes.get(name) for name in ("start", "end")]
    return span in ([(0,), (1,)], [(1,), (2,)])


def _maker(graph: Graph, name: str, op: str) -> Node | None:
    makers = [node for node in graph.nodes if name in node.outputs]
    if len(makers) == 1 and makers[0].op == op and makers[0].inputs:
        return makers[0]
    return None
