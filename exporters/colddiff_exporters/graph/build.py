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
from colddiff_exporters.graph.sampler import LoopForm, sampler_graph
from colddiff_exporters.graph.step import StepGraph, image_info, levels_info
from colddiff_exporters.graph.strip import drop_unused, strip

_IR_VERSION = 10  # what ONNX Runtime 1.18 and later read
_RESERVED = {"x_t", "timesteps", "t", "s", "x0", "x_s", "x0_hat", "x0_direct", "trajectory"}


def build_model(kind: str, step: StepGraph, form: LoopForm) -> onnx.ModelProto:
    """Build a model of one of the kinds.

    Args:
        kind: `sampler`, `step` or `restorer`.
        step: its operators.
        form: the loop, and whether the optional outputs are wanted.

    Raises:
        ExportError: a context tensor has the name of another input.
    """
    clash = sorted(_RESERVED.intersection(item.name for item in step.contexts))
    if clash:
        raise ExportError(f"context: {clash[0]!r} is the name of another input; rename the tensor")
    graph = sampler_graph(step, form) if kind == "sampler" else _plain_graph(kind, step, form)
    model = helper.make_model(
        graph, opset_imports=step.opset, ir_version=_IR_VERSION, producer_name="colddiff"
    )
    strip(model.graph)
    drop_unused(model.graph)
    return model


def _plain_graph(kind: str, step: StepGraph, form: LoopForm) -> GraphProto:
    """A step, or the restorer alone, with weights of the rest that will be dropped as unused."""
    levels, outputs = {names.T: "t", names.S: "s"}, {"x_s": names.X_S}
    nodes, contexts = step.nodes, step.contexts
    if kind == "restorer":
        levels, outputs = {names.T: "t"}, {"x0": names.X0_HAT}
        nodes, contexts = step.restorer, []
    elif form.trajectory:
        outputs["x0_hat"] = names.X0_HAT
    return helper.make_graph(
        nodes=[*_aliases({names.X: "x_t", **levels}), *nodes, *_aliases(outputs)],
        name=kind,
        inputs=[image_info("x_t", step.images), *map(levels_info, levels.values()), *contexts],
        outputs=[image_info(name, step.images) for name in outputs],
        initializer=step.weights,
        value_info=step.value_info,
    )


def _aliases(pairs: dict[str, str]) -> list[NodeProto]:
    return [helper.make_node("Identity", [old], [new]) for new, old in pairs.items()]
