"""An ONNX file as a protobuf message, written anew from what was read.

ONNX Runtime is given the new bytes: whatever another parser might make of the old ones, it sees
what was judged. The schema, `onnx_schema.pb`, is that of the onnx package (Apache-2.0), which need
not be installed where files are run; `scripts/onnx_operators.py` writes it.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

MAX_FIELDS = 1_000_000
"""Most fields of a file; weights are one field each, so even large networks have thousands."""

MAX_DEPTH = 24
"""Of messages in messages: the loop's body, a branch in it, and some to spare."""

_WIDTHS = {1: 8, 5: 4}  # bytes, by wire type
_REFUSED = {
    "training_info": "a training graph",
    "functions": "local functions",
    "sparse_initializer": "sparse weights",
}
_ALLOWED = {
    "ModelProto": "ir_version producer_name producer_version domain model_version graph "
    "opset_import metadata_props",
    "OperatorSetIdProto": "domain version",
    "StringStringEntryProto": "key value",
    "GraphProto": "node name initializer input output value_info",
    "NodeProto": "input output name op_type domain attribute",
    "AttributeProto": "name type f i s t g floats ints strings",
    "TensorProto": "name dims data_type raw_data float_data int32_data int64_data double_data "
    "external_data data_location",
    "ValueInfoProto": "name type",
    "TypeProto": "tensor_type",
    "Tensor": "elem_type shape",
    "TensorShapeProto": "dim",
    "Dimension": "dim_value dim_param denotation",
}
"""The fields that exports have, by message; `doc_string` and notes of its maker are dropped."""

_DROPPED = {"doc_string", "metadata_props", "denotation"}


class UnsafeFileError(ValueError):
    """The file holds something that no export holds."""


def parse(content: bytes) -> Any:
    """Read a file as a ModelProto.

    Raises:
        ValueError: it is no such message.
        UnsafeFileError: it has a field that no export has.
    """
    _count(memoryview(content), _model_class().DESCRIPTOR, MAX_FIELDS, MAX_DEPTH)
    try:
        model = _model_class().FromString(content)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    model.DiscardUnknownFields()
    _check_fields(model)
    return model


def entries(model: Any) -> dict[str, str]:
    """The metadata.

    Raises:
        UnsafeFileError: something is said twice.
    """
    found = {item.key: item.value for item in model.metadata_props}
    if len(found) < len(model.metadata_props):
        raise UnsafeFileError("two metadata entries of one name")
    return found


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and all graphs inside."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


@cache
def _model_class() -> Any:
    """The class of messages, in a pool of its own: onnx registers the same names."""
    schema = files(__package__).joinpath("onnx_schema.pb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(schema))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx.ModelProto"))


def _check_fields(message: Any) -> None:
    name = message.DESCRIPTOR.name
    allowed = _ALLOWED.get(name, "").split()
    for field, value in message.ListFields():
        if field.name not in allowed and field.name in _DROPPED:
            message.ClearField(field.name)
        elif field.name not in allowed:
            raise UnsafeFileError(_REFUSED.get(field.name, f"a {name} with {field.name!r}"))
        elif field.message_type is not None:
            for inner in value if field.is_repeated else (value,):
                _check_fields(inner)


def _count(message: memoryview, kind: Any, left: int, depth: int) -> int:
    """Count the fields before they take a hundred times their space; how many more there may be."""
    if depth == 0:
        raise UnsafeFileError("graphs in graphs, too deep")
    inner = {field.number: field.message_type for field in kind.fields if field.message_type}
    position = 0
    while position < len(message):
        left -= 1
        if left < 0:
            raise UnsafeFileError(f"more than {MAX_FIELDS:,} fields")
        key, position = _varint(message, position)
        if key & 7 == 0:
            _, position = _varint(message, position)
        elif key & 7 == 2:
            size, position = _varint(message, position)
            if key >> 3 in inner:
                part = message[position : position + size]
                left = _count(part, inner[key >> 3], left, depth - 1)
            position += size
        else:
            position += _WIDTHS.get(key & 7, len(message))
    return left


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    for byte in message[position : position + 10]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, position + max(shift // 7, 1)
