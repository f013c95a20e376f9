"""What tests of all parts use."""

from pathlib import Path

import numpy as np
import pytest


def shared(path: str) -> Path:
    """A file or folder of the data beside the checkout; the test is skipped where it is missing."""
    found = Path(__file__).parents[2] / "shared" / "data" / path
    if not found.exists():
        pytest.skip(f"{found} is not on this machine")
    return found


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)
