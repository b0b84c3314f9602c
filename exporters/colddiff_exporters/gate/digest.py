"""A digest of the whole file, in its own metadata, with the digest's place left blank.

It tells damage and careless editing, which a picture restored by the file would not show. It is no
signature: whoever edits on purpose can write a new one, which is what the other checks are for.
"""

import hashlib

KEY = "colddiff.digest"
BLANK = "0" * 64


def sealed(content: bytes) -> bytes:
    """Fill in the digest of a file whose digest entry is `BLANK`.

    Args:
        content: a serialised model with the metadata entry `KEY`: `BLANK`.
    """
    start = _place(content, BLANK)
    return content[:start] + _digest(content, start) + content[start + len(BLANK) :]


def is_sealed(content: bytes, found: str) -> bool:
    """Whether not a byte has changed since `sealed`, going by the digest that was found."""
    start = _place(content, found) if len(found) == len(BLANK) else -1
    return start > 0 and found.encode() == _digest(content, start)


def _place(content: bytes, value: str) -> int:
    """Where the last entry `KEY`: `value` has its value; the metadata comes last."""
    entry = KEY.encode() + b"\x12\x40" + value.encode()  # field 2, 64 bytes
    return content.rfind(entry) + len(entry) - len(value)


def _digest(content: bytes, start: int) -> bytes:
    digest = hashlib.sha256(memoryview(content)[:start])
    digest.update(BLANK.encode())
    digest.update(memoryview(content)[start + len(BLANK) :])
    return digest.hexdigest().encode()
