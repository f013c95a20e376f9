"""The table, the picture and the sentences of `scale`."""

from pathlib import Path

import numpy as np
from scipy import special

from dlcli import console, rundir
from dlcli.comparing.chart import Chart, Line, svg
from dlcli.comparing.law import Curve
from dlcli.comparing.scaling import NOUNS
from dlcli.rundir import Run

AXES = {"data": "training examples", "model": "parameters", "compute": "training FLOPs"}


def scale(document: dict, curve: Curve, run: Run) -> None:
    """On stdout, and as picture.svg in the study's folder."""
    names = sorted({name for point in document["points"] for name in point["simple"]})
    rows = []
    for point in document["points"]:
        spread = np.std(point["errors"], ddof=1) if len(point["errors"]) > 1 else float("nan")
        simple = [f"{np.mean(point['simple'][name]):.4g}" if name in point["simple"] else "–" for name in names]
        rows.append([_count(point["size"]), f"{point['mean']:.4g} ± {spread:.2g}", *simple])
    title = f"{Path(document['data']).name}: {document['error']} on the test split against {NOUNS[document['axis']]}"
    console.table(title, [AXES[document["axis"]], document["architecture"], *names], rows, numbers=0)
    for sentence in document["sentences"]:
        console.say(sentence, style="bold" if sentence is document["sentences"][0] else "")
    text = svg(picture(document, curve))
    rundir.commit(run.path / "picture.svg", lambda path: path.write_text(text, encoding="utf-8"))
    console.say(f"picture: {run.path / 'picture.svg'}")


def picture(document: dict, curve: Curve) -> Chart:
    """Errors on logarithmic axes, the law through them and beyond, and the best simple model."""
    points = [(point["size"], *_mean(point["errors"])) for point in document["points"]]
    farthest = max(points[-1][0] * 4, (document["prediction"] or {"size": 0})["size"])
    grid = np.geomspace(points[0][0], farthest, 25)
    lines = [
        Line(name=document["architecture"], points=points, joined=False),
        Line(
            name="its law", points=[(x, y, y, y) for x, y in zip(grid, curve.best.at(grid), strict=True)], dashed=True
        ),
    ]
    if document["crossing"]:
        name = document["crossing"]["simple"]
        own = [(point["size"], *_mean(point["simple"][name])) for point in document["points"]]
        lines.append(Line(name=name, points=own))
    if document["prediction"]:
        found = document["prediction"]
        at = (found["size"], found["value"], found["low"], found["high"])
        lines.append(Line(name="predicted", points=[at], joined=False))
    ticks = {point["size"]: _count(point["size"]) for point in document["points"]} | {farthest: _count(farthest)}
    return Chart(
        title=f"{Path(document['data']).name}: error against {NOUNS[document['axis']]}",
        x=AXES[document["axis"]],
        y=document["error"],
        lines=lines,
        ticks=ticks,
        log_x=True,
        log_y=True,
    )


def _mean(errors: list[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval over seeds."""
    mean, n = float(np.mean(errors)), len(errors)
    half = float(special.stdtrit(n - 1, 0.975) * np.std(errors, ddof=1) / n**0.5) if n > 1 else 0.0
    return mean, max(mean - half, mean / 10), mean + half


def _count(x: float) -> str:
    return f"{x:,.0f}".replace(",", " ") if x < 1e7 else f"{x:.2g}"
