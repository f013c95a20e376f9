"""Does depth pay? Networks of several depths with the same number of parameters and the same arithmetic."""

from typing import Any

import numpy as np

from dlcli import config as configuration
from dlcli import directions, plan, registry
from dlcli.comparing import words
from dlcli.comparing.paired import Difference, difference
from dlcli.data import Data
from dlcli.errors import DlcliError
from dlcli.plan import Plan
from dlcli.study import Study
from dlcli.trials.board import Board
from dlcli.trials.pool import Pool

# A network with little arithmetic gets at most so many times the passes of the reference: the linear model
# would need thousands to cost as much, and has long since settled.
MOST = 2


def compared(study: Study, *, depths: list[int], parameters: int | None, seeds: int, workers: int) -> dict[str, Any]:
    """Train every depth with every seed, fit the simple models, and tell what came out, as `--json` prints it.

    parameters: of every network; None: as many as the architecture has by default.
    """
    networks = [
        {"arch": _arch(study.chosen, study.data.kind, depth), "depth": depth, "width": None} for depth in depths
    ]
    with Board("compare") as board, Pool(study.config.backend, workers=workers, look=board) as pool:
        sized = pool.run([study.sizing(networks, parameters)])[0]
        passes = _passes(study.passes(sized["examples"]), sized["networks"])
        jobs = [
            study.training(
                f"{network['arch']}-depth{network['depth']}-seed{seed}",
                seed=seed,
                arch=network["arch"],
                options=network["options"],
                fit={**study.chosen.fit.model_dump(), "steps": None, "epochs": count},
            )
            for seed in range(study.config.seed, study.config.seed + seeds)
            for network, count in zip(sized["networks"], passes, strict=True)
        ]
        rivals = study.rivals(("TASKS", "COMPARED"))
        results = pool.run([*rivals, *jobs])
    simple = [
        (job.told["rival"], result, job.folder)
        for job, result in zip(rivals, results[: len(rivals)], strict=True)
        if "left_out" not in result
    ]
    trained = results[len(rivals) :]
    rows = []
    for i, network in enumerate(sized["networks"]):
        own = range(i, len(jobs), len(networks))
        values = np.stack([np.load(jobs[k].folder / "values.npy") for k in own])
        rows.append(
            {
                **network,
                "passes": passes[i],
                "training_flops": 3 * network["flops"] * trained[i]["seen"],
                "val": [trained[k]["val"]["mean"] for k in own],
                "test": [trained[k]["test"]["mean"] for k in own],
                "seconds": sum(trained[k]["seconds"] for k in own) / seeds,
                "values": values,
            }
        )
    score = trained[0]["test"]["compared"]
    return {**_told(study, score, sized["parameters"], rows, simple, seeds), "cost": pool.cost()}


def _arch(chosen: Plan, kind: str, depth: int) -> str:
    """The linear model is the multilayer perceptron without a layer, where that can read data of this kind."""
    linear = registry.find("architectures", "mlp")
    if depth == 0 and plan.fits(plan.needs(chosen.task, kind), linear):
        return linear.name
    return chosen.arch.name


def check(chosen: Plan, data: Data, *, depths: list[int]) -> None:
    """Raises: DlcliError for an architecture without a depth, or a depth that it cannot have."""
    arch = chosen.arch
    name = arch.literal("SCALE", {}).get("depth")
    if name is None:
        able = [other.name for other in registry.entries("architectures").values() if "depth" in other.literal("SCALE")]
        raise DlcliError(f"{arch.name} has no depth that could be changed.", f"these have: {', '.join(able)}.")
    for depth in depths:
        if depth or _arch(chosen, data.kind, 0) == arch.name:
            configuration.coerce(arch, {name: depth}, "arch")


