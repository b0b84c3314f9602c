"""Drop what torch's exporter notes for itself: stack traces, module paths, doc strings."""

from onnx import GraphProto


def strip(graph: GraphProto) -> None:
    """Strip a graph and the graphs inside, in place."""
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
                strip(attribute.g)
