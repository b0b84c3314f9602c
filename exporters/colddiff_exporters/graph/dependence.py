"""Which part of a network depends on the images."""

from onnx import GraphProto, ModelProto

from colddiff_exporters.graph.strip import strip


def named_copy(model: ModelProto) -> ModelProto:
    """A copy whose nodes can be told apart by name."""
    copy = ModelProto()
    copy.CopyFrom(model)
    strip(copy.graph)
    for k, node in enumerate(copy.graph.node):
        node.name = f"node_{k}"
    return copy


def depends_on(graph: GraphProto, name: str) -> set[str]:
    """Names of the nodes that an input reaches."""
    reached, nodes = {name}, set[str]()
    for node in graph.node:
        if reached.intersection(node.input):
            reached.update(node.output)
            nodes.add(node.name)
    return nodes