def _passes(reference: int, networks: list[dict]) -> list[int]:
    """Passes over the training split that cost as much arithmetic as those of the network of median cost."""
    flops = [network["flops"] for network in networks]
    middle = sorted(cost for cost, network in zip(flops, networks, strict=True) if network["depth"] or len(flops) == 1)
    budget = reference * middle[len(middle) // 2]
    return [min(MOST * reference, max(1, round(budget / max(1, cost)))) for cost in flops]


def _told(study: Study, score: str, parameters: int, rows, simple, seeds: int) -> dict[str, Any]:
    sign = directions.sign(score)
    base = rows[0]
    chosen = choose(rows, sign)
    for row in rows:
        row["gain"] = _difference(row, base, study) if row is not base else None
    # by validation, as the depth is: what is chosen on the test split has no interval there
    best = max(simple, key=lambda one: sign * one[1]["val"]["mean"], default=None)
    document = {
        "run": str(study.run.path),
        "data": study.config.data,
        "task": study.chosen.task.name,
        "architecture": study.chosen.arch.name,
        "score": score,
        "parameters": parameters,
        "seeds": seeds,
        "test_examples": base["values"].shape[1],
        "networks": [{key: _plain(value) for key, value in row.items() if key != "values"} for row in rows],
        "simple": [{"name": name, **result["test"], "seconds": result["seconds"]} for name, result, _ in simple],
        "depth": chosen["depth"],
        "over": {
            str(row["depth"]): vars(_difference(chosen, row, study))
            for row in rows[:2]
            if row["depth"] < chosen["depth"]
        },
    }
    if best is not None:
        values = np.load(best[2] / "values.npy")
        over = difference(chosen["values"], values, ordered=study.ordered)
        document["best_simple"] = {"name": best[0], **vars(over)}
    document["sentences"] = sentences(document, rows, study)
    return document


def choose(rows: list[dict], sign: int) -> dict:
    """The shallowest network within one standard error of the best validation score: the test split is not
    looked at, so that its interval for the chosen one holds."""
    best = max(rows, key=lambda row: sign * np.mean(row["val"]))
    error = np.std(best["val"], ddof=1) / len(best["val"]) ** 0.5 if len(best["val"]) > 1 else 0.0
    return next(row for row in rows if sign * (np.mean(best["val"]) - np.mean(row["val"])) <= error)


def _difference(row: dict, base: dict, study: Study) -> Difference:
    return difference(row["values"], base["values"], ordered=study.ordered)


def sentences(document: dict, rows: list[dict], study: Study) -> list[str]:
    """What the table says, in words."""
    score, sign = document["score"], directions.sign(document["score"])
    base = rows[0]
    chosen = next(row for row in rows if row["depth"] == document["depth"])
    paired = f"95 %, paired over {document['seeds']} seeds and {document['test_examples']:,} test examples"
    told = []
    if chosen is base:
        others = rows[1:]
        best = max(others, key=lambda row: sign * np.mean(row["val"]))
        gain = _difference(best, base, study)
        told.append(
            f"Depth does not help: by the validation split {_name(base)} is enough; the best deeper one, depth "
            f"{best['depth']}, differs by {words.difference(score, gain)} {words.unit(score)} ({paired})."
        )
        least = gain
    else:
        gains = [(row, _difference(chosen, row, study)) for row in rows[:2] if row["depth"] < chosen["depth"]]
        parts = [f"{words.difference(score, gain)} {words.unit(score)} over {_name(row)}" for row, gain in gains]
        least = gains[0][1]
        if least.better(sign):
            told.append(f"Depth helps by {' and '.join(parts)}, up to depth {chosen['depth']} ({paired}).")
        else:
            told.append(
                f"Depth does not help beyond doubt: depth {chosen['depth']}, chosen on the validation split, gains "
                f"{' and '.join(parts)} ({paired})."
            )
    told.append(
        f"A difference below {words.amount(score, least.minimum, signed=False)} {words.unit(score)} cannot be told "
        "with this test set and these seeds."
    )
    if "best_simple" in document:
        simple = document["best_simple"]
        found = Difference(**{key: simple[key] for key in ("value", "low", "high", "minimum", "p")})
        against = (
            f"depth {chosen['depth']} minus {simple['name']}: {words.difference(score, found)} {words.unit(score)}"
        )
        if found.better(sign):
            told.append(f"It beats the best simple model ({against}).")
        elif found.better(-sign):
            told.append(f"A simple model is better ({against}).")
        else:
            told.append(f"It cannot be told from the best simple model ({against}).")
    return told


def _name(row: dict) -> str:
    return "the linear model" if row["depth"] == 0 and row["arch"] == "mlp" else f"depth {row['depth']}"


def _plain(value):
    return vars(value) if isinstance(value, Difference) else value
