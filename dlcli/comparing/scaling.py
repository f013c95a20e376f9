"""Do more data, a larger model or more training pay? Errors at growing sizes, and the law they follow."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli import directions, plan
from dlcli.comparing import law, words
from dlcli.data import Data
from dlcli.errors import DlcliError, counted
from dlcli.plan import Plan
from dlcli.study import Study
from dlcli.trials import opening
from dlcli.trials.board import Board
from dlcli.trials.pool import Job, Pool

AXES = ("data", "model", "compute")
# Widths and passes relative to the architecture's own.
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
# A law is fitted to three sizes at least, and tested by one more; and how there come to be more.
LEAST = 4
MORE = {
    "data": "give at least four, or more data.",
    "model": "begin with a wider network.",
    "compute": "begin with more --epochs.",
}
# How far beyond the largest size a crossing is looked for.
BEYOND = 1_000


@dataclass(frozen=True, kw_only=True)
class Step:
    """One size along an axis: `change` holds what Study.training takes for it."""

    size: float
    change: dict[str, Any]


def measured(
    study: Study, *, axis: str, sizes: list[int] | None, seeds: int, predict: float | None, workers: int
) -> tuple[dict[str, Any], law.Curve]:
    """Train at every size with every seed and fit the law; what came out, as `--json` prints it, and the curve.

    sizes: numbers of training examples for the axis "data"; None: five, up to all.
    predict: a size at which the error is foretold.
    """
    with Board("scale") as board, Pool(study.config.backend, workers=workers, look=board) as pool:
        steps = _steps(study, axis, sizes, pool)
        jobs = [
            [_job(study, axis, step, seed) for seed in range(study.config.seed, study.config.seed + seeds)]
            for step in steps
        ]
        # one seed: simple models differ little from one subset to the next, and take longer than small networks
        simple = [
            [study.rivals(("TASKS",), take=own[0].told["take"], name=own[0].folder.name)] if axis == "data" else []
            for own in jobs
        ]
        # small ones first: something is known early
        wanted = [
            one
            for own, beside in zip(jobs, simple, strict=True)
            for one in [*(rival for rivals in beside for rival in rivals), *own]
        ]
        pool.run(wanted)
    document, curve = _told(study, axis, steps, jobs, simple, seeds, predict)
    return {**document, "cost": pool.cost()}, curve


def check(chosen: Plan, data: Data, *, sizes: list[int] | None) -> None:
    """Raises: DlcliError where no law could be fitted to what trainings would find.

    sizes: numbers of training examples, in order.
    """
    score = plan.each(chosen.task)
    if directions.sign(score) > 0 and score not in words.SHARES:
        raise DlcliError(
            f"the score of {chosen.task.name} is {score}, no error that could fall to 0.",
            "scale a task with another score.",
        )
    if sizes and sizes[-1] > (whole := opening.size(data)):
        raise DlcliError(f"--sizes asks for {sizes[-1]:,} examples, and training has {whole:,}.", "ask for fewer.")


def _steps(study: Study, axis: str, sizes: list[int] | None, pool: Pool) -> list[Step]:
    if axis == "data":
        steps = _data(study, sizes)
    else:
        steps = _models(study, pool) if axis == "model" else _compute(study, pool)
    found = len({step.size for step in steps})
    if found < LEAST:
        verb = "is" if found == 1 else "are"
        raise DlcliError(f"{counted(found, 'size')} {verb} too few to fit a law and to test it.", MORE[axis])
    return steps


def _data(study: Study, sizes: list[int] | None) -> list[Step]:
    if sizes is None:
        # all examples, and four smaller sizes that are as far apart as the set allows
        whole = opening.size(study.data)
        least = max(min(whole // 4, 50), whole // 256, 2)
        sizes = sorted({round(least * (whole / least) ** (i / 4)) for i in range(5)})
    return [Step(size=n, change={"n": n}) for n in sizes]


def _models(study: Study, pool: Pool) -> list[Step]:
    """Steps along the number of parameters, by the width."""
    arch, own = study.chosen.arch, _width(study)
    multiple = arch.literal("SCALE").get("multiple", 1)
    widths = sorted({max(multiple, round(own * factor / multiple) * multiple) for factor in FACTORS})
    networks = [{"arch": arch.name, "depth": None, "width": width} for width in widths]
    sized = pool.run([study.sizing(networks, None)])[0]["networks"]
    return [Step(size=one["parameters"], change={"options": one["options"]}) for one in sized]


def _compute(study: Study, pool: Pool) -> list[Step]:
    """Steps along the FLOPs spent in training, by the passes."""
    network = {"arch": study.chosen.arch.name, "depth": None, "width": _width(study)}
    found = pool.run([study.sizing([network], None)])[0]
    passes = study.passes(found["examples"])
    cost = 3 * found["networks"][0]["flops"] * found["examples"]
    counts = sorted({max(1, round(passes * factor)) for factor in FACTORS})
    return [Step(size=cost * count, change={"epochs": count}) for count in counts]


def _width(study: Study) -> int:
    arch = study.chosen.arch
    name = arch.literal("SCALE", {}).get("width")
    if name is None:
        raise DlcliError(f"{arch.name} has no width that could be changed.", "choose another --arch.")
    return study.chosen.arch_options.get(name, arch.options[name].default)


def _job(study: Study, axis: str, step: Step, seed: int) -> Job:
    change = step.change
    take = {"n": change["n"], "seed": seed} if "n" in change else None
    fit = {"epochs": change["epochs"], "steps": None} if "epochs" in change else {}
    options = change.get("options", dict(study.chosen.arch_options))
    shown = f"{step.size:.0f}" if step.size < 1e9 else f"{step.size:.3g}"
    name = f"{axis}-{shown}-seed{seed}"
    return study.training(name, seed=seed, arch=study.chosen.arch.name, options=options, fit=fit, take=take)


def _told(study, axis, steps, jobs, simple, seeds, predict) -> tuple[dict[str, Any], law.Curve]:
    x = [step.size for step in steps]
    score = jobs[0][0].result()["test"]["compared"]
    deep = np.array([[_error(job) for job in own] for own in jobs])  # (J, R)
    curve = law.fitted(x, deep)
    held = law.fitted(x[:-1], deep[:-1])
    value, low, high = held.predicted(x[-1], runs=seeds)
    document = {
        "run": str(study.run.path),
        "data": study.config.data,
        "task": study.chosen.task.name,
        "architecture": study.chosen.arch.name,
        "axis": axis,
        "score": score,
        "error": "1 - accuracy" if score == "accuracy" else score,
        "seeds": seeds,
        "points": [
            {"size": size, "errors": row.tolist(), "mean": float(row.mean()), "simple": _simple(beside)}
            for size, row, beside in zip(x, deep, simple, strict=True)
        ],
        "law": {
            name: dict(zip(("value", "low", "high"), found, strict=True)) for name, found in curve.parameters().items()
        },
        "held_out": {
            "size": x[-1],
            "predicted": value,
            "low": low,
            "high": high,
            "measured": float(deep[-1].mean()),
            "inside": bool(low <= deep[-1].mean() <= high),
        },
        "ten_times": dict(zip(("value", "low", "high"), curve.gain(x[-1], 10), strict=True)),
        "prediction": None,
        "crossing": None,
    }
    if predict is not None:
        value, low, high = curve.predicted(predict, runs=seeds)
        document["prediction"] = {"size": predict, "value": value, "low": low, "high": high}
    rival = _best(simple)
    if rival is not None:
        rows = np.array(
            [[_error(one) for rivals in own for one in rivals if one.told["rival"] == rival] for own in simple]
        )
        other = law.fitted(x, rows)
        ahead = bool(deep[-1].mean() < rows[-1].mean())
        # who is ahead at the largest size came past within those that were measured
        place = law.crossing(curve, other, farthest=x[-1] if ahead else x[-1] * BEYOND)
        document["crossing"] = {
            "simple": rival,
            "deep_ahead_now": ahead,
            "size": dict(zip(("value", "low", "high"), place, strict=True)) if place else None,
        }
    document["sentences"] = _sentences(document)
    return document, curve


def _error(job: Job, part: str = "test") -> float:
    found = job.result()[part]
    return 1 - found["mean"] if found["compared"] == "accuracy" else found["mean"]


def _simple(beside: list[list[Job]], part: str = "test") -> dict[str, list[float]]:
    """Errors of each simple model by seed."""
    found: dict[str, list[float]] = {}
    for rivals in beside:
        for one in rivals:
            if "left_out" not in one.result():
                found.setdefault(one.told["rival"], []).append(_error(one, part))
    return found


def _best(simple: list[list[list[Job]]]) -> str | None:
    """The simple model that is best at the largest size by the validation split, of those that could be fitted at
    every one."""
    whole = [_simple(beside) for beside in simple]
    full = [name for name in whole[-1] if all(len(one.get(name, [])) == len(whole[-1][name]) for one in whole)]
    last = _simple(simple[-1], "val")
    return min(full, key=lambda name: np.mean(last[name]), default=None)


NOUNS = {"data": "data", "model": "parameters", "compute": "training compute"}


def _sentences(document: dict[str, Any]) -> list[str]:
    score, share = document["score"], document["score"] in words.SHARES
    unit = "points of error" if share else f"of {score.replace('_', ' ')}"
    times = 100 if share else 1
    gain = document["ten_times"]
    half = (gain["high"] - gain["low"]) / 2
    noun = NOUNS[document["axis"]]
    told = [f"10x more {noun} is worth about {times * gain['value']:+.3g} ± {times * half:.2g} {unit} (95 %)."]
    floor = document["law"]["floor"]
    told.append(
        f"The law: error = {floor['value']:.3g} + {document['law']['scale']['value']:.3g} x^-"
        f"{document['law']['exponent']['value']:.2f}; the floor lies in {floor['low']:.3g}–{floor['high']:.3g}."
    )
    held = document["held_out"]
    verdict = "inside" if held["inside"] else "OUTSIDE: do not trust the extrapolation"
    told.append(
        f"Held out: from the smaller sizes {held['predicted']:.4g} ({held['low']:.4g}–{held['high']:.4g}) was "
        f"predicted at {held['size']:,.0f}, and {held['measured']:.4g} measured: {verdict}."
    )
    if document["prediction"]:
        found = document["prediction"]
        told.append(f"At {found['size']:,.0f}: {found['value']:.4g} ({found['low']:.4g}–{found['high']:.4g}).")
    if document["crossing"]:
        told.append(_overtaking(document["crossing"], document["points"]))
    return told


def _overtaking(found: dict[str, Any], points: list[dict]) -> str:
    place, simple = found["size"], found["simple"]
    if place is None:
        if found["deep_ahead_now"]:
            return f"The deep model is ahead of {simple} at every size."
        return f"The deep model does not overtake {simple} within {BEYOND} times the data, by these curves."
    tense = "overtakes" if place["value"] <= points[-1]["size"] else "would overtake"
    return f"The deep model {tense} {simple} at about {place['value']:,.0f} ({place['low']:,.0f}–{place['high']:,.0f})."
