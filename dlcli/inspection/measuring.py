"""Inspect a subject on a budget: from the table of its layers to what each of them has learned."""

import time
from fnmatch import fnmatch
from typing import Any

import keras
import numpy as np

from dlcli import __version__, registry
from dlcli.errors import DlcliError
from dlcli.inspection import gates, geometry, judged, levels_told, methods, own_level, strip, tap, taps, tree
from dlcli.inspection.rows import FEWER, KEPT, DataPass, data_pass
from dlcli.inspection.subject import Subject, batch_size, batches
from dlcli.inspection.view import Finding, View
from dlcli.inspection.watch import Watch, timed
from dlcli.stimuli._level import CATEGORY

SCHEMA_VERSION = 1
# Timed passes of a network that is not heavy, beyond one that warms up.
REPEATS = 3
BUDGETS = ("static", "fast", "standard", "deep")


def inspect(subject: Subject, *, budget: str, only: list[str], seed: int) -> tuple[dict[str, Any], View | None]:
    """The document of a model, and what it was made from (None at budget static).

    only: patterns of layer names; without any, all layers are measured.
    """
    document, view = _inspected(subject, budget=budget, only=only, seed=seed)
    if failed := ", ".join(dict.fromkeys(gate["name"] for gate in document["gates"] if not gate["passed"])):
        document["verdict"] += f" Failed checks: {failed}."
    return document, view


def _inspected(subject: Subject, *, budget: str, only: list[str], seed: int) -> tuple[dict[str, Any], View | None]:
    begun = time.perf_counter()
    visits = tap.traced(subject.model)
    rows = tree.layers(subject.model, visits)
    document = _static(subject, rows, budget, seed)
    seconds = document["seconds"]
    places = [] if budget == "static" else _places(visits, rows, only, rest=subject.judge)
    judge = None
    if subject.judge is not None:
        asked = not only or bool(_matching(taps.chosen(tap.traced(subject.judge.model)), only))
        judge, _ = _inspected(subject.judge, budget=budget if asked else "static", only=only, seed=seed)
        judged.add_rows(document, judge)
    if not places:
        if judge is not None:
            judged.add_rest(document, judge)
        seconds["total"] = time.perf_counter() - begun
        return document, None
    size = batch_size(visits)
    keys = [place.key for place in places]
    apart = {v.key for v in visits if v.key in keys and v.output.shape[0] not in (None, 1)}
    watch = Watch(subject.model, keys, apart=apart, first={place.key for place in places if place.axis == 1})
    depth = BUDGETS.index(budget)
    heavy = document["model"]["flops"] > strip.HEAVY
    data = _data(subject, watch, places, visits, size, seed, seconds, FEWER if heavy else KEPT)
    levels = None
    if depth >= 2 and subject.stimuli is not None:
        started = time.perf_counter()
        document["warnings"] += own_level.left_out(subject)
        subject.stimuli = own_level.with_own(subject, most=FEWER if heavy else KEPT)
        levels = strip.strip(
            subject.model, subject.stimuli, watch, keys, n=strip.FEWER if heavy else strip.STIMULI, size=size, seed=seed
        )
        seconds["stimuli"] = time.perf_counter() - started
    view = View(
        subject=subject,
        visits=visits,
        places=places,
        watch=watch,
        data=data,
        strip=levels,
        batch_size=size,
        seed=seed,
    )
    started = time.perf_counter()
    findings = [
        entry.load().look(view)
        for entry in registry.entries("lenses").values()
        if BUDGETS.index(entry.literal("BUDGET", "deep")) <= depth
        and subject.family in entry.literal("FAMILIES", (subject.family,))
    ]
    seconds["lenses"] = time.perf_counter() - started
    _measured(document, view, [finding for finding in findings if finding is not None])
    if judge is not None:
        judged.add_rest(document, judge)
    document["verdict"] = levels_told.verdict(document, view)
    seconds["total"] = time.perf_counter() - begun
    return document, view


def _static(subject: Subject, rows: list[tree.Row], budget: str, seed: int) -> dict[str, Any]:
    flops, unknown = tree.total_flops(rows)
    model = subject.model
    known = [row.memory_bytes for row in rows if row.memory_bytes is not None]
    document = {
        "schema_version": SCHEMA_VERSION,
        "model": {
            "name": subject.title,
            "source": subject.source,
            "family": subject.family,
            "parameters": model.count_params(),
            "trainable": int(sum(np.prod(w.shape) for w in model.trainable_weights)),
            "flops": flops,
            "memory_bytes": sum(known),
            "input_shape": [list(x.shape) for x in model.inputs]
            if len(model.inputs) > 1
            else list(model.inputs[0].shape),
            "output_shape": _shape(keras.tree.flatten(model.outputs)) if getattr(model, "outputs", None) else None,
            "unit": {"pictures": "pixels", "series": "steps", "text": "tokens"}.get(
                subject.stimuli.entry if subject.stimuli else ""
            ),
        },
        "budget": budget,
        "seed": seed,
        "data": subject.data,
        "samples": subject.count,
        "stimuli": 0,
        "seconds": {},
        "verdict": "",
        "hierarchy": None,
        "generator": None,
        "discriminator": None,
        "gates": [],
        "layers": [_row(row) for row in rows],
        "lost": [],
        "cka": None,
        "pictures": [],
        "tables": [],
        "methods": list(methods.STATIC),
        "versions": {
            "dlcli": __version__,
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
        },
        "warnings": [*subject.warnings],
    }
    if unknown:
        document["warnings"].append(
            f"the work of {len(unknown)} layers of unknown kind is not counted: {', '.join(unknown[:3])}"
        )
    return document


