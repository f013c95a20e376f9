"""Which level of a hierarchy each layer adds: measured against the input, an untrained twin and control labels.

For layer l and level t, from held-out correctness, with the majority as 0 and perfect as 1:

    A = (accuracy - majority) / (1 - majority)
    b = max(A of the input, best A of the untrained twin up to layer l, A of the nuisances alone, 0)
    D = max(0, A - b) / max(1 - b, 0.1)                learned decodability
    G = what D gains over the best layer before        only where it is beyond the noise
    E = sum l G / sum G, if sum G > 0.1                emergence (the expected layer of Tenney et al., 2019)
    tau = Kendall's tau-b of the order of the levels and E

Two guards against noise: a maximum over many layers always finds a "gain", so D counts only beyond the bootstrap noise
of all layers together, and a later layer gains only where it beats the last gain by as much; and where the baseline
leaves less than a tenth to learn, that tenth is the unit, or one error less would be a D of 1.

Control labels (Hewitt & Liang, 2019) are reported and not part of b: a network that knows words tells any labelling of
words, while these labels are balanced against the words. What the types do tell of a label counts: the nuisances.
"""

from dataclasses import dataclass

import numpy as np

from dlcli.inspection.kendall import kendall
from dlcli.inspection.probes import majority

DRAWS = 200
ROOM = 0.1  # the least that a baseline leaves to learn
GAINED = 0.1  # sum of G from which a level has emerged
NAMED = 0.05  # G from which a layer is named after the level
LEVELS, LAYERS, SIGNIFICANT = 4, 4, 0.05  # of 4 levels only the perfect order is rarer than 0.05 (1/24)


@dataclass(frozen=True, kw_only=True)
class LevelCounts:
    """Held-out correctness of one level.  Rows are layers (L, n), columns stimuli; control is None if not measured.

    ranked: whether it has a place in the order; not so for labels that lower levels may tell as well.
    """

    name: str
    trained: np.ndarray
    untrained: np.ndarray
    input: np.ndarray  # (n,)
    labels: np.ndarray  # (n,)
    nuisance: np.ndarray | None = None  # (n,): the label guessed from the type of the stimulus
    control: np.ndarray | None = None
    control_labels: np.ndarray | None = None
    group: np.ndarray | None = None  # (n,): stimuli of one group are drawn together, for they err together
    ranked: bool = True


@dataclass(frozen=True, kw_only=True)
class Emergence:
    """Depth at which a level emerges, its 95 % interval, and how much was gained in all."""

    value: float
    low: float
    high: float
    gain: float


@dataclass(frozen=True, kw_only=True)
class Level:
    """What is in the module's docstring, per layer: (L,) each; low and high are the 95 % interval of `learned`,
    gain_low and gain_high that of `gain`."""

    name: str
    trained: np.ndarray
    untrained: np.ndarray
    input: float
    control: np.ndarray | None
    baseline: np.ndarray
    learned: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gain: np.ndarray
    gain_low: np.ndarray
    gain_high: np.ndarray
    emergence: Emergence | None


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """levels in the given order; labels: a name per layer; order: names by emergence; tau and p None where fewer
    than 4 levels emerged.  Labels, order and tau are of the ranked levels."""

    levels: tuple[Level, ...]
    labels: tuple[str, ...]
    tau: float | None
    p: float | None
    order: tuple[str, ...]
    said: str


def measure(levels: list[LevelCounts], depths: np.ndarray, *, seed: int = 0) -> Hierarchy:
    """Levels from low to high, the depth of each layer (L,) rising -> what each layer adds, and whether in that order."""
    depths = np.asarray(depths, "float64")
    found = [_level(counts, depths, np.random.default_rng([seed, i])) for i, counts in enumerate(levels)]
    ranked = [one for one, counts in zip(found, levels, strict=True) if counts.ranked]
    names, draws = [level for level, _ in ranked], [drawn for _, drawn in ranked]
    emerged = [level for level in names if level.emergence]
    tau = p = None
    # a network in which next to nothing emerges has no order, however many levels it was asked for
    said = "too few to test" if len(names) < LEVELS or len(depths) < LAYERS else "no measurable hierarchy"
    if len(emerged) >= LEVELS and len(depths) >= LAYERS:
        tau, p = kendall(np.array([level.emergence.value for level in emerged]))
        said = f"tau = {tau:.2f}, p = {p:.3f}" if p < SIGNIFICANT else "no measurable hierarchy"
    return Hierarchy(
        levels=tuple(level for level, _ in found),
        labels=tuple(_label(names, draws, layer) for layer in range(len(depths))),
        tau=tau,
        p=p,
        order=tuple(level.name for level in sorted(emerged, key=lambda level: level.emergence.value)),
        said=said,
    )


