"""What tests of all parts use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def shared(path: str) -> Path:
    """A file or folder of the data beside the checkout; the test is skipped where it is missing."""
    found = Path(__file__).parents[2] / "shared" / "data" / path
    if not found.exists():
        pytest.skip(f"{found} is not on this machine")
    return found


def benchmark(name: str, *arguments: str) -> dict:
    """The JSON line that a script of benchmarks/ prints, run in a process of its own."""
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    return json.loads(done.stdout)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)
