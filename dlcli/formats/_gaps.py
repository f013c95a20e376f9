"""Values of a series as float32, NaN where there is a gap."""

import numpy as np


def finite(values: list[float]) -> np.ndarray:
    """float32 (T,). Raises: ValueError for what is infinite, or becomes so in float32."""
    with np.errstate(over="ignore"):
        found = np.array(values, np.float32)
    odd = np.flatnonzero(np.isinf(found))
    if len(odd):
        raise ValueError(f"value {odd[0] + 1}, {values[odd[0]]:g}, is infinite or beyond float32")
    return found