def _level(counts: LevelCounts, depths: np.ndarray, rng: np.random.Generator) -> tuple[Level, np.ndarray]:
    """One level, and its gains in every bootstrap draw (draws, L)."""
    n = len(counts.labels)
    # Row 0 is the measurement: every stimulus once.
    group = np.arange(n) if counts.group is None else np.unique(counts.group, return_inverse=True)[1]
    groups = int(group.max()) + 1
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS)[:, group]
    weights = np.vstack([np.ones(n), drawn])
    weights = weights / weights.sum(axis=1, keepdims=True)
    most = majority(counts.labels)
    trained, untrained = (_normalised(one, weights, most) for one in (counts.trained, counts.untrained))
    before = _normalised(counts.input[None], weights, most)
    # an untrained layer may lose by bad luck what the one before it offered
    offered = np.maximum.accumulate(untrained, axis=1)
    baseline = np.maximum(np.maximum(before, offered), 0.0)
    if counts.nuisance is not None:
        baseline = np.maximum(baseline, _normalised(counts.nuisance[None], weights, most))
    control = None
    if counts.control is not None:
        control = _normalised(counts.control, weights, majority(counts.control_labels))
    room = np.maximum(1 - baseline, ROOM)
    difference = (trained - baseline) / room  # (1 + draws, L), below 0 where training lost the level
    least = 1 / (n * max(1 - most, 1 / n)) / room[0]  # one stimulus: a cell without a single error has some noise too
    gains = _gains(difference, least)
    learned = np.maximum(difference, 0.0)
    low, high = _interval(learned)
    gain_low, gain_high = _interval(gains)
    return Level(
        name=counts.name,
        trained=trained[0],
        untrained=untrained[0],
        input=float(before[0, 0]),
        control=None if control is None else control[0],
        baseline=baseline[0],
        learned=learned[0],
        low=low,
        high=high,
        gain=gains[0],
        gain_low=gain_low,
        gain_high=gain_high,
        emergence=_emergence(gains, depths),
    ), gains[1:]


def _normalised(correct: np.ndarray, weights: np.ndarray, most: float) -> np.ndarray:
    """A of every draw.  correct (L, n), weights (draws, n) -> (draws, L); 0 where there is one class only."""
    accuracy = weights @ np.asarray(correct, "float64").T
    return (accuracy - most) / (1 - most) if most < 1 else np.zeros_like(accuracy)


def _gains(difference: np.ndarray, least: np.ndarray) -> np.ndarray:
    """G of the measurement and of every draw.  difference (1 + draws, L) -> (1 + draws, L)

    From layer to layer: D gains over the last layer that gained (over 0 at first) if by more than the noise of that
    difference, times the largest standardised deviation over the layers in 95 % of the draws.
    """
    deviations = np.hstack([np.zeros((len(difference) - 1, 1)), (difference - difference[0])[1:]])  # "nothing" first
    layers = deviations.shape[1]
    pairs = np.stack([(deviations - deviations[:, i : i + 1]).std(axis=0) for i in range(layers)])
    least = np.append(0.0, least)
    noise = np.maximum(pairs, np.maximum(least[:, None], least[None, :]))  # (1 + L, 1 + L)
    critical = np.quantile(np.abs(deviations[:, 1:] / noise[0, 1:]).max(axis=1), 0.95)
    gains = np.zeros_like(difference)
    best, at = np.zeros(len(difference)), np.zeros(len(difference), int)
    for layer in range(difference.shape[1]):
        step = difference[:, layer] - best
        gained = step > max(critical, 1.96) * noise[at, layer + 1]
        gains[gained, layer] = step[gained]
        best = np.where(gained, difference[:, layer], best)
        at = np.where(gained, layer + 1, at)
    return gains


def _emergence(gains: np.ndarray, depths: np.ndarray) -> Emergence | None:
    totals = gains.sum(axis=1)
    if totals[0] <= GAINED:
        return None
    emerged = totals > GAINED
    values = gains[emerged] @ depths / totals[emerged]
    low, high = _interval(values)
    return Emergence(value=float(values[0]), low=float(low), high=float(high), gain=float(totals[0]))


def _interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % of the draws; it always holds the measurement, which is row 0."""
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return np.minimum(low, values[0]), np.maximum(high, values[0])


def _label(levels: list[Level], draws: list[np.ndarray], layer: int) -> str:
    """'edge .21±.05', 'shape/relation' where two cannot be told apart, 'refines edge', or '–'."""
    ranked = sorted(range(len(levels)), key=lambda i: -levels[i].gain[layer])
    if not ranked:
        return "–"
    first, second = ranked[0], ranked[min(1, len(ranked) - 1)]
    if levels[first].gain[layer] >= NAMED:
        leads = np.quantile((draws[first] - draws[second])[:, layer], 0.025) > 0
        if not leads and first != second and levels[second].gain[layer] >= NAMED:
            return f"{levels[first].name}/{levels[second].name}"
        gain, low, high = (getattr(levels[first], name)[layer] for name in ("gain", "gain_low", "gain_high"))
        return f"{levels[first].name} {_short(gain)}±{_short(max(gain - low, high - gain))}"
    # Known well, but not new here: only levels that have emerged by now.
    kept = [level for level in levels if level.emergence and level.gain[: layer + 1].any() and level.low[layer] > 0]
    kept = [level for level in kept if level.learned[layer] > GAINED]
    return f"refines {max(kept, key=lambda level: level.learned[layer]).name}" if kept else "–"


def _short(value: float) -> str:
    """0.21 -> '.21', 1.0 -> '1.0'."""
    return f"{value:.2f}"[1:] if value < 0.995 else f"{value:.1f}"
