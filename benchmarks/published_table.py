"""The Markdown table, made from the lines of results.jsonl and nothing else."""

import json
import statistics
from pathlib import Path

# What stands beside a model and is no simple rule: real pictures, and those of another network.
NO_RIVALS = ("real-pictures", "drawn-by")

MARKS = ("<!-- published: drawn by benchmarks/published.py --readme -->", "<!-- /published -->")


def lines(results: Path) -> list[dict]:
    """All results, in the order they came."""
    if not results.is_file():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines() if line.strip()]


def latest(name: str, found: list[dict]) -> dict[tuple, dict]:
    """The newest line of a row for each of its trainings, by (part, seed)."""
    return {(line["part"], line["seed"]): line for line in found if line["row"] == name}


def drawn(rows: list[dict], found: list[dict], trainings) -> str:
    """One line for each row; a row without results says "not run".  trainings: those a row is made of."""
    table = [
        "| what | row | score | measured | to reach | simple model | published | seconds (CPU) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        wanted = {(one["part"], one["seed"]) for one in trainings(row)}
        done = [line for key, line in latest(row["name"], found).items() if key in wanted]
        score = row["score"].replace("_", " ")
        cells = [
            row["what"],
            row["name"].partition("/")[2],
            score,
            *_cells(row, done, len(wanted), found),
            row.get("published", "–"),
        ]
        cells.append(_seconds(done))
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


def short_form(rows: list[dict], found: list[dict], trainings) -> str:
    """What came of all rows in one sentence, the table of those that have results, and one that names the others."""
    ran = {line["row"] for line in found}
    left = [f"`{row['name']}`" for row in rows if row["name"] not in ran]
    table = drawn([row for row in rows if row["name"] in ran], found, trainings)
    told = f"{_counted(table)}\n\n{table}"
    return f"{told}\n\nNot run: {', '.join(left)}." if left else told


def _counted(table: str) -> str:
    """How many rows reach what was set for them, and how many do not."""
    bounds = [line.split(" | ")[4] for line in table.splitlines()[2:]]
    ends = ("reached", "**short**", "so far reached", "so far **short**")
    reached, missed, reached_so_far, missed_so_far = (
        sum(bound.endswith(f": {end}") for bound in bounds) for end in ends
    )
    told = [f"Of {len(bounds)} rows {reached} reach what was set for them and {missed} fall short"]
    if reached_so_far or missed_so_far:
        told.append(
            f"of those with seeds or folds that were not run, {reached_so_far} reach it so far and {missed_so_far} do not"
        )
    return "; ".join([*told, "for the others nothing was set, or too little was run."])


def _cells(row: dict, done: list[dict], wanted: int, found: list[dict]) -> list[str]:
    """Measured, to be reached and whether it was, and the best simple model."""
    scored = [line for line in done if row["score"] in line.get("test", {})]
    failed = [line for line in done if line not in scored]
    if not scored:
        measured = f"failed: {failed[0].get('error', 'no such score')[:80]}" if failed else "not run"
        return [measured, _bound(row, None, None), "–"]
    values = {}
    for line in scored:
        values.setdefault(line["seed"], []).append(line["test"][row["score"]]["value"])
    means = [statistics.fmean(own) for own in values.values()]
    value = statistics.fmean(means)
    if "depths" in row:
        by_part = ", ".join(
            f"{line['part'].split()[-1]}: {short(line['test'][row['score']]['value'])}" for line in scored
        )
        measured = f"by depth, {by_part}"
    elif len(means) > 1:
        measured = f"{short(value)} ± {short(statistics.stdev(means))}, {len(means)} seeds"
    elif len(scored) > 1:
        measured = f"{short(value)}, mean of {len(scored)}"
    else:
        one = scored[0]["test"][row["score"]]
        known = one["low"] is not None and one["high"] is not None
        measured = short(value) + (f" ({short(one['low'])}–{short(one['high'])})" if known else "")
    if len(scored) < wanted:
        measured += f"; {len(scored)} of {wanted} run"
    simple = rivals(row, scored)
    shown = {name: simple.pop(name) for name in NO_RIVALS if name in simple}
    best = min(simple, key=lambda name: -simple[name] if row.get("higher") else simple[name], default=None)
    against = simple.get(row.get("against"))
    bound = row["ratio"] * against if "ratio" in row and against is not None else row.get("must")
    beside = f"{best} {short(simple[best])}" if best else "–"
    beside += "".join(f"; {name.replace('-', ' ')} {short(number)}" for name, number in shown.items())
    # of some sets alone the mean says nothing about the bound
    met = _met(row, scored, bound, value, found) if len(scored) == wanted or "sets" not in row else None
    return [measured, _bound(row, bound, met, whole=len(scored) == wanted), beside]


def rivals(row: dict, scored: list[dict]) -> dict[str, float]:
    """The simple models that stand in all lines, by the mean of their scores."""
    names = [
        name
        for name in scored[0].get("baselines", {})
        if all(row["score"] in line["baselines"].get(name, {}) for line in scored)
    ]
    return {name: statistics.fmean(line["baselines"][name][row["score"]]["value"] for line in scored) for name in names}


def _met(row: dict, scored: list[dict], bound: float | None, value: float, found: list[dict]) -> bool | None:
    """Whether what is to be reached is; None where nothing is, or what it hangs on was not run."""
    sign = 1 if row.get("higher") else -1
    if bound is not None:
        return sign * value >= sign * bound
    if "interval_of" in row:
        rival = scored[0]["baselines"][row["interval_of"]][row["score"]]
        return sign * value >= sign * rival["low" if row.get("higher") else "high"]
    if "behind" not in row:
        return None
    group = row["name"].partition("/")[0]
    names = {line["row"] for line in found if line["row"].startswith(f"{group}/")} | {row["name"]}
    if "of" in row:
        names &= {row["name"], f"{group}/{row['of']}"}
    scores = {
        name: {key: line["test"][row["score"]]["value"] for key, line in latest(name, found).items() if "test" in line}
        for name in names
    }
    own = {(line["part"], line["seed"]) for line in scored}
    shared = own.intersection(*scores.values())  # of folds only those that all of them have
    if len(names) < 2 or not shared:
        return None
    means = {name: statistics.fmean(values[key] for key in shared) for name, values in scores.items()}
    best = max(sign * mean for mean in means.values())
    return sign * means[row["name"]] >= best - row["behind"]


def _bound(row: dict, bound: float | None, met: bool | None, *, whole: bool = True) -> str:
    if bound is None:
        bound = row.get("must")
    said = row.get("note", "–")
    if bound is not None:
        said = f"{'≥' if row.get('higher') else '≤'} {short(bound)}" + (f" ({said})" if "ratio" in row else "")
    if met is None:
        return said
    return f"{said}: {'' if whole else 'so far '}{'reached' if met else '**short**'}"


def _seconds(done: list[dict]) -> str:
    if not done:
        return "–"
    wall, cpu = (sum(line["seconds"][kind] for line in done) for kind in ("wall", "cpu"))
    return f"{wall:.0f} ({cpu:.0f})"


def short(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def write_into(readme: Path, table: str) -> None:
    """Put the table between its two marks."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not end:
        raise SystemExit(f"{readme} has no {MARKS[0]} … {MARKS[1]}")
    readme.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}", encoding="utf-8")
