"""How much memory is left, asked before a file is read that might not fit."""

import os
import resource
from pathlib import Path

from dlcli.errors import DataError

SHARE = 0.8  # of what is free: training needs some too

_LIMITS = (  # (limit, use) of the group of processes that the system counts together
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def check(needed: float, what: str) -> None:
    """Raises: DataError, with both numbers, when so many bytes would not fit into free memory."""
    left = free()
    if needed > SHARE * left:
        raise DataError(
            f"{what} would take about {needed / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB are free.",
            "give a part of it, or use a machine with more memory.",
        )


def free() -> int:
    """Bytes that this process may still take: of the machine, of its group, of its own limit."""
    rooms = [_of_machine()]
    for limit, use in _LIMITS:
        most, used = _number(limit), _number(use)
        if most is not None and used is not None:
            rooms.append(most - used)
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        rooms.append(soft - _taken())
    return max(0, min(rooms))


def _of_machine() -> int:
    """Free memory; where the system does not say so, half of all memory."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = next(line for line in file if line.startswith("MemAvailable"))
        return int(found.split()[1]) * 1024
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _taken() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or "max"
        return None
