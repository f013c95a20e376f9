"""One training of a row, in a process of its own, as one line of results.jsonl."""

import json
import os
import resource
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(row: dict, training: dict, *, data: Path, runs: Path, results: Path) -> dict:
    """Train, and append what came out; a training that failed has an "error" and no scores."""
    name = "-".join(
        filter(None, [row["name"].replace("/", "-"), training["part"].replace(" ", ""), str(training["seed"])])
    )
    out = runs / name.replace("/", "-")
    arguments = [*shlex.split(training["arguments"]), "--seed", str(training["seed"])]
    arguments = [part.replace("D/", f"{data}/", 1) if part.startswith("D/") else part for part in arguments]
    arguments = [part.replace("RUNS/", f"{runs}/") for part in arguments]
    print(f"{row['name']} {training['part']} seed {training['seed']}", file=sys.stderr)
    before, begun, load, commit = _cpu(), time.monotonic(), os.getloadavg()[0], _commit()
    done = subprocess.run(
        [sys.executable, "-m", "dlcli", "train", *arguments, "--out", _free(out), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    line = {
        "row": row["name"],
        "part": training["part"],
        "seed": training["seed"],
        "command": stated(training["arguments"], seed=training["seed"]),
        "seconds": {"wall": round(time.monotonic() - begun, 1), "cpu": round(_cpu() - before, 1)},
        # what else ran on the machine: processes waiting before and after, this one included after
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "cores": len(os.sched_getaffinity(0)),
        "commit": commit,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    line |= _found(done, data)
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"  {line.get('error') or line['test'].get(row['score'])}", file=sys.stderr)
    return line


def stated(arguments: str, *, seed: int) -> str:
    """The command as a reader would type it; D is where the public sets lie."""
    return f"dlcli train {arguments} --seed {seed}"


def _found(done: subprocess.CompletedProcess, data: Path) -> dict:
    """What a report says, without what no table needs."""
    if done.returncode:
        last = done.stderr.strip().splitlines()[-3:]
        return {"error": " ".join(last).replace(str(data), "D")[-400:], "exit": done.returncode}
    report = json.loads(done.stdout)
    looks = Path(report["run"]) / "evaluate" / "looks.json"
    return {
        "architecture": report["architecture"],
        "parameters": report["parameters"],
        "epochs": report["epochs"],
        "steps": report["steps"],
        "training_seconds": report["seconds"]["training"],
        "val": report["metrics"].get("val", {}),
        "test": report["metrics"].get("test", {}),
        "baselines": {name: found.get("test", {}) for name, found in report["baselines"].items()},
        "verdict": report["verdict"],
        # the score at the end of the training is the first look
        "looks_at_test": json.loads(looks.read_text())["test"] if looks.is_file() else 1,
    }


def _free(out: Path) -> str:
    """A directory that is not there yet."""
    number, found = 1, out
    while found.exists():
        number, found = number + 1, out.with_name(f"{out.name}-{number + 1}")
    found.parent.mkdir(parents=True, exist_ok=True)
    return str(found)


def _cpu() -> float:
    """CPU seconds of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _commit() -> str:
    """The commit that is checked out; with a plus where the package differs from it."""

    def git(*words):
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "dlcli") else "")
