"""Every random draw of a training run as a pure function of (seed, what, step)."""

import hashlib
from collections.abc import Iterator

import torch


def generator(seed: int, *keys: str | int) -> torch.Generator:
    """A CPU generator of its own for each purpose, e.g. `generator(seed, "level", step)`."""
    name = "/".join(map(str, (seed, *keys)))
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def batches(length: int, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Endless batches of indices: one fresh permutation of the data set after the other.

    Args:
        length: number of images.
        batch_size: may exceed `length`.
        seed: the order depends on it and `length` alone.
    """
    epoch = 0
    waiting: list[int] = []
    while True:
        while len(waiting) < batch_size:
            order = torch.randperm(length, generator=generator(seed, "order", epoch))
            waiting += order.tolist()
            epoch += 1
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]
