"""Every built-in of every kind, held to what the kit demands of third parties; no exceptions."""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colddiff_core.registry.components import Registered, registry
from colddiff_core.testing import parametrize_with_checks
from colddiff_plugins.datasets import cifar10, mnist

MORE: dict[str, list[dict[str, Any]]] = {
    "color-mask": [{"num_steps": 20, "std": 0.5, "std_step": 0.5, "reverse": False}],
    "desaturate": [{"schedule": "geometric", "factor": 0.5, "final_gray": True}],
    "gaussian-blur": [
        {"num_steps": 6, "kernel_size": 5, "std": 0.5, "std_step": 0.2, "padding": "reflect"},
        {"std": 1.0, "std_step": 0.1, "schedule": "exponential", "final_mean": True},
    ],
    "gaussian-mask": [{"num_steps": 1, "std": 3.0, "center": "random"}],
    "pixelate": [{"num_steps": 2, "filter": "bilinear"}],
    "snow": [{"num_steps": 10, "level": 3, "brighten": False}],
    "local-unet": [{"channels": 8, "multipliers": [1, 2, 2], "unshuffle": 1}],
    "unet": [{"channels": 8, "multipliers": [1, 2], "blocks": 2, "attention": True}],
    "channel-mean-gmm": [{"components": 3, "noise_std": 0.0}],
    "folder": [{"channels": 1, "test_fraction": 0.5}],
    "zip": [{"channels": 1, "test_fraction": 0.5}],
}
"""Parameters to try besides the defaults, by name; where a name is of two kinds, for neither."""


def write_mnist(folder: Path) -> Mapping[str, Any]:
    """Sixteen digits that pass for the original."""
    for split, name in mnist._FILES.items():
        digits = np.random.default_rng(len(split)).integers(0, 256, 16 * 28 * 28, np.uint8)
        packed = gzip.compress(bytes(16) + digits.tobytes(), mtime=0)
        (folder / name).write_bytes(packed)
        mnist._MD5[split] = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    return {"folder": folder}


def write_cifar10(folder: Path) -> Mapping[str, Any]:
    """Batches of four images that pass for the original."""
    for batch in cifar10._SHA256:
        images = np.random.default_rng(len(batch)).integers(0, 256, (4, 3_072), np.uint8)
        records = np.column_stack([np.zeros(4, np.uint8), images])
        (folder / f"{batch}.bin").write_bytes(records.tobytes())
        cifar10._SHA256[batch] = hashlib.sha256(images).hexdigest()
    return {"folder": folder}


@pytest.fixture(autouse=True)
def originals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small files pass for data sets whose checksums are known."""
    monkeypatch.setattr(mnist, "_MD5", dict(mnist._MD5))
    monkeypatch.setattr(cifar10, "_SHA256", dict(cifar10._SHA256))
    monkeypatch.setattr(cifar10, "_IMAGES", 4)
    monkeypatch.setattr(mnist.Mnist, "example_params", write_mnist)
    monkeypatch.setattr(mnist.MnistMini, "example_params", lambda _: {})
    monkeypatch.setattr(cifar10.Cifar10, "example_params", write_cifar10)


def conformance(item: Registered) -> Callable[[Callable[[], None]], None]:
    """The test of one component."""

    @pytest.mark.xdist_group(f"{item.kind} {item.name}")
    @parametrize_with_checks(item, cases=[{}, *MORE.get(item.name, [])])
    def test(check: Callable[[], None]) -> None:
        if item.name == "huggingface":
            pytest.importorskip("datasets", reason="pip install 'colddiff[huggingface]'")
        check()

    return test


BUILT_INS = [item for item in registry().components() if item.builtin]

for _item in BUILT_INS:
    globals()[f"test_{_item.kind}_{_item.name}"] = conformance(_item)


def test_the_parameters_are_of_built_ins() -> None:
    names = [item.name for item in BUILT_INS]
    assert [name for name in MORE if names.count(name) != 1] == []
