"""Programs in a fresh interpreter, where nothing is imported yet."""

import os
import subprocess
import sys

from colddiff_core.testing.verdict import CheckFailed


def run_python(program: str, *arguments: str) -> str:
    """Run a program in a fresh interpreter that imports from where this one does.

    Returns:
        What it printed on standard output.

    Raises:
        CheckFailed: it failed; the message ends with the last line it wrote.
    """
    # without our own switches, which may keep the plugin from being loaded
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COLDDIFF_")}
    done = subprocess.run(  # noqa: S603 - this interpreter and our own program
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if done.returncode:
        raise CheckFailed(f"a fresh interpreter fails: {(done.stderr.splitlines() or ['?'])[-1]}")
    return done.stdout
