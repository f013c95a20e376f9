"""Let a finished run's generator draw, and write down what it drew."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dlcli import console, finished, rundir
from dlcli.errors import counted
from dlcli.grid import grid
from dlcli.reference import Reference


def generate(reference: Reference, options: dict[str, Any], *, out: Path | None) -> dict[str, Any]:
    """Draw with `task.generate`; pictures go into one PNG, texts into one file and onto the screen.

    Returns: the report, as `--json` prints it.
    """
    opened = finished.opened(reference)
    begun = time.monotonic()
    drawn = opened.task.generate(opened.model, **options)
    seconds = round(time.monotonic() - begun, 2)
    report = {"run": reference.text, "task": opened.spec["task"], "n": len(drawn), "seconds": seconds}
    stem = f"seed-{options.get('seed', 0)}"
    if isinstance(drawn, np.ndarray):
        target = out or opened.folder / "generate" / f"{stem}.png"
        picture = Image.fromarray(grid(drawn))
        rundir.commit(target, lambda temporary: picture.save(temporary, format="PNG"))
        console.say(f"{counted(len(drawn), 'picture')} in {seconds:.1f} s: {target}")
    else:
        target = out or opened.folder / "generate" / f"{stem}.txt"
        text = "\n\n".join(drawn)
        rundir.commit(target, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))
        for one in drawn:
            console.say(one)
        console.note(f"{counted(len(drawn), 'text')} in {seconds:.1f} s: {target}")
        report["texts"] = list(drawn)
    return report | {"file": str(target)}
