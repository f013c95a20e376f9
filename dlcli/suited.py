"""What suits the amount of data, the width of series and the architecture: its own defaults for many examples, the precision
that is fast here, batches of fewer windows, options of the task.

An architecture names the first two in a literal: MANY = {"examples": 20_000, "options": {"width": 32}, "precision": "bfloat16"}.
Defaults of its own for one task are another: WITH = {"sequence-classification": {"units": 128}}. Nothing of this is asked
where a run's own configuration says all: a run from before some option was there has the plain default of that.
"""

from pathlib import Path
from typing import Any

from dlcli import config as configuration
from dlcli.config import FitConfig, RunConfig
from dlcli.data import Data
from dlcli.registry import Entry

# As Linux names it: bfloat16 matrices multiplied by the processor itself (AMX).
_FAST = "amx_bf16"


def options(config: RunConfig, arch: Entry, task: Entry, data: Data) -> dict[str, Any]:
    """Options of the architecture that are other than usual for the task, or where there is so much to train on."""
    if config.written_out:
        return {}
    return arch.literal("WITH", {}).get(task.name, {}) | _many(arch, data).get("options", {})


def wide(arch: Entry, task: Entry, data: Data, task_options: dict[str, Any]) -> int:
    """How many times the usual number of columns (COLUMNS of the task) a series has, where each is an example by itself.

    Of a made table like electricity (321 columns by the hour, 336 steps of history, 96 ahead) a step of patchtst did not end
    within 20 s in batches of 32 windows, on half of one core.
    """
    usual = task.literal("COLUMNS", 0)
    if not usual or arch.literal("MIXES", False) or not task_options.get("independent", True):
        return 1
    series = next(iter(data.splits.values())).x
    return max(1, round(series[0].values.shape[1] / usual)) if len(series) else 1


def fit(config: RunConfig, arch: Entry, task: Entry, wide: int) -> FitConfig:
    """The settings of training; a default batch holds fewer windows of a wide series."""
    if config.written_out:
        return configuration.fit_config(None, config.options("fit"))
    chosen = configuration.fit_config(arch, config.options("fit"), task)
    if "batch_size" in config.options("fit"):
        return chosen
    return chosen.model_copy(update={"batch_size": max(1, chosen.batch_size // wide)})


def prepared(config: RunConfig, arch: Entry, task: Entry, wide: int) -> dict[str, Any]:
    """Those options of the task that the architecture has other defaults for, its literal TASK = {"shift": 0.04}; and
    fewer windows in a pass over a wide series."""
    if config.written_out:
        return {}
    own = {name: value for name, value in arch.literal("TASK", {}).items() if name in task.options}
    return own | ({"per_pass": task.options["per_pass"].default // wide} if wide > 1 else {})


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
