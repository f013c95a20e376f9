"""What suits the amount of data: an architecture's own defaults for many examples, and the precision that is fast here.

An architecture names both in a literal: MANY = {"examples": 20_000, "options": {"width": 32}, "precision": "bfloat16"}.
"""

from pathlib import Path
from typing import Any

from dlcli.config import RunConfig
from dlcli.data import Data
from dlcli.registry import Entry

# As Linux names it: bfloat16 matrices multiplied by the processor itself (AMX).
_FAST = "amx_bf16"


def options(arch: Entry, data: Data) -> dict[str, Any]:
    """Options of the architecture that are other than usual where there is so much to train on."""
    return dict(_many(arch, data).get("options", {}))


def precision(config: RunConfig, arch: Entry, data: Data) -> str:
    """What "auto" means: the architecture's choice for so much data, where this machine is fast at it.

    Only where it was measured to be: on TensorFlow (benchmarks/step_cost.py).
    """
    if config.precision != "auto":
        return config.precision
    wanted = _many(arch, data).get("precision", "float32")
    return wanted if config.backend == "tensorflow" and _multiplies_bfloat16() else "float32"


def _many(arch: Entry, data: Data) -> dict[str, Any]:
    many = arch.literal("MANY", {})
    # before they are split, training gets the most of them
    examples = next((len(data.splits[part]) for part in ("train", "all") if part in data.splits), 0)
    return many if many and examples >= many["examples"] else {}


def _multiplies_bfloat16() -> bool:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(_FAST in line.split() for line in told.splitlines() if line.startswith("flags"))