def _shape(outputs) -> list:
    return list(outputs[0].shape) if len(outputs) == 1 else [list(x.shape) for x in outputs]


def _row(row: tree.Row) -> dict[str, Any]:
    return {
        "name": row.name if row.call == 0 else f"{row.name}#{row.call}",
        "path": row.key,
        "depth": row.depth,
        "type": row.type,
        "output_shape": list(row.output_shape),
        "parameters": row.parameters,
        "trainable": row.trainable,
        "flops": row.flops,
        "memory_bytes": row.memory_bytes,
        "receptive_field": row.receptive_field,
        "calls": row.calls,
        "measured": False,
    }


def _matching(places: list[taps.Place], only: list[str]) -> list[taps.Place]:
    return [p for p in places if any(fnmatch(p.name, f"*{pattern}") or fnmatch(p.name, pattern) for pattern in only)]


def _places(visits, rows, only: list[str], *, rest: Subject | None) -> list[taps.Place]:
    """rest: a network whose layers may be meant as well; then there may be no place here."""
    places = taps.chosen(visits)
    if only:
        names = [row.path for row in rows]
        places = _matching(places, only)
        if not places and rest is not None and _matching(taps.chosen(tap.traced(rest.model)), only):
            return []
        if not places:
            raise DlcliError(
                f"no measured layer is called {', '.join(only)}.", f"layers are: {', '.join(names[:8])}, …"
            )
    if not places:
        raise DlcliError("this model has no layer whose output could be measured.", "use --budget static.")
    return places


def _data(subject: Subject, watch, places, visits, size: int, seed: int, seconds, most: int) -> DataPass | None:
    if subject.read is None:
        return None
    started = time.perf_counter()
    shapes = {visit.key: visit.output.shape for visit in visits if hasattr(visit.output, "shape")}
    channels = {place.key: int(shapes[place.key][place.axis]) for place in places}
    found = data_pass(
        watch, batches(subject.read, subject.count, None, size), subject.labels, channels, seed=seed, most=most
    )
    seconds["data"] = time.perf_counter() - started
    return found


def _measured(document: dict[str, Any], view: View, findings: list[Finding]) -> None:
    """Put what was measured into the rows of the layers and the parts of the document."""
    rows = {row["path"]: row for row in document["layers"]}
    times = _times(view, repeats=1 if document["model"]["flops"] > strip.HEAVY else REPEATS)
    for number, place in enumerate(view.places):
        row = rows[place.name]
        row["measured"] = True
        row["milliseconds"] = times.get(place.name)
        if view.data is not None:
            row.update(view.data.measured[place.key])
        if view.strip is not None and view.strip.levels:
            row["levels"] = {level.name: levels_told.level(level, number) for level in view.strip.hierarchy.levels}
            row["label"] = view.strip.hierarchy.labels[number]
    for finding in findings:
        for path in finding.own.keys() & rows.keys():
            rows[path].setdefault("own", {}).update(finding.own[path])
        for path in finding.pictures.keys() & rows.keys():
            rows[path].setdefault("pictures", []).extend(finding.pictures[path])
    if view.data is not None:
        document["methods"] += methods.FAST
        similar = geometry.cka_matrix([view.data.grams[place.key] for place in view.places])
        document["cka"] = {
            "layers": [rows[place.name]["name"] for place in view.places],
            "matrix": [[round(value, 4) for value in line] for line in similar.astype(float).tolist()],
        }
    if view.strip is not None and view.strip.levels:
        document["methods"] += methods.STANDARD
        document["stimuli"] = sum(len(level.y) for level in view.strip.levels if level.name != CATEGORY)
        document["hierarchy"] = levels_told.hierarchy(view.strip)
        document["lost"] = levels_told.lost(view)
    document["methods"].append(methods.SEEDS)
    document["gates"] = gates.checked(view) + [gate for finding in findings for gate in finding.gates]
    for finding in findings:
        document["pictures"] += finding.pictures.get("", [])
        document["tables"] += finding.tables
        document["methods"] += finding.methods
        document["warnings"] += finding.warnings
        document["generator"] = document["generator"] or finding.generator
    document["hierarchy"] = document["hierarchy"] or document["generator"]


def _times(view: View, *, repeats: int) -> dict[str, float]:
    x = view.examples(1)
    return {} if x is None else timed(view.subject.model, x, repeats=repeats)
