"""The series of the Numenta Anomaly Benchmark with the windows of its labels as a column, for `published.toml`.

    python benchmarks/published_nab.py D/nab D/nab-labelled

Series without an anomaly after the first 15 % (the benchmark's probation, here training and validation)
have no ROC curve and are left out. Prints the names of the others.
"""

import csv
import json
import sys
from pathlib import Path

PROBATION = 0.15


def main(nab: Path, out: Path) -> None:
    windows = json.loads((nab / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    for name, anomalies in sorted(windows.items()):
        with (nab / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        wrong = [any(begin[:19] <= row["timestamp"] <= end[:19] for begin, end in anomalies) for row in rows]
        judged = wrong[int(PROBATION * len(rows)) :]
        if not any(judged) or all(judged):
            continue
        target = out / name.replace("/", "-")
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["timestamp", "value", "wrong"])
            writer.writerows([row["timestamp"], row["value"], int(one)] for row, one in zip(rows, wrong, strict=True))
        print(target.stem)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
