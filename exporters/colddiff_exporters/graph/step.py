"""Join restorer and transition to one step: (x, t, s, context) -> (x_s, x0_hat)."""

from dataclasses import dataclass

import onnx
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.compose import add_prefix_graph

from colddiff_core.contracts.process import Process
from colddiff_exporters.graph.trace import OUTPUT

_R, _D = "restorer/", "transition/"  # before every name inside


@dataclass(frozen=True)
class StepGraph:
    """One step, not yet a graph of its own.

    Attributes:
        nodes: its operators.
        weights: its constants.
        value_info: shapes of what lies between.
        opset: the operator sets.
        images: (B, C, H, W) of the model.
        contexts: inputs for the context tensors, under the names of the process's `context_spec`.
    """

    nodes: list[NodeProto]
    weights: list[TensorProto]
    value_info: list[ValueInfoProto]
    opset: list[onnx.OperatorSetIdProto]
    images: tuple[str | int, ...]
    contexts: list[ValueInfoProto]

    @property
    def restorer(self) -> list[NodeProto]:
        """The operators of R alone."""
        return [node for node in self.nodes if all(n.startswith(_R) for n in node.output)]


# What the nodes of a step read and write
X, T, S = "step/x", "step/t", "step/s"
X_S, X0_HAT = _D + OUTPUT, _R + OUTPUT


def join(process: Process, restorer: onnx.ModelProto, transition: onnx.ModelProto) -> StepGraph:
    """Join the halves; a context tensor keeps its own name."""
    context = process.context_names
    first = add_prefix_graph(restorer.graph, _R)
    second = add_prefix_graph(transition.graph, _D)
    outer = {_R + "x": X, _R + "t": T, _D + "x": X, _D + "t": T, _D + "s": S, _D + "x0_hat": X0_HAT}
    outer |= {f"{_D}context_{k}": name for k, name in enumerate(context)}
    for graph in (first, second):
        _rename(graph, outer)
    contexts = [
        helper.make_value_info(name, item.type)
        for name, item in zip(context, list(transition.graph.input)[4:], strict=True)
    ]
    return StepGraph(
        nodes=[*first.node, *second.node],
        weights=[*first.initializer, *second.initializer],
        value_info=[*first.value_info, *second.value_info],
        opset=list(transition.opset_import),
        images=("batch", *process.image_shape),
        contexts=contexts,
    )


def image_info(name: str, shape: "tuple[str | int, ...]") -> ValueInfoProto:
    """Declare float32 images."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def levels_info(name: str) -> ValueInfoProto:
    """Declare one int64 level for each image."""
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch"])


def _rename(graph: GraphProto, names: dict[str, str]) -> None:
    for node in graph.node:
        for k, name in enumerate(node.input):
            node.input[k] = names.get(name, name)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename(inner, names)
