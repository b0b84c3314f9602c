"""A digest of the whole file, in its own metadata, with the digest's place left blank.

It tells damage and careless editing, which a picture restored by the file would not show. It is no
signature: whoever edits on purpose can write a new one, which is what the other checks are for.
"""

import hashlib
from collections.abc import Mapping

KEY = "colddiff.digest"
BLANK = "0" * 64


def sealed(content: bytes) -> bytes:
    """Fill in the digest of a file whose digest entry is `BLANK`.

    Args:
        content: a serialised model with the metadata entry `KEY`: `BLANK`.
    """
    entry = KEY.encode() + b"\x12\x40" + BLANK.encode()  # field 2, 64 bytes
    start = content.rindex(entry) + len(entry) - len(BLANK)  # the metadata comes last
    return content[:start] + _digest(content, start) + content[start + len(BLANK) :]


def is_sealed(content: bytes, properties: Mapping[str, str], places: Mapping[str, int]) -> bool:
    """Whether not a byte has changed since `sealed`."""
    found = properties.get(KEY, "")
    return len(found) == len(BLANK) and found.encode() == _digest(content, places[KEY])


def _digest(content: bytes, start: int) -> bytes:
    digest = hashlib.sha256(memoryview(content)[:start])
    digest.update(BLANK.encode())
    digest.update(memoryview(content)[start + len(BLANK) :])
    return digest.hexdigest().encode()
