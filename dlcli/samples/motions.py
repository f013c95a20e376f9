"""Motions: sequences of three channels; the class is the order in which three gestures come.

Each sequence holds a lift, a shake and a turn, once each, along random directions and at random
times, so that neither means nor spectra tell the class, only what comes before what.
"""

from itertools import permutations
from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import Draws, is_test, read_back, write_factors

SIZE = 900  # sequences, when no number is given
COLUMNS = 40
STEPS, CHANNELS = 96, 3
GESTURES = ("lift", "shake", "turn")
CLASSES = tuple("-".join(order) for order in permutations(GESTURES))
LEVELS = {"motif": ("first", "second", "third"), "order": ("order",)}


def make(n: int, *, seed: int = 0) -> Data:
    """n sequences, float32 (96, 3), with the order of their gestures as class."""
    from dlcli.formats import aeon_ts

    return read_back(write, n, seed=seed, open=aeon_ts.open)


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """motions_TRAIN.ts and motions_TEST.ts as aeon reads them, and factors.csv."""
    columns = factors(n, seed=seed)
    series = draw(columns, seed=seed)
    test = is_test(n, len(CLASSES))
    head = (
        "# Procedural: three gestures in an order.\n@problemName motions\n@timeStamps false\n@missing false\n"
        f"@univariate false\n@dimensions {CHANNELS}\n@equalLength true\n@seriesLength {STEPS}\n"
        f"@classLabel true {' '.join(CLASSES)}\n@data\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("TRAIN", ~test), ("TEST", test)):
        if rows.any():
            lines = [_line(x, y) for x, y in zip(series[rows], columns["order"][rows], strict=True)]
            (folder / f"motions_{part}.ts").write_text(head + "".join(lines), encoding="utf-8")
    write_factors(folder, {"split": np.where(test, "test", "train"), **columns}, LEVELS)


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Order, and for each gesture its middle and width in steps and its direction."""
    draws = Draws(n, seed=seed, columns=COLUMNS)
    order = np.asarray(CLASSES)[np.arange(n) % len(CLASSES)]
    places = np.array([name.split("-") for name in order], dtype=object).reshape(n, len(GESTURES))
    table = {"order": order, **{rank: places[:, i] for i, rank in enumerate(("first", "second", "third"))}}
    # three middles, at least 22 steps apart, within 14 steps of neither end
    free = np.sort(np.stack([draws.uniform() for _ in GESTURES], axis=1), axis=1)
    middles = 14 + free * (STEPS - 28 - 2 * 22) + np.arange(3) * 22
    for name in GESTURES:
        table[f"{name}_middle"] = np.where(places == name, middles, 0).sum(axis=1).astype(float)
        table[f"{name}_width"] = draws.uniform(3.5, 5.5)
        table[f"{name}_size"] = draws.uniform(0.8, 1.4)
        direction = np.stack([draws.normal() for _ in range(CHANNELS)])
        for channel, value in zip("xyz", direction / np.linalg.norm(direction, axis=0), strict=True):
            table[f"{name}_{channel}"] = value
    table["shake_period"] = draws.uniform(3.5, 6)
    table["noise"] = draws.uniform(0.1, 0.3)
    return table


def draw(table: dict[str, np.ndarray], *, seed: int = 0) -> np.ndarray:
    """Factors -> sequences (n, 96, 3)."""
    t = np.arange(STEPS)
    series = np.zeros((len(table["order"]), STEPS, CHANNELS))
    for name in GESTURES:
        place = (t - table[f"{name}_middle"][:, None]) / table[f"{name}_width"][:, None]  # (n, T)
        bell = np.exp(-(place**2) / 2)
        if name == "shake":
            form = bell * np.sin(2 * np.pi * (t - table["shake_middle"][:, None]) / table["shake_period"][:, None])
        else:
            form = bell if name == "lift" else 1.6 * place * bell  # up and down again; there and back
        direction = np.stack([table[f"{name}_{channel}"] for channel in "xyz"], axis=1)  # (n, C)
        series += (table[f"{name}_size"][:, None] * form)[:, :, None] * direction[:, None, :]
    for i in range(len(series)):
        noise = np.random.default_rng([seed, i, 1]).standard_normal((STEPS + 1, CHANNELS))
        # the hand also drifts: the last row of the noise is a slope
        series[i] += table["noise"][i] * (noise[:-1] + 2 * noise[-1] * (t / STEPS - 0.5)[:, None])
    return series


def _line(series: np.ndarray, label: str) -> str:
    channels = [",".join(f"{value:.2f}" for value in channel) for channel in series.T]
    return ":".join([*channels, label]) + "\n"
