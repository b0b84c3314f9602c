"""Put one step into the body of an ONNX Loop: the whole sampler as one graph.

    inputs   x_t        float32 (batch, C, H, W)   images at level timesteps[0]
             timesteps  int64 (n + 1)              strictly decreasing to 0
             ...                                   one per context tensor, batch first
    output   x0         float32 (batch, C, H, W)

The weights are initializers of the body, not of the outer graph: seen from the body an outer value
is no constant, and ONNX Runtime then neither folds nor re-lays it out (1.35 times slower). The
loop runs for a trip count with its condition passed through, the form that every runtime knows
best.
"""

import onnx
from onnx import TensorProto, helper
from onnx.compose import add_prefix_graph

from colddiff_core.errors import ExportError
from colddiff_core.process import ColdDiffusion
from colddiff_exporters.step import step_graph

_STEP = "step/"  # before every name inside the step,
_LOOP = "loop/"  # and inside the loop: a context tensor may have any name but these three
_RESERVED = {"x_t", "timesteps", "x0"}
_IR_VERSION = 10  # what ONNX Runtime 1.18 and later read


def sampler_model(process: ColdDiffusion, opset: int) -> onnx.ModelProto:
    """Build the sampler's graph.

    Raises:
        ExportError: a part cannot be expressed in ONNX.
    """
    context = list(process.degradation.context_spec)
    clash = sorted(_RESERVED.intersection(context))
    if clash:
        raise ExportError(f"context: {clash[0]!r} is the name of another input; rename the tensor")
    step = step_graph(process, opset)
    graph = helper.make_graph(
        nodes=[
            helper.make_node("Shape", ["timesteps"], [_LOOP + "levels"]),
            helper.make_node("Sub", [_LOOP + "levels", _LOOP + "one"], [_LOOP + "steps"]),
            helper.make_node("Squeeze", [_LOOP + "steps"], [_LOOP + "trip_count"]),
            helper.make_node(
                "Loop",
                [_LOOP + "trip_count", _LOOP + "always", "x_t"],
                ["x0"],
                name="sampling_loop",
                body=_body(step.graph, context),
            ),
        ],
        name="sampler",
        inputs=[
            _image_info("x_t", process),
            helper.make_tensor_value_info("timesteps", TensorProto.INT64, ["levels"]),
            *_renamed(list(step.graph.input)[3:], context),
        ],
        outputs=[_image_info("x0", process)],
        initializer=[
            helper.make_tensor(_LOOP + "one", TensorProto.INT64, [1], [1]),
            helper.make_tensor(_LOOP + "always", TensorProto.BOOL, [], [True]),
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=step.opset_import,
        ir_version=_IR_VERSION,
        producer_name="colddiff",
    )
    _strip(model.graph)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the graph is not valid ONNX: {error}") from error
    return model


def _body(step: onnx.GraphProto, context: list[str]) -> onnx.GraphProto:
    """(i, condition, x) -> (condition, x_s), with t and s looked up in the outer `timesteps`."""
    body = add_prefix_graph(step, _STEP)
    images, *_ = body.input
    x, t, s, *drawn = (item.name for item in body.input)
    i, condition, go_on = _LOOP + "i", _LOOP + "condition", _LOOP + "go_on"
    following, batch = _LOOP + "next", _LOOP + "batch"
    level, next_level = _LOOP + "level", _LOOP + "next_level"
    prelude = [
        helper.make_node("Add", [i, _LOOP + "one"], [following]),
        helper.make_node("Shape", [x], [batch], start=0, end=1),
        helper.make_node("Gather", ["timesteps", i], [level]),
        helper.make_node("Gather", ["timesteps", following], [next_level]),
        helper.make_node("Expand", [level, batch], [t]),
        helper.make_node("Expand", [next_level, batch], [s]),
        *(
            helper.make_node("Identity", [outer], [inner])
            for outer, inner in zip(context, drawn, strict=True)
        ),
        helper.make_node("Identity", [condition], [go_on]),
    ]
    return helper.make_graph(
        nodes=[*prelude, *body.node],
        name="step",
        inputs=[
            helper.make_tensor_value_info(i, TensorProto.INT64, []),
            helper.make_tensor_value_info(condition, TensorProto.BOOL, []),
            images,
        ],
        outputs=[helper.make_tensor_value_info(go_on, TensorProto.BOOL, []), *body.output],
        initializer=body.initializer,
        value_info=body.value_info,
    )


def _renamed(items: list[onnx.ValueInfoProto], names: list[str]) -> list[onnx.ValueInfoProto]:
    copies = []
    for item, name in zip(items, names, strict=True):
        copy = onnx.ValueInfoProto()
        copy.CopyFrom(item)
        copy.name = name
        copies.append(copy)
    return copies


def _image_info(name: str, process: ColdDiffusion) -> onnx.ValueInfoProto:
    shape: list[str | int | None] = ["batch", *process.degradation.image_shape]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _strip(graph: onnx.GraphProto) -> None:
    """Drop what torch's exporter notes for itself: stack traces, module paths, doc strings."""
    graph.ClearField("doc_string")
    graph.ClearField("metadata_props")
    for item in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.ClearField("doc_string")
        item.ClearField("metadata_props")
    for node in graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _strip(attribute.g)
