"""The protobuf wire format, read without copying and without trust.

A message is a row of fields, each a key (number and wire type) and a value. Groups, which proto3
dropped, are refused, so that depth is bounded by the reader's own descent.
"""

from collections.abc import Iterator
from typing import NamedTuple

MAX_FIELDS = 5_000_000
"""Most fields of a file; weights are one field each, so even large networks have thousands."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}


class WireError(ValueError):
    """The bytes are not a protobuf message."""


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: which field.
        value: an integer, or the bytes of a string, a message or packed numbers.
        start: where the value lies in the message.
    """

    number: int
    value: "int | memoryview"
    start: int


class Reader:
    """Reads messages of one file and counts the fields, so that no file takes for ever."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS

    def fields(self, message: memoryview) -> Iterator[Field]:
        """The fields of a message, in order.

        Raises:
            WireError: truncated, a wire type that ONNX does not use, or far too many fields.
        """
        position = 0
        while position < len(message):
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {MAX_FIELDS:,} fields")
            key, position = varint(message, position)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise WireError("a field without a number")
            if kind == _VARINT:
                value, end = varint(message, position)
                yield Field(number, value, position)
                position = end
                continue
            if kind == _BYTES:
                size, position = varint(message, position)
            elif kind in _SIZES:
                size = _SIZES[kind]
            else:
                raise WireError(f"wire type {kind}")
            if size > len(message) - position:
                raise WireError("cut short")
            yield Field(number, message[position : position + size], position)
            position += size


def varint(message: memoryview, position: int) -> tuple[int, int]:
    """Read an unsigned integer of up to 64 bits: (value, position after it).

    Raises:
        WireError: truncated or longer than ten bytes.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise WireError("cut short")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
    raise WireError("an integer of more than ten bytes")


def signed(value: int) -> int:
    """An int64 from the unsigned integer that stands for it."""
    return value - 2**64 if value >= 2**63 else value


def integers(value: "int | memoryview") -> Iterator[int]:
    """The int64 numbers of a repeated field, packed or not.

    Raises:
        WireError: truncated.
    """
    if isinstance(value, int):
        yield signed(value)
        return
    position = 0
    while position < len(value):
        number, position = varint(value, position)
        yield signed(number)


def text(value: "int | memoryview") -> str:
    """A string field.

    Raises:
        WireError: not UTF-8, or a number.
    """
    try:
        return str(data(value), "utf-8")
    except UnicodeDecodeError as error:
        raise WireError("text that is not UTF-8") from error


def data(value: "int | memoryview") -> memoryview:
    """The bytes of a field that has to have bytes.

    Raises:
        WireError: it is a number.
    """
    if isinstance(value, int):
        raise WireError("a number where bytes belong")
    return value
