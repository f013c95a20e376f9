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
            *_cells(row, done, len(wanted)),
            row.get("published", "–"),
        ]
        cells.append(_seconds(done))
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


def short_form(rows: list[dict], found: list[dict], trainings) -> str:
    """The table of the rows that have results, and one sentence that names the others."""
    ran = {line["row"] for line in found}
    left = [f"`{row['name']}`" for row in rows if row["name"] not in ran]
    table = drawn([row for row in rows if row["name"] in ran], found, trainings)
    return f"{table}\n\nNot run: {', '.join(left)}." if left else table


def _cells(row: dict, done: list[dict], wanted: int) -> list[str]:
    """Measured, to be reached and whether it was, and the best simple model."""
    scored = [line for line in done if row["score"] in line.get("test", {})]
    failed = [line for line in done if line not in scored]
    if not scored:
        measured = f"failed: {failed[0].get('error', 'no such score')[:80]}" if failed else "not run"
        return [measured, _bound(row, None), "–"]
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
    return [measured, _bound(row, bound, value if len(scored) == wanted else None), beside]


def rivals(row: dict, scored: list[dict]) -> dict[str, float]:
    """The simple models that stand in all lines, by the mean of their scores."""
    names = [
        name
        for name in scored[0].get("baselines", {})
        if all(row["score"] in line["baselines"].get(name, {}) for line in scored)
    ]
    return {name: statistics.fmean(line["baselines"][name][row["score"]]["value"] for line in scored) for name in names}


def _bound(row: dict, bound: float | None, value: float | None = None) -> str:
    if bound is None:
        bound = row.get("must")
    if bound is None:
        return row.get("note", "–")
    said = f"{'≥' if row.get('higher') else '≤'} {short(bound)}"
    if "ratio" in row:
        said += f" ({row['note']})"
    if value is None:
        return said
    reached = value >= bound if row.get("higher") else value <= bound
    return f"{said}: {'reached' if reached else '**short**'}"


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
