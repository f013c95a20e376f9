"""The ceiling that noise sets: no model can be better than its labels, or its steps, can be told at all.

Labels: with error e of the nearest neighbour and K classes, the best possible error lies between
(K-1)/K (1 - sqrt(1 - K e / (K-1))) and e (Cover and Hart, 1967), when neighbours are near. Series: what a
linear model of the last steps explains of the next change, on data that it has not seen.
"""

import numpy as np

from dlcli.checking import Finding, Subject

KINDS = ("images", "table", "sequences", "series")
LABELS = ("classes", "none")
# The nearest neighbour must lie within this share of the usual distance to say something.
NEAR = 0.15
CEILING = 0.25
LAGS = 8
EXPLAINED = 0.02


def find(subject: Subject):
    if subject.data.kind == "series":
        yield from _steps(subject)
    elif subject.labels == "classes" and subject.rows["train"].shape[1] and len(subject.parts["train"]) > 20:
        yield from _classes(subject)


def bounds(e: float, K: int) -> tuple[float, float]:
    """The best possible error, from below and above."""
    return (K - 1) / K * (1 - max(0.0, 1 - K * e / (K - 1)) ** 0.5), e


def _classes(subject: Subject):
    found, labels = subject.neighbours, subject.classes("train")
    nearest = found.distance[:, 0]
    usable = nearest < NEAR * found.usual
    if usable.mean() < 0.2:
        yield Finding(
            value=0.0,
            shown="the noise of labels cannot be told: the nearest examples are far from one another",
            fault=False,
        )
        return
    e = float((labels[found.found[usable, 0]] != labels[found.asking[usable]]).mean())
    low, high = bounds(e, max(2, len(subject.class_names)))
    yield Finding(
        value=low,
        shown=f"near neighbours disagree in {100 * e:.1f} %: the best error possible is {100 * low:.1f} to {100 * high:.1f} %",
        fault=low > CEILING,
        mend="better or more telling inputs, or better labels; no model gets below",
    )


def predictable(subject: Subject) -> float:
    """Share of the variance of the changes from step to step that a linear model of the last LAGS changes
    explains on later data; 0 or less for a random walk."""
    explained = []
    for known, unseen in zip(
        subject.parts["train"].x, subject.parts.get("test", subject.parts["train"]).x, strict=False
    ):
        for column in range(known.values.shape[1]):
            train, test = (np.diff(span.values[span.start : span.stop, column]) for span in (known, unseen))
            train, test = train[np.isfinite(train)], test[np.isfinite(test)]
            if len(train) < 5 * LAGS or len(test) < 3 * LAGS or train.std() == 0:
                continue
            x, y = _lagged(train)
            weights = np.linalg.lstsq(x, y, rcond=None)[0]
            x, y = _lagged(test)
            variance = np.square(y).mean()
            if variance > 0:
                explained.append(1 - np.square(x @ weights - y).mean() / variance)
    return float(np.mean(explained)) if explained else 1.0


def _lagged(changes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    windows = np.lib.stride_tricks.sliding_window_view(changes, LAGS + 1)
    return np.concatenate([windows[:, :-1], np.ones((len(windows), 1))], axis=1), windows[:, -1]


def _steps(subject: Subject):
    share = predictable(subject)
    yield Finding(
        value=share,
        shown=f"the last {LAGS} steps explain {100 * max(0.0, share):.1f} % of the next change",
        fault=share < EXPLAINED,
        mend="a random walk: the last value is the best forecast, unless other columns know more",
    )
