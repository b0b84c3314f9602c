"""The restorer in half precision; the state, the sampler and the degradation stay float32.

A step adds a small update to the state, T times: rounded to half precision it would be lost, and
the transforms of a degradation need 24 bits. The network alone is what costs time and space. What
does not depend on the images, the embedding of the level above all, stays float32, too: half
precision does not tell levels beyond 2048 apart.
"""

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from colddiff_core.contracts.errors import ExportError
from colddiff_exporters.graph.dependence import depends_on, named_copy
from colddiff_exporters.graph.strip import drop_unused

_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_STAY_FLOAT = {"Resize": (1, 2)}  # inputs that the operator wants in float32 at any rate
_SUFFIX = "/half"
_SHAPES = 1024  # bytes: a constant this short may be a shape


def to_half(restorer: ModelProto) -> ModelProto:
    """Convert what depends on the images to float16; inputs and outputs stay float32.

    Raises:
        ExportError: there are graphs inside, or values of a type that ONNX cannot infer.
    """
    model = named_copy(restorer)
    graph = model.graph
    (result,) = (item.name for item in graph.output)
    types = _types(model)
    weights = {item.name: item for item in graph.initializer}
    touched = depends_on(graph, "x")
    halved: set[str] = set()  # values that a converted node makes
    copies: set[str] = set()  # values that have a copy in half precision
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.name not in touched:
            nodes.append(node)
            continue
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise ExportError(f"fp16: {node.op_type} holds a graph of its own; use fp32")
        for k, name in enumerate(node.input):
            stays = k in _STAY_FLOAT.get(node.op_type, ())
            if not name or name in halved or stays or _type(types, name) != _FLOAT:
                continue
            if name not in copies:
                copies.add(name)
                if name in weights:
                    graph.initializer.append(_rounded(weights[name]))
                else:
                    nodes.append(_cast(name, name + _SUFFIX, _HALF))
            node.input[k] = name + _SUFFIX
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == _FLOAT:
                attribute.i = _HALF
        halved.update(name for name in node.output if name and _type(types, name) == _FLOAT)
        nodes.append(node)
    if result in halved:
        _rename(nodes, result, result + _SUFFIX)
        nodes.append(_cast(result + _SUFFIX, result, _FLOAT))
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    drop_unused(graph)
    return model


def _types(model: ModelProto) -> dict[str, int]:
    light = ModelProto()
    light.CopyFrom(model)
    for item in light.graph.initializer:
        if len(item.raw_data) > _SHAPES:  # types do not depend on weights, and 2 GB is the limit
            item.ClearField("raw_data")
    graph = onnx.shape_inference.infer_shapes(light).graph
    values = (*graph.input, *graph.output, *graph.value_info)
    found = {item.name: item.type.tensor_type.elem_type for item in values}
    return found | {item.name: item.data_type for item in graph.initializer}


def _type(types: dict[str, int], name: str) -> int:
    if name not in types:
        raise ExportError(f"fp16: the type of {name!r} in the restorer cannot be inferred")
    return types[name]


def _rounded(weight: TensorProto) -> TensorProto:
    largest = np.finfo(np.float16).max
    values = np.clip(numpy_helper.to_array(weight), -largest, largest)
    return numpy_helper.from_array(values.astype(np.float16), weight.name + _SUFFIX)


def _cast(old: str, new: str, to: int) -> NodeProto:
    return helper.make_node("Cast", [old], [new], to=to)


def _rename(nodes: list[NodeProto], old: str, new: str) -> None:
    for node in nodes:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                if name == old:
                    names[k] = new
