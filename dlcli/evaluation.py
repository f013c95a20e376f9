"""Score a finished run once more, and count how often its test split was looked at."""

import itertools
import re
import time
from pathlib import Path
from typing import Any

from dlcli import console, fingerprint, finished, rundir, scoring
from dlcli.data import Data, Examples
from dlcli.materials import LEARNED
from dlcli.reference import Reference
from dlcli.rundir import Run

# Characters of a set's name in the name of a file: of up to four bytes each, of which a file system takes 255.
_LONGEST = 40


def evaluate(
    reference: Reference, data: Data, *, path: str, name: str, examples: Examples, own: bool
) -> dict[str, Any]:
    """The report of a model on one split, as `--json` prints it; of a run also written into it.

    path: where the data lies.  own: whether it is what the run was trained on; then the baselines are fitted anew on
    its training split.
    """
    opened = finished.opened(reference)
    begun = time.monotonic()
    train = data.splits.get("train")
    part = name if own else _own_part(opened.run, data.kind, examples)
    seen = train if own and part not in LEARNED else None
    report = scoring.score(opened.task, opened.model, examples, seen)
    scored = time.monotonic()
    # of what can be scored: a file that lacks columns has been refused
    learned = part in LEARNED or (not own and not part and _mostly_learned(opened, data, examples))
    found = scoring.rivals(opened.spec["task"], opened.task, train, examples) if own and train is not None else []
    looks = _count(opened.run) if part == "test" else None
    adapted = opened.run is not None and opened.run.adapted
    document = {
        "run": reference.text,
        "data": path,
        "task": opened.spec["task"],
        "architecture": opened.spec["architecture"],
        "parameters": opened.model.count_params(),
        "metrics": {name: scoring.document(report)},
        "baselines": {rival.name: {name: scoring.document(rival.report)} for rival in found},
        "formulas": report.formulas,
        "tables": report.tables,
        "seconds": {"scoring": round(scored - begun, 2), "baselines": {r.name: round(r.seconds, 2) for r in found}},
        "looks_at_test": looks,
        "verdict": scoring.verdict(opened.task, report, found, data if own else None, learned=learned, adapted=adapted),
    }
    if opened.run:
        opened.run.write(f"evaluate/{name}.json" if own else _file(opened.run, name, path), document)
    title = f"{document['task']} with {opened.short}: {name} split, 95 % intervals"
    scoring.show(title, opened.short, report, found, document["verdict"])
    for table, rows in report.tables.items():
        if 0 < len(rows) <= 30:
            console.table(table.replace("_", " "), list(rows[0]), [[*row.values()] for row in rows])
    if looks and looks > 1:
        console.warn(f"this run's test split has been scored {looks} times; what is chosen by it is no longer a test.")
    return document


def _file(run: Run, name: str, path: str) -> str:
    """Where scores of other data are kept: other sets of the same name have files of their own."""
    first = f"evaluate/{name}-{_called(path)}"
    files = itertools.chain([f"{first}.json"], (f"{first}-{number}.json" for number in itertools.count(2)))
    own = Path(path).resolve()
    return next(
        file for file in files if not (run.path / file).is_file() or Path(run.read(file)["data"]).resolve() == own
    )


def _called(path: str) -> str:
    """What data is called, as a part of a file's name."""
    return re.sub(r"\W+", "-", Path(path).resolve().name)[:_LONGEST].strip("-") or "data"


def _own_part(run: Run | None, kind: str, examples: Examples) -> str:
    """The split of the run whose very examples these are, however they were named; "" where they are of none."""
    if run is None or not (run.path / rundir.ORIGIN).is_file():
        return ""
    known = run.read(rundir.ORIGIN)["data"]
    contents = fingerprint.of(Data(kind=kind, splits={"these": examples}))["these"]["contents"]
    return next((part for part in ("test", "val", "train") if known.get(part, {}).get("contents") == contents), "")


def _mostly_learned(opened: finished.Finished, data: Data, examples: Examples) -> bool:
    """Whether most of these examples were trained on; any that were are told."""
    columns = [column["name"] for column in getattr(opened.task, "columns", [])] if data.kind == "table" else None
    known = fingerprint.learned(opened.run, data, examples, columns) if opened.run else 0
    if known:
        console.warn(
            f"{known:,} of {len(examples):,} examples are equal to some that this run was trained on: of these the scores"
            " tell nothing."
        )
    return 2 * known > len(examples)


def _count(run: Run) -> int:
    """One more look at the test split."""
    path = run.path / "evaluate" / "looks.json"
    looks = (run.read("evaluate/looks.json")["test"] if path.is_file() else 1) + 1
    run.write("evaluate/looks.json", {"test": looks})
    return looks
