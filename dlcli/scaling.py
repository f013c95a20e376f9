"""Between the values of a series and what a network reads: standardised, on a logarithmic scale where that fits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli import sequences
from dlcli.metrics import seasonal_scale


@dataclass(frozen=True, kw_only=True)
class Scale:
    """mean, spread (..., C): of what is standardised.  level, deviation (..., C): of the values themselves, by which
    scores are standardised.  seasonal (..., C): the denominator of MASE, NaN where there is none.
    unit (..., C): values much larger are on a logarithmic scale, v -> asinh(v / unit); None: on their own."""

    mean: np.ndarray
    spread: np.ndarray
    level: np.ndarray
    deviation: np.ndarray
    seasonal: np.ndarray
    unit: np.ndarray | None = None

    @classmethod
    def of(cls, known: np.ndarray, *, seasonal: np.ndarray, logarithmic: bool) -> "Scale":
        """By known rows (T, C) of a series."""
        level, deviation = map(np.array, sequences.statistics([known]))
        if not logarithmic:
            return cls(mean=level, spread=deviation, level=level, deviation=deviation, seasonal=seasonal)
        unit = least(known)
        mean, spread = map(np.array, sequences.statistics([np.arcsinh(np.asarray(known, np.float64) / unit)]))
        return cls(mean=mean, spread=spread, level=level, deviation=deviation, seasonal=seasonal, unit=unit)

    @classmethod
    def each(cls, scales: Sequence["Scale"], numbers: np.ndarray) -> "Scale":
        """That of the scale with each number (n,), for windows (n, F, C): fields (n, 1, C)."""
        fields = {
            name: np.array([getattr(scale, name) for scale in scales])[numbers][:, None]
            for name in ("mean", "spread", "level", "deviation", "seasonal")
        }
        # all series of a task are on one kind of scale
        unit = None if scales[0].unit is None else np.array([scale.unit for scale in scales])[numbers][:, None]
        return cls(**fields, unit=unit)

    def inside(self, values) -> np.ndarray:
        """As the network reads them."""
        values = np.asarray(values, np.float64)
        return ((values if self.unit is None else np.arcsinh(values / self.unit)) - self.mean) / self.spread

    def outside(self, standardised) -> np.ndarray:
        """In original units again."""
        values = np.asarray(standardised, np.float64) * self.spread + self.mean
        # a wild forecast of an untrained network must not overflow
        return values if self.unit is None else np.sinh(np.clip(values, -80, 80)) * self.unit

    def scored(self, standardised) -> np.ndarray:
        """In the units that scores are published in: standardised by the values' own mean and deviation."""
        if self.unit is None:
            return standardised
        return (self.outside(standardised) - self.level) / self.deviation


# What a task keeps of each series' scale; the last three where it is logarithmic.
_KEPT = ("mean", "spread", "seasonal", "level", "deviation", "unit")


def kept(names: Sequence[str], known, samples, *, season: int, logarithmic: bool) -> dict[str, dict[str, list[float]]]:
    """Fields of `Scale`, each by the names of series, JSON-able: seasonal differences are 0 where there are none.

    known: rows (T, C) that each series is standardised by.  samples: those that its seasonal differences are of.
    """
    found: dict[str, dict[str, list[float]]] = {name: {} for name in _KEPT}
    for series, values, sample in zip(names, known, samples, strict=True):
        seasonal = np.nan_to_num(seasonal_scale(sample, season))
        scale = Scale.of(values, seasonal=seasonal, logarithmic=logarithmic)
        for name in _KEPT if logarithmic else _KEPT[:3]:
            found[name][series] = getattr(scale, name).tolist()
    return found


def restored(task, series: str) -> Scale:
    """The scale of a series from what the task has kept."""
    own = {name: np.array(getattr(task, name)[series]) for name in _KEPT if series in getattr(task, name)}
    return Scale(**({"level": own["mean"], "deviation": own["spread"]} | own))


def least(known: np.ndarray) -> np.ndarray:
    """The smallest positive value (C,) of each column (T, C), but no billionth of the largest; 1 where there is none."""
    positive = np.where(np.isfinite(known) & (known > 0), np.asarray(known, np.float64), np.nan)
    there = np.isfinite(positive)
    low, high = positive.min(axis=0, where=there, initial=np.inf), positive.max(axis=0, where=there, initial=0.0)
    return np.where(there.any(axis=0), np.maximum(low, 1e-9 * high), 1.0)


def multiplicative(many: Sequence[np.ndarray], season: int) -> bool:
    """Whether the changes of series (T, C) over a season are more alike on a logarithmic scale than on their own.

    By the likelihood of those changes as normal ones, of all series together (Box & Cox, 1964). Never with values
    below 0.
    """
    if any((values < 0).any() for values in many):  # a gap is not below
        return False
    gain = 0.0
    for values in many:
        values = np.asarray(values, np.float64)
        unit = least(values)
        for column, smallest in zip(values.T, unit, strict=True):
            known = column[np.isfinite(column)]
            plain, bent = (part[season:] - part[:-season] for part in (known, np.arcsinh(known / smallest)))
            if len(plain) < 2 or not (plain.std() > 0 and bent.std() > 0):
                continue
            # the density of a value is that of its transform times the transform's slope
            slopes = -0.5 * np.log(known[season:] ** 2 + smallest**2)
            gain += slopes.sum() + 0.5 * len(plain) * (np.log(np.mean(plain**2)) - np.log(np.mean(bent**2)))
    return gain > 0
