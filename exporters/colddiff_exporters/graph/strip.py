"""Drop what nobody reads: the notes of torch's exporter, and constants that are not used."""

from onnx import GraphProto

from colddiff_exporters.gate.message import graphs


def strip(graph: GraphProto) -> None:
    """Strip a graph and the graphs inside, in place."""
    for inner in graphs(graph):
        named = (*inner.node, *inner.input, *inner.output, *inner.value_info, *inner.initializer)
        for item in (inner, *named):
            item.ClearField("doc_string")
            item.ClearField("metadata_props")


def drop_unused(graph: GraphProto) -> set[str]:
    """Drop the initializers that no node reads, inside as well; ONNX Runtime warns of each.

    Returns:
        The names that the nodes read, those of an outer graph among them.
    """
    used = {item.name for item in graph.output}
    for node in graph.node:
        used.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                used |= drop_unused(attribute.g)
    kept = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return used
