"""Run the rows of `published.toml` through the dlcli command, and set what comes out beside published results.

    python benchmarks/published.py --list
    python benchmarks/published.py --data D --row ett-h1-96           a group, or one row: ett-h1-96/patchtst-336
    python benchmarks/published.py --data D --row ucr --minutes 6     stops when the next training would begin later
    python benchmarks/published.py --table                            the Markdown table, from results.jsonl alone
    python benchmarks/published.py --readme README.md                 its rows with results, between two marks there, and the names of the others

Every training is a process of its own and one line of results.jsonl: command, seed, seconds, commit, scores.
What has a line already, of the same command, is not run again; --again runs it.  D holds the public sets,
each in a folder of its own (see the rows); none of them comes with dlcli.
"""

import argparse
import sys
import time
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from published_run import run, stated
from published_table import drawn, latest, lines, short_form, write_into

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"


def rows() -> list[dict]:
    """The rows in order: what a group says holds for each of its rows, and `add` is added to its command."""
    found = []
    for group, shared in tomllib.loads((HERE / "published.toml").read_text(encoding="utf-8")).items():
        for name, own in shared.pop("rows").items():
            row = {**shared, **own, "name": f"{group}/{name}", "group": group}
            row["train"] = f"{row['train']} {row.pop('add', '')}".strip()
            found.append(row)
    return found


def trainings(row: dict) -> list[dict]:
    """Every training that a row is made of: {"part", "seed", "arguments"}, the data's path first."""
    parts = {"": row["train"]}
    if "sets" in row:
        parts = {name: row["train"].replace("SET", name) for name in row["sets"]}
    if "folds" in row:
        parts = {f"fold {i}": f"{row['train']} --set data.fold={i}/{row['folds']}" for i in range(1, row["folds"] + 1)}
    if "depths" in row:
        parts = {f"depth {i}": f"{row['train']} --set arch.depth={i}" for i in row["depths"]}
    return [
        {"part": part, "seed": seed, "arguments": arguments}
        for seed in range(row.get("seeds", 1))
        for part, arguments in parts.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder with the public sets")
    parser.add_argument("--row", action="append", default=[], help="a row, or the group before its slash; default: all")
    parser.add_argument("--part", action="append", default=[], help="a set, fold or depth of the rows; default: all")
    parser.add_argument("--runs", type=Path, default=Path("runs/published"), help="where the run directories go")
    parser.add_argument("--minutes", type=float, help="begin no training after so many")
    parser.add_argument("--seeds", type=int, default=99, help="only so many seeds of a row, the first ones")
    parser.add_argument("--again", action="store_true", help="run what has a line already")
    parser.add_argument("--list", action="store_true", help="rows and what is known of them")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--readme", type=Path)
    asked = parser.parse_args()
    known = rows()
    chosen = [row for row in known if not asked.row or {row["name"], row["name"].partition("/")[0]} & set(asked.row)]
    if not chosen:
        parser.error(f"there is no row {asked.row}; --list shows them")
    if asked.list or asked.table or asked.readme:
        return show(asked, known, chosen)
    if asked.data is None or not asked.data.is_dir():
        parser.error(f"--data {asked.data} is no folder")
    begun = time.monotonic()
    for row in chosen:
        done = latest(row["name"], lines(RESULTS))
        for training in trainings(row):
            command = stated(training["arguments"], seed=training["seed"])
            line = done.get((training["part"], training["seed"]))
            if asked.part and training["part"] not in asked.part:
                continue
            if training["seed"] >= asked.seeds or (line and line["command"] == command and not asked.again):
                continue
            if asked.minutes and time.monotonic() - begun > 60 * asked.minutes:
                print("out of time; the same command goes on from here", file=sys.stderr)
                return
            run(row, training, data=asked.data, runs=asked.runs, results=RESULTS)


def show(asked, known: list[dict], chosen: list[dict]) -> None:
    found = lines(RESULTS)
    if asked.list:
        for row in chosen:
            wanted = trainings(row)
            done = sum((one["part"], one["seed"]) in latest(row["name"], found) for one in wanted)
            print(f"{row['name']:34} {done:3} of {len(wanted):3}   dlcli train {row['train']}")
    if asked.table:
        print(drawn(chosen, found, trainings))
    if asked.readme:
        write_into(asked.readme, short_form(known, found, trainings))


if __name__ == "__main__":
    main()
