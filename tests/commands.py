"""Run the command line from a test."""

import os
import subprocess
import sys
from pathlib import Path


def colddiff(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "colddiff_cli", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={
            **os.environ,
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",  # pytest-xdist fills the cores
        },
        timeout=300,
        check=False,
    )


def succeed(*args: object, cwd: Path | None = None) -> str:
    done = colddiff(*args, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(code: str, cwd: Path | None = None) -> set[str]:
    probe = f"import sys\n{code}\nprint('|'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=cwd
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split("|")}


def run_in_process(*args: str) -> str:
    return (
        f"sys.argv = ['colddiff', *{list(args)!r}]\n"
        "from colddiff_cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    )
