"""Laws of data sets: two splits of uint8 images, fetched in the order asked for."""

from contextlib import suppress

import torch
from torch import Tensor

from colddiff_core.contracts.dataset import ImageDataset, Split
from colddiff_core.testing.check import check
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import drawn_from

SPLITS: tuple[Split, ...] = ("train", "test")

SOME = 64
"""How many images of a split are looked at, so that large sets are checked quickly, too."""


@check("dataset")
def both_splits_have_images(subject: Subject) -> None:
    """There is something to learn from, and something held out: an image at least in each split."""
    for split, data in _both(subject).items():
        if not isinstance(len(data), int) or len(data) < 1:
            raise CheckFailed(f"split={split!r} is empty")


@check("dataset", essential=True)
def images_are_uint8(subject: Subject) -> None:
    """`images` gives (n, C, H, W) uint8 on the CPU, of the same `image_shape` in both splits.

    Channels come before height and width; value_range.to_uint8 maps [-1, 1] to bytes.
    """
    both = _both(subject)
    for split, data in both.items():
        if tuple(data.image_shape) != tuple(both["train"].image_shape):
            raise CheckFailed("image_shape differs between the splits")
        batch, expected = data.images(_some(data)), (len(_some(data)), *data.image_shape)
        if not isinstance(batch, Tensor):
            raise CheckFailed(f"images returns a {type(batch).__name__}, not a tensor")
        if (batch.dtype, tuple(batch.shape), batch.device.type) != (torch.uint8, expected, "cpu"):
            raise CheckFailed(
                f"split={split!r}: {len(_some(data))} images are {batch.dtype} "
                f"{tuple(batch.shape)} on {batch.device}, not torch.uint8 {expected} on the CPU"
            )


@check("dataset")
def order_of_the_indices(subject: Subject) -> None:
    """Images come in the order asked for, the same one as often as it is asked for."""
    for split, data in _both(subject).items():
        one_by_one = {k: data.images([k])[0] for k in {*_some(data, 8), len(data) - 1}}
        indices = [*sorted(one_by_one, reverse=True), *one_by_one, len(data) - 1]
        for k, image in zip(indices, data.images(indices), strict=True):
            if not torch.equal(image, one_by_one[k]):
                raise CheckFailed(
                    f"split={split!r}: images({indices}) does not give image {k} where it was "
                    f"asked for"
                )


@check("dataset")
def takes_a_range_and_no_index(subject: Subject) -> None:
    """`images` takes any sequence of integers, a range or an empty list as well."""
    data = _both(subject)["train"]
    some = range(len(_some(data)))
    for indices in (some, tuple(some)):
        if not torch.equal(data.images(indices), data.images(list(indices))):
            raise CheckFailed(f"images({indices}) is not images({list(indices)})")
    found, expected = tuple(data.images([]).shape), (0, *data.image_shape)
    if found != expected:
        raise CheckFailed(f"images([]) has shape {found}, not {expected}")


@check("dataset")
def index_out_of_range_is_an_error(subject: Subject) -> None:
    """An index beyond the last image raises IndexError, and fetches no other."""
    for split, data in _both(subject).items():
        with suppress(IndexError, ValueError):
            data.images([len(data)])
            raise CheckFailed(
                f"split={split!r}: images([{len(data)}]) of {len(data)} images raises no IndexError"
            )


@check("dataset")
def results_are_copies(subject: Subject) -> None:
    """Changing a batch changes nothing in the set."""
    data = _both(subject)["train"]
    before = data.images(_some(data)).clone()
    for indices in (_some(data), range(len(_some(data)))):
        data.images(indices).fill_(255).sub_(data.images([0]))
    if not torch.equal(data.images(_some(data)), before):
        raise CheckFailed("images returns a view: changing it changes the set; index with a list")


@check("dataset")
def context_goes_with_the_images(subject: Subject) -> None:
    """`context` gives finite tensors on the CPU, the batch in front, in the order asked for.

    One row for each index, whatever else is asked for; value_range.from_uint8 maps bytes.
    """
    for split, data in _both(subject).items():
        indices = [len(data) - 1, *_some(data, 3)]
        alone = [data.context([k]) for k in indices]
        for name, value in data.context(indices).items():
            asked = f"split={split!r}: context({indices})[{name!r}]"
            if not isinstance(value, Tensor) or value.device.type != "cpu":
                raise CheckFailed(f"{asked} is no tensor on the CPU")
            if value.shape[:1] != (len(indices),):
                raise CheckFailed(f"{asked} has shape {tuple(value.shape)}")
            if value.is_floating_point() and not value.isfinite().all():
                raise CheckFailed(f"{asked} is not finite")
            if not all(
                name in one and torch.equal(one[name][0], row)
                for one, row in zip(alone, value, strict=True)
            ):
                raise CheckFailed(f"{asked} is not what each index gives alone")


@check("dataset")
def opens_the_same(subject: Subject) -> None:
    """Opened again, it holds the same images in the same order, and nothing is drawn at random.

    Training does the shuffling.
    """
    for split, data in _both(subject).items():
        first = data.images(_some(data))
        with drawn_from() as drawn:
            other: ImageDataset = subject.build(split=split)
            again = other.images(_some(other))
        if drawn:
            raise CheckFailed(f"split={split!r} draws from {drawn[0]}")
        if len(other) != len(data) or not torch.equal(again, first):
            raise CheckFailed(f"split={split!r} holds other images, or another order, each time")


@check("dataset")
def splits_do_not_share(subject: Subject) -> None:
    """What is held out is not what is learnt from.

    The argument `split` says which part is meant.
    """
    both = _both(subject)
    learnt = {image.numpy().tobytes() for image in both["train"].images(_some(both["train"], 1000))}
    held_out = {image.numpy().tobytes() for image in both["test"].images(_some(both["test"]))}
    # A few equal images are in many sets; all of them are so only where the split is not looked at
    if held_out <= learnt:
        raise CheckFailed(f"all of {len(held_out)} images of split='test' are in split='train'")


def _both(subject: Subject) -> dict[Split, ImageDataset]:
    return {split: subject.build(split=split) for split in SPLITS}


def _some(data: ImageDataset, most: int = SOME) -> list[int]:
    """Indices from the first image on."""
    return list(range(min(len(data), most)))
