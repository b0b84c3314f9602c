"""The three kinds of graph, and what they take and give.

| kind | inputs | outputs |
|---|---|---|
| `sampler` | `x_t`, `timesteps` int64 (levels), context | `x0`; `x0_direct` and `trajectory` |
| `step` | `x_t`, `t` and `s` int64 (batch), context | `x_s`; `x0_hat` |
| `restorer` | `x_t`, `t` int64 (batch) | `x0` |

Images are float32 (batch, C, H, W), contexts have the batch first. What stands after the semicolon
is there on request: `x0_direct` = R(x_T, T), `trajectory` (levels, batch, C, H, W) is every state
from `x_t` itself to `x0`.
"""

import onnx
from onnx import GraphProto, NodeProto, helper

from colddiff_core.contracts.errors import ExportError
from colddiff_exporters.graph import step as names
from colddiff_exporters.graph.loop import LoopForm, sampler_graph
from colddiff_exporters.graph.step import StepGraph, image_info, levels_info
from colddiff_exporters.graph.strip import strip

_IR_VERSION = 10  # what ONNX Runtime 1.18 and later read
_RESERVED = {"x_t", "timesteps", "t", "s", "x0", "x_s", "x0_hat", "x0_direct", "trajectory"}


def build_model(kind: str, step: StepGraph, form: LoopForm) -> onnx.ModelProto:
    """Build and check a model of one of the kinds.

    Args:
        kind: `sampler`, `step` or `restorer`.
        step: its operators.
        form: the loop, and whether the optional outputs are wanted.

    Raises:
        ExportError: a context tensor has the name of another input, or the graph is not valid.
    """
    clash = sorted(_RESERVED.intersection(item.name for item in step.contexts))
    if clash:
        raise ExportError(f"context: {clash[0]!r} is the name of another input; rename the tensor")
    if kind == "sampler":
        graph = sampler_graph(step, form)
    elif kind == "step":
        graph = _step_graph(step, form.trajectory)
    else:
        graph = _restorer_graph(step)
    model = helper.make_model(
        graph, opset_imports=step.opset, ir_version=_IR_VERSION, producer_name="colddiff"
    )
    strip(model.graph)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the graph is not valid ONNX: {error}") from error
    return model


def _step_graph(step: StepGraph, estimate: bool) -> GraphProto:
    outputs = {"x_s": names.X_S, **({"x0_hat": names.X0_HAT} if estimate else {})}
    return helper.make_graph(
        nodes=[
            *_aliases({names.X: "x_t", names.T: "t", names.S: "s"}),
            *step.nodes,
            *_aliases(outputs),
        ],
        name="step",
        inputs=[image_info("x_t", step.images), levels_info("t"), levels_info("s"), *step.contexts],
        outputs=[image_info(name, step.images) for name in outputs],
        initializer=step.weights,
        value_info=step.value_info,
    )


def _restorer_graph(step: StepGraph) -> GraphProto:
    nodes, weights = step.restorer()
    return helper.make_graph(
        nodes=[*_aliases({names.X: "x_t", names.T: "t"}), *nodes, *_aliases({"x0": names.X0_HAT})],
        name="restorer",
        inputs=[image_info("x_t", step.images), levels_info("t")],
        outputs=[image_info("x0", step.images)],
        initializer=weights,
        value_info=step.value_info,
    )


def _aliases(pairs: dict[str, str]) -> list[NodeProto]:
    return [helper.make_node("Identity", [old], [new]) for new, old in pairs.items()]
