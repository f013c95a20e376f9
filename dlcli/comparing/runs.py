"""Which of several finished runs is better, beyond doubt, on the same test examples?"""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from dlcli import alike, console, directions, plan, registry, splits
from dlcli import config as configuration
from dlcli.comparing import words
from dlcli.comparing.paired import difference
from dlcli.config import RunConfig
from dlcli.errors import DlcliError


def compared(paths: list[Path], *, backend: str | None = None, device: str | None = None) -> dict[str, Any]:
    """Score every run's model on its test split, and tell each pair apart or not.

    backend: None for that of the first run.
    Raises: DlcliError for runs that were not scored on the same examples.
    """
    opened = [configuration.recorded(path) for path in paths]
    parts = [_test(run, config) for run, config in opened]
    kinds = {run.read("spec.json")["task"] for run, _ in opened}
    if len(kinds) > 1:
        raise DlcliError(f"the runs have different tasks: {', '.join(sorted(kinds))}.", "compare runs of one task.")
    plan.each(registry.find("tasks", *kinds))
    first = parts[0]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        if part[2] != first[2]:
            raise DlcliError(
                f"{path} and {paths[0]} have different test examples ({len(part[2])} and {len(first[2])}).",
                "train both on the same data with the same --seed and data.parts.",
            )
    named = {"backend": backend} if backend else {}
    settings = configuration.checked(RunConfig, {**opened[0][1].model_dump(mode="json"), **named}, "the command")
    from dlcli import backend as engine

    engine.start(settings.backend, device=device or "auto", seed=settings.seed)
    scored = [_scored(run, examples) for (run, _), (_, examples, _) in zip(opened, parts, strict=True)]
    score = scored[0][0]
    ordered = first[0] in ("series", "corpus")
    rows = [
        {"run": str(path), "architecture": run.read("spec.json")["architecture"], "mean": float(values.mean())}
        for path, (run, _), (_, values) in zip(paths, opened, scored, strict=True)
    ]
    pairs = [
        _pair(score, rows[i]["run"], rows[j]["run"], difference(scored[i][1], scored[j][1], ordered=ordered))
        for i, j in combinations(range(len(rows)), 2)
    ]
    document = {"score": score, "test_examples": len(scored[0][1]), "runs": rows, "pairs": pairs}
    _show(document)
    return document


def _test(run, config) -> tuple[str, Any, list]:
    """The kind of the data, the test examples, and what they are."""
    found = plan.open_data(plan.locate(config), config)
    data, _ = splits.split(found, seed=config.seed, **plan.split_options(config))
    examples = data.splits.get("test")
    if examples is None:
        raise DlcliError(f"{run.path} has no test split.", "give more data, or --set data.parts=0.6,0.2,0.2.")
    if data.kind == "series":
        return data.kind, examples, [(span.name, span.start, span.stop, span.values.tobytes()) for span in examples.x]
    labels = [None] * len(examples) if examples.y is None else [str(label) for label in examples.y]
    return data.kind, examples, list(zip(alike.contents(data.kind, examples), labels, strict=True))


def _scored(run, examples) -> tuple[str, np.ndarray]:
    from dlcli import finished
    from dlcli.outputs import outputs

    model = finished.load(run)
    return model.task.per_example(outputs(model.model, model.task, model.task.source(examples, training=False)))


def _pair(score: str, a: str, b: str, found) -> dict[str, Any]:
    sign = directions.sign(score)
    better = a if found.better(sign) else b if found.better(-sign) else None
    return {"a": a, "b": b, **vars(found), "better": better}


def _show(document: dict[str, Any]) -> None:
    score = document["score"]
    best = sorted(document["runs"], key=lambda row: -directions.sign(score) * row["mean"])
    rows = [[row["run"], row["architecture"], words.value(score, row["mean"])] for row in best]
    title = f"the same {document['test_examples']:,} test examples"
    console.table(title, ["run", "architecture", score.replace("_", " ")], rows, numbers=2)
    for pair in document["pairs"]:
        half = (pair["high"] - pair["low"]) / 2
        told = f"{words.amount(score, pair['value'])} ± {words.amount(score, half, signed=False)} {words.unit(score)}"
        chance = f", McNemar p = {pair['p']:.2g}" if pair["p"] is not None else ""
        least = words.amount(score, pair["minimum"], signed=False)
        says = f"{pair['better']} is better" if pair["better"] else "they cannot be told apart"
        console.say(f"{pair['a']} minus {pair['b']}: {told} (95 %{chance}); least that can be told {least}: {says}.")
