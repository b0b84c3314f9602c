"""Train the classifier whose features `colddiff evaluate --features mnist-classifier` uses.

    python scripts/train_mnist_classifier.py FOLDER

FOLDER holds the four files of MNIST. Two minutes on two cores. Put the checksum it prints into
`colddiff_core/evaluation/features/mnist_classifier.py`: another machine's rounding gives other
weights, and numbers that were taken on other weights cannot be compared.
"""

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import build
from colddiff_core.evaluation.features.mnist_classifier import FILE, MnistClassifier

EPOCHS, BATCH, LR = 6, 128, 2e-3


def labelled(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """(N, 1, 32, 32) uint8 digits and (N,) int64 labels."""
    dataset = build("dataset", "mnist", split=split, folder=folder)
    name = {"train": "train", "test": "t10k"}[split]
    packed = (folder / f"{name}-labels-idx1-ubyte.gz").read_bytes()
    labels = np.frombuffer(gzip.decompress(packed), dtype=np.uint8, offset=8)
    return dataset.images(range(len(dataset))), torch.from_numpy(labels.astype(np.int64))


def main() -> None:
    """Train, print the accuracy on the test images, write the weights in half precision."""
    torch.manual_seed(0)
    folder = Path(sys.argv[1])
    digits, labels = labelled(folder, "train")
    classifier = MnistClassifier()
    optimizer = torch.optim.AdamW(classifier.parameters(), LR)
    steps = EPOCHS * (len(digits) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(digits))
        for k in range(0, len(digits) - BATCH + 1, BATCH):
            chosen = order[k : k + BATCH]
            loss = F.cross_entropy(classifier.scores(digits[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.4f}")
    content = save({name: w.half() for name, w in classifier.state_dict().items()})
    classifier.half().float()  # what is stored is what is tested
    digits, labels = labelled(folder, "test")
    with torch.no_grad():
        right = (classifier.scores(digits).argmax(1) == labels).float().mean().item()
    FILE.write_bytes(content)
    print(f"{right:.4f} of the test digits are right; {len(content):,} bytes, sha256")
    print(hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
