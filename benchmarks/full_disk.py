"""A disk of a few hundred kB, really mounted, that is full while a training writes; then it is made larger.

    python benchmarks/full_disk.py [--backend tensorflow] [--sizes 8] [--seed 0]

Needs the right to mount (Linux, root). For every size, with checkpoints after every batch and with none before the end,
`dlcli train` must end with exit code 5, one sentence and no traceback; whatever checkpoint, model.keras or last.keras
lies there must be whole; and with more room `--resume` must end with the bits of a training that always had room.
Prints one JSON line; exit code 1 when something was lost or ended in another way.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

from kill_sweep import begin, ended, life, result

# Weights are most of what is written, so that the disk is full in the middle of them.
COMMAND = ["train", "digits:300", "--arch", "mlp", "--set", "arch.width=192", "--batch-size", "64", "--epochs", "12"]
SAVES = {"every batch": "0", "at the end": "1e9"}


class Disk:
    """A file system in memory of so many bytes."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir()

    def mount(self, size: int) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path], check=True)

    def grow(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", self.path], check=True)


def broken(run: Path) -> list[str]:
    """Checkpoints and models that are there and not whole, and what was left behind half written."""
    from dlcli import savepoints

    found = [str(path.relative_to(run)) for path in run.rglob(".tmp-*")]
    for path in savepoints.listed(run / "checkpoints"):
        try:
            savepoints.read(path)
        except Exception as error:
            found.append(f"{path.name}: {error}")
    for path in run.glob("*.keras"):
        try:
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
        except Exception as error:
            found.append(f"{path.name}: {error}")
    return found


def wrong(code: int, told: str) -> list[str]:
    """What is not as documented of a command that found the disk full."""
    found = [] if code == 5 else [f"exit code {code}"]
    errors = [line for line in told.splitlines() if line.startswith("Error:")]
    found += [] if len(errors) == 1 else [f"{len(errors)} sentences"]
    return found + ["a traceback" for _ in range(told.count("Traceback") or told.count("Exception ignored"))]


def sentence(told: str) -> str:
    """What was said, without the numbers."""
    line = next((line for line in told.splitlines() if line.startswith("Error:")), "nothing")
    return re.sub(r"/\S*/", "", re.sub(r"[\d.]*\d", "N", line))


def sweep(sizes: int, seed: int, folder: Path) -> dict:
    """Full disks of many sizes, after a training that had room."""
    begun, rng = time.monotonic(), random.Random(seed)
    straight, want, needed = {}, {}, {}
    for saves, every in SAVES.items():
        out = folder / f"straight{every}"
        straight[saves] = [*COMMAND, "--set", f"fit.save_every={every}", "--out"]
        code = ended(life([*straight[saves], str(out)], folder / "straight.log"))
        assert code == 0, (folder / "straight.log").read_text()[-2000:]
        want[saves] = result(out)
        needed[saves] = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    disk = Disk(folder / "disk")
    full, hit, faults, lost, differing = 0, Counter(), [], [], []
    for number in range(sizes * len(SAVES)):
        saves = list(SAVES)[number % len(SAVES)]
        part = (number // len(SAVES) + rng.random()) / sizes  # one in each stretch of equal length
        size = int((0.02 + 0.98 * part) * needed[saves])
        run, log = disk.path / "run", folder / f"full{number}.log"
        disk.mount(size)
        try:
            code = ended(life([*straight[saves], str(run)], log))
            told = log.read_text()
            if code == 0:  # there was room enough after all
                continue
            full += 1
            hit[sentence(told)] += 1
            name = f"{size} bytes, {saves}"
            faults += [f"{name}: {what}: {told[-600:]}" for what in wrong(code, told)]
            lost += [f"{name}: {what}" for what in broken(run)]
            disk.grow(20 * needed[saves])
            again = ["train", "--resume", str(run)] if (run / "origin.json").exists() else None
            if again is None:
                continue
            code = ended(life(again, log))
            if code or result(run) != want[saves]:
                differing.append(f"{name}: {code}: {log.read_text()[-600:]}")
        finally:
            disk.unmount()
    return {
        "sizes": sizes * len(SAVES), "full": full, "told": dict(hit), "faults": faults, "lost": lost,
        "differing": differing, "seconds": round(time.monotonic() - begun),
    }  # fmt: skip


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax"])
    found.add_argument("--sizes", type=int, default=8, help="full disks for each way to save")
    found.add_argument("--seed", type=int, default=0)
    return found


def main() -> None:
    chosen = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begin(chosen.backend, folder)
        found = sweep(chosen.sizes, chosen.seed, Path(folder))
    print(json.dumps({"backend": chosen.backend, **found}), flush=True)
    sys.exit(1 if found["faults"] or found["lost"] or found["differing"] else 0)


if __name__ == "__main__":
    main()
