"""How long `colddiff plugins list` takes with many plugins installed, and without.

    python benchmarks/startup.py [--plugins 100] [--repeats 7]

The plugins are made in a temporary folder, each with metadata, a requirement, a hook and the module
of a degradation, and have been imported once, as pip leaves them compiled.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

INIT = """\
from colddiff_core import Component, hookimpl


@hookimpl
def colddiff_degradations():
    return [Component("fog-{k}", "fog_{k}.fog:Fog", "Fog number {k}")]
"""
FOG = """\
import torch
from colddiff_core import Degradation


class Fog(Degradation):
    def forward(self, x0, t, context=None):
        return torch.lerp(x0, torch.ones_like(x0), t[:, None, None, None] / self.num_steps)
"""
METADATA = "Metadata-Version: 2.1\nName: fog-{k}\nVersion: 1.0\nRequires-Dist: colddiff>=0.1\n"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for k in range(options.plugins):
            write(Path(folder), k)
        seconds = {}
        for label, path in (("none", ""), (f"{options.plugins}", folder)):
            list_plugins(path)
            seconds[label] = statistics.median(list_plugins(path) for _ in range(options.repeats))
    print(f"{'plugins':>8} {'seconds':>8}")
    for label, median in seconds.items():
        print(f"{label:>8} {median:8.3f}")
    alone, together = seconds.values()
    print(f"{(together - alone) / options.plugins * 1e3:.2f} ms for each plugin")


def write(folder: Path, k: int) -> None:
    """Put a distribution into `folder` as pip would."""
    files = {
        f"fog_{k}/__init__.py": INIT.format(k=k),
        f"fog_{k}/fog.py": FOG,
        f"fog_{k}-1.0.dist-info/METADATA": METADATA.format(k=k),
        f"fog_{k}-1.0.dist-info/entry_points.txt": f"[colddiff]\nfog-{k} = fog_{k}\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def list_plugins(path: str) -> float:
    """Seconds that the command takes with `path` on the import path."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "colddiff_cli", "plugins", "list"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
