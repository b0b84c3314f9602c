"""Put one step into the body of an ONNX Loop: the whole sampler as one graph.

The weights are initializers of the body, not of the outer graph: seen from the body an outer value
is no constant, and ONNX Runtime then neither folds nor re-lays it out (1.35 times slower). The
loop runs for a trip count with its condition passed through, the form that every runtime knows
best.
"""

from dataclasses import dataclass

from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

from colddiff_exporters.graph import step as names
from colddiff_exporters.graph.step import StepGraph, image_info

_LOOP = "loop/"  # before every name of the loop's own: a context tensor may have any other
TRIP_COUNT = _LOOP + "trip_count"


@dataclass(frozen=True)
class LoopForm:
    """What is asked of the loop.

    Attributes:
        trajectory: give `x0_direct` and `trajectory`, too.
        static_steps: a constant trip count, for runtimes that need one.
        per_image: `timesteps` is (batch, levels), a row for each image, as a server that joins
            the batches of several callers needs it.
    """

    trajectory: bool = False
    static_steps: int | None = None
    per_image: bool = False


def sampler_graph(step: StepGraph, form: LoopForm) -> GraphProto:
    """Build the sampler's graph."""
    levels: str | int = "levels" if form.static_steps is None else form.static_steps + 1
    schedule = ["batch", levels] if form.per_image else [levels]
    outputs = [image_info("x0", step.images)]
    carried, kept = ["x_t"], ["x0"]
    after: list[NodeProto] = []
    if form.trajectory:
        carried, kept = ["x_t", "x_t"], ["x0", "x0_direct", _LOOP + "states"]
        outputs += [
            image_info("x0_direct", step.images),
            image_info("trajectory", (levels, *step.images)),
        ]
        after = [
            helper.make_node("Unsqueeze", ["x_t", _LOOP + "zero"], [_LOOP + "start"]),
            helper.make_node("Concat", [_LOOP + "start", _LOOP + "states"], ["trajectory"], axis=0),
        ]
    counting, trip_count, constants = _trip_count(form)
    return helper.make_graph(
        nodes=[
            *counting,
            helper.make_node(
                "Loop",
                [trip_count, _LOOP + "always", *carried],
                kept,
                name="sampling_loop",
                body=_body(step, form),
            ),
            *after,
        ],
        name="sampler",
        inputs=[
            image_info("x_t", step.images),
            helper.make_tensor_value_info("timesteps", TensorProto.INT64, schedule),
            *step.contexts,
        ],
        outputs=outputs,
        initializer=[
            *constants,
            helper.make_tensor(_LOOP + "one", TensorProto.INT64, [1], [1]),
            helper.make_tensor(_LOOP + "zero", TensorProto.INT64, [1], [0]),
            helper.make_tensor(_LOOP + "row", TensorProto.INT64, [1], [-1]),
            helper.make_tensor(_LOOP + "always", TensorProto.BOOL, [], [True]),
        ],
    )


def _trip_count(form: LoopForm) -> tuple[list[NodeProto], str, list[TensorProto]]:
    """Nodes that count the steps, the name of the count, and constants."""
    name = TRIP_COUNT
    if form.static_steps is not None:
        return [], name, [helper.make_tensor(name, TensorProto.INT64, [], [form.static_steps])]
    axis = 1 if form.per_image else 0
    nodes = [
        helper.make_node("Shape", ["timesteps"], [_LOOP + "levels"], start=axis, end=axis + 1),
        helper.make_node("Sub", [_LOOP + "levels", _LOOP + "one"], [_LOOP + "steps"]),
        helper.make_node("Squeeze", [_LOOP + "steps"], [name]),
    ]
    return nodes, name, []


def _body(step: StepGraph, form: LoopForm) -> GraphProto:
    """(i, condition, x[, direct]) -> (condition, x_s[, direct, state])."""
    i, condition, go_on = _LOOP + "i", _LOOP + "condition", _LOOP + "go_on"
    before = [
        helper.make_node("Add", [i, _LOOP + "one"], [_LOOP + "next"]),
        *_levels(names.T, i, form),
        *_levels(names.S, _LOOP + "next", form),
        helper.make_node("Identity", [condition], [go_on]),
    ]
    inputs = [_scalar(i, TensorProto.INT64), _scalar(condition, TensorProto.BOOL)]
    inputs.append(image_info(names.X, step.images))
    outputs = [_scalar(go_on, TensorProto.BOOL), image_info(names.X_S, step.images)]
    after: list[NodeProto] = []
    if form.trajectory:
        first, direct, kept = _LOOP + "first", _LOOP + "direct", _LOOP + "kept"
        state = _LOOP + "state"
        after = [
            helper.make_node("Equal", [i, _LOOP + "i0"], [first]),
            helper.make_node("Where", [first, names.X0_HAT, direct], [kept]),
            helper.make_node("Identity", [names.X_S], [state]),
        ]
        inputs.append(image_info(direct, step.images))
        outputs += [image_info(kept, step.images), image_info(state, step.images)]
    return helper.make_graph(
        nodes=[*before, *step.nodes, *after],
        name="step",
        inputs=inputs,
        outputs=outputs,
        initializer=[*step.weights, helper.make_tensor(_LOOP + "i0", TensorProto.INT64, [], [0])],
        value_info=step.value_info,
    )


def _levels(name: str, index: str, form: LoopForm) -> list[NodeProto]:
    """Look the level of each image up in the outer `timesteps`."""
    if form.per_image:
        column = name + "_column"
        return [
            helper.make_node("Gather", ["timesteps", index], [column], axis=1),
            helper.make_node("Reshape", [column, _LOOP + "row"], [name]),
        ]
    level, batch = name + "_level", name + "_batch"
    return [
        helper.make_node("Gather", ["timesteps", index], [level]),
        helper.make_node("Shape", [names.X], [batch], start=0, end=1),
        helper.make_node("Expand", [level, batch], [name]),
    ]


def _scalar(name: str, element: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element, [])
