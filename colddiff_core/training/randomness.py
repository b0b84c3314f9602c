"""Every random draw of a training run as a pure function of (seed, what, step, place).

A place is an image's position in the batch of all processes together, so that neither the number
of processes nor the parts that a batch is computed in change what is drawn for it.
"""

import hashlib
from functools import lru_cache

import torch


def derived_seed(seed: int, *keys: str | int) -> int:
    """A seed of its own for each purpose, 0 to 2^63 - 1."""
    name = "/".join(map(str, (seed, *keys)))
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, *keys: str | int) -> torch.Generator:
    """A CPU generator of its own for each purpose, e.g. `generator(seed, "level", step)`."""
    return torch.Generator().manual_seed(derived_seed(seed, *keys))


def batch_indices(step: int, length: int, batch_size: int, seed: int) -> list[int]:
    """The images of a step: one fresh permutation of the data set after the other.

    Args:
        step: from 1.
        length: number of images.
        batch_size: may exceed `length`.
        seed: the order depends on it and `length` alone.
    """
    start = (step - 1) * batch_size
    epochs = range(start // length, (start + batch_size - 1) // length + 1)
    indices = [index for epoch in epochs for index in _order(length, seed, epoch)]
    first = start - epochs.start * length
    return indices[first : first + batch_size]


@lru_cache(maxsize=2)  # a batch may lie across two epochs
def _order(length: int, seed: int, epoch: int) -> list[int]:
    order: list[int] = torch.randperm(length, generator=generator(seed, "order", epoch)).tolist()
    return order
