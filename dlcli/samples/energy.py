"""Energy: hourly loads of a town (MW), with trend, seasons, holidays, breakdowns and gaps.

Homes follow the cold and the evening, offices and the factory the working week, solar panels the
sun. A few holidays empty the offices, the factory stops now and then, meters fail.
"""

from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import read_back

SIZE = 8760  # hours, when no number is given: a year
START = "2024-01-01T00"  # a Monday
HOLIDAYS = (0, 88, 91, 120, 129, 140, 276, 358, 359, 360)  # days of the year
COLUMNS = ("homes", "offices", "factory", "solar", "temperature")


def make(n: int, *, seed: int = 0) -> Data:
    """One series of n hours and five channels; gaps are NaN."""
    from dlcli.formats import table

    return read_back(write, n, seed=seed, open=table.open)


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """energy.csv: time and five columns. Some rows are missing, some cells are empty."""
    import polars as pl

    times, values = draw(n, seed=seed)
    kept = ~np.isnan(values).all(axis=1)
    columns = {"time": [str(time).replace("T", " ") for time in times[kept]]}
    for name, column in zip(COLUMNS, values[kept].T, strict=True):
        columns[name] = pl.Series(column).fill_nan(None)
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_csv(folder / "energy.csv", float_precision=2)


def draw(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Hours as datetime64, and values (n, 5) in MW and degrees Celsius; gaps are NaN."""
    days = -(-n // 24)
    hour = np.arange(days * 24)
    day, clock = hour // 24, hour % 24
    year = 2 * np.pi * (hour / 8766)
    weekend = (day % 7) >= 5
    # Each day has its own generator: a longer series begins like a shorter one.
    noise = np.concatenate([np.random.default_rng([seed, d]).standard_normal((24, 5)) for d in range(days)])
    luck = np.stack([np.random.default_rng([seed, d, 1]).random(16) for d in range(days)])  # (days, 16)
    holiday = np.isin(day % 365, HOLIDAYS)
    at_work = ~(weekend | holiday)

    weather = _smooth(noise[:, 0], 0.985)  # fronts pass within days
    temperature = 10 - 9 * np.cos(year - 0.35) - 3.5 * np.cos(2 * np.pi * (clock - 3) / 24) + 3.5 * weather
    cloud = 1 / (1 + np.exp(-2 * _smooth(noise[:, 1], 0.93) - 0.3 * weather))
    height = -np.cos(2 * np.pi * clock / 24) - 0.35 * np.cos(year + 0.17)
    solar = 11 * np.maximum(0, height) * (1 - 0.75 * cloud) * (1 + 0.25 * hour / 8766)

    cold = np.maximum(0, 16 - temperature)
    late = np.where(at_work, 0, 1.5)  # people rise later when they may
    homes = 14 + 0.55 * cold + 5 * _bell(clock, 7.5 + late, 1.5) + 9 * _bell(clock, 19.5, 2.5) - 5 * _bell(clock, 3, 3)
    homes = (homes + 2.5 * ~at_work * _bell(clock, 13, 4)) * (1 + 0.08 * hour / 8766)
    warm = np.maximum(0, temperature - 19)
    offices = 6 + np.where(at_work, 1.0, 0.12) * (16 + 0.9 * warm) * _bell(clock, 12.5, 4.2, flat=4)

    shift = np.where(day % 7 == 6, 0.25, np.where(day % 7 == 5, 0.6, 1.0)) * np.where(holiday, 0.3, 1.0)
    factory = 5 + 20 * shift * (0.75 + 0.25 * _bell(clock, 13, 5, flat=4)) * (1 - 0.1 * hour / 8766)
    stop, length = (luck[:, 0] < 0.02), 4 + (luck[:, 1] * 20).astype(int)
    for d in np.flatnonzero(stop):
        start = d * 24 + int(luck[d, 2] * 24)
        factory[start : start + length[d]] = 3.0

    values = np.stack([homes, offices, factory, solar, temperature], axis=1)
    values[:, :3] += np.stack([_smooth(noise[:, 2 + i], 0.6) for i in range(3)], axis=1) * (0.7, 0.5, 0.8)
    values[:, 2:4] = np.maximum(values[:, 2:4], 0)
    times = np.datetime64(START, "h") + hour
    return times[:n].astype("datetime64[m]"), _with_gaps(values, luck)[:n]


def _with_gaps(values: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """Single hours are lost, now and then half a day; a meter that fails leaves cells empty."""
    for d in range(len(luck)):
        if luck[d, 4] < 0.06:
            values[d * 24 + int(luck[d, 5] * 24)] = np.nan
        if luck[d, 6] < 0.008:
            start = d * 24 + int(luck[d, 7] * 24)
            values[start : start + 12] = np.nan
        if luck[d, 8] < 0.10:
            start = d * 24 + int(luck[d, 9] * 24)
            values[start : start + 1 + int(luck[d, 10] * 8), int(luck[d, 11] * 5)] = np.nan
    return values


def _smooth(noise: np.ndarray, memory: float) -> np.ndarray:
    """An autoregressive process of first order and unit variance."""
    state, out = 0.0, np.empty_like(noise)
    gain = np.sqrt(1 - memory**2)
    for i, value in enumerate(noise):
        state = memory * state + gain * value
        out[i] = state
    return out


def _bell(clock, middle, width, *, flat: float = 2):
    """1 at the middle of the day's hours, falling to both sides; larger `flat`, steeper sides."""
    distance = np.abs((clock - middle + 12) % 24 - 12) / width
    return np.exp(-(distance**flat) / 2)
