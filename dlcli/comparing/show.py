"""The table, the picture and the sentences of a comparison of depths."""

from pathlib import Path

import numpy as np

from dlcli import console, rundir
from dlcli.comparing import words
from dlcli.comparing.chart import Chart, Line, svg
from dlcli.comparing.paired import Difference
from dlcli.rundir import Run


def depths(document: dict, run: Run) -> None:
    """On stdout, and as picture.svg in the study's folder."""
    score = document["score"]
    cost = max(network["training_flops"] for network in document["networks"])
    rows = []
    for network in document["networks"]:
        off = network["parameters"] / document["parameters"] - 1
        gain = network["gain"]
        rows.append(
            [
                f"{network['arch']} {network['depth']}",
                str(network["width"]) if network["depth"] else "–",
                f"{network['parameters']:,} {100 * off:+.1f}%",
                f"{network['training_flops'] / cost:.2f}",
                f"{words.value(score, float(np.mean(network['test'])))} ± {_spread(score, network['test'])}",
                words.difference(score, Difference(**gain)) if gain else "",
            ]
        )
    for simple in document["simple"]:
        told = words.value(score, simple["mean"])
        rows.append([simple["name"], "", "", "", told, ""])
    first = document["networks"][0]["depth"]
    console.table(
        f"{Path(document['data']).name}: depth at {document['parameters']:,} parameters and equal training compute, test split",
        ["network, depth", "width", "parameters", "compute", f"{score.replace('_', ' ')} ± sd", f"over depth {first}"],
        rows,
    )
    for sentence in document["sentences"]:
        console.say(sentence, style="bold" if sentence is document["sentences"][0] else "")
    text = svg(picture(document))
    rundir.commit(run.path / "picture.svg", lambda path: path.write_text(text, encoding="utf-8"))
    console.say(f"picture: {run.path / 'picture.svg'}")


def picture(document: dict) -> Chart:
    """Score against depth; bars are 95 % intervals over seeds."""
    points = []
    for place, network in enumerate(document["networks"]):
        values = np.array(network["test"])
        half = _half(values)
        points.append((float(place), float(values.mean()), float(values.mean() - half), float(values.mean() + half)))
    ticks = {float(i): str(network["depth"]) for i, network in enumerate(document["networks"])}
    levels = [(simple["name"], simple["mean"]) for simple in document["simple"]]
    title = f"{Path(document['data']).name}: {document['parameters']:,} parameters at every depth"
    name = document["architecture"]
    return Chart(
        title=title,
        x="depth (0: linear)" if "0" in ticks.values() else "depth",
        y=document["score"].replace("_", " "),
        lines=[Line(name=name, points=points)],
        levels=levels,
        ticks=ticks,
    )


def _half(values: np.ndarray) -> float:
    from scipy import special

    if len(values) < 2:
        return 0.0
    return float(special.stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / len(values) ** 0.5)


def _spread(score: str, values: list[float]) -> str:
    return words.value(score, float(np.std(values, ddof=1))) if len(values) > 1 else "?"
