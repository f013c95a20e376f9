"""Leakage: one single feature that tells the label, and too well to be true."""

import numpy as np

from dlcli.checking import Finding, Subject
from dlcli.errors import some

KINDS = ("images", "table", "sequences", "texts")
LABELS = ("classes", "numbers")
CHEAP = True
ROWS = 5_000
# Of the error that is left without any feature, so much is taken away by one feature alone. The best column
# of Fisher's irises takes 93 % away, and is honest.
TOO_GOOD = 0.98
WORDS = 2_000
# Of more features only so many are asked by trees, those that tell most by a quick measure.
ASKED, BINS = 200, 16


def find(subject: Subject):
    y = np.asarray(subject.parts["train"].y)
    chosen = np.sort(np.random.default_rng(subject.seed).permutation(len(y))[:ROWS])
    numbers = subject.labels == "numbers"
    target = y[chosen].astype(np.float64) if numbers else subject.classes("train")[chosen]
    if len(target) < 20 or (not numbers and len(np.unique(target)) < 2):
        return
    features = _words(subject, chosen) if subject.data.kind == "texts" else _features(subject, chosen)
    features = {name: np.where(np.isfinite(values), values, -1e30) for name, values in features.items()}
    features = {name: values for name, values in features.items() if np.ptp(values) > 0}
    asked = features if len(features) <= ASKED else _promising(features, target, numbers)
    found = {name: _told(values, target, numbers) for name, values in asked.items()}
    found = {name: share for name, share in found.items() if share is not None}
    if not found:
        return
    best = max(found, key=found.get)
    # one that tells all, beside others that nearly do, is an easy task; alone it is a leak
    guilty = sorted((name for name, share in found.items() if share >= TOO_GOOD), key=lambda name: -found[name])
    others = [share for name, share in found.items() if name not in guilty]
    alone = bool(guilty and others) and max(others) < 0.9
    names = guilty if alone else [best]
    yield Finding(
        value=found[best],
        shown=f"{some(names)} alone takes away {100 * found[best]:.0f} % of the error",
        fault=alone and len(guilty) <= max(2, len(features) // 4),
        mend=_mend(subject, guilty or [best]),
        examples=guilty,
    )


def _mend(subject: Subject, names: list[str]) -> str:
    if subject.data.kind == "table":
        return f"is it known when predicting? If not: --set data.drop={','.join(names)}"
    return "is it there when predicting? If not, remove it from the files: a mark, a frame, a length, a word"


def _features(subject: Subject, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Single features by name, (n,) or (n, few)."""
    part = subject.parts["train"]
    if subject.data.kind == "table":
        return _columns(subject, part.x[chosen])
    if subject.data.kind == "sequences":
        many = [np.nan_to_num(np.asarray(part.x[i], np.float64)) for i in chosen.tolist()]
        told = {"length": np.array([len(x) for x in many], float)}
        for channel in range(many[0].shape[1]):
            for name, function in (("mean", np.mean), ("spread", np.std), ("first value", lambda x: x[0])):
                told[f"{name} of channel {channel}"] = np.array([function(x[:, channel]) for x in many])
        return told
    height, width, channels = part.x.size()
    side = min(1.0, 16 / max(height, width))
    shape = (max(1, round(height * side)), max(1, round(width * side)), channels)
    pictures = subject.rows["train"][chosen].reshape(-1, *shape)
    told = {"brightness": pictures.mean(axis=(1, 2, 3)), "contrast": pictures.std(axis=(1, 2, 3))}
    for name, (row, column) in {
        "top left": (0, 0),
        "top right": (0, -1),
        "bottom left": (-1, 0),
        "bottom right": (-1, -1),
    }.items():
        told[f"the pixels at the {name}"] = pictures[:, row, column].mean(axis=1)
    return told


def _columns(subject: Subject, frame) -> dict[str, np.ndarray]:
    from dlcli.cells import numbers, times

    told = {}
    for name, kind in subject.columns.items():
        if kind == "numeric":
            told[name] = numbers(frame[name]).fill_null(np.nan).to_numpy()
        elif kind == "category" and frame[name].n_unique() <= min(100, len(frame) // 5):
            told[name] = frame[name].cast(str).fill_null("").rank("dense").to_numpy().astype(float)
        elif kind == "time" and times(frame[name]) is not None:
            told[name] = times(frame[name]).dt.epoch("s").cast(float).fill_null(np.nan).to_numpy()
    return told


def _words(subject: Subject, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Whether a frequent word is there, and the text's length. Whole words alone: pairs follow from them."""
    from sklearn.feature_extraction.text import CountVectorizer

    texts = [subject.parts["train"].x[i] for i in chosen.tolist()]
    told = {"length": np.array([len(text) for text in texts], float)}
    try:
        made = CountVectorizer(
            token_pattern=r"(?u)[^\s]+", binary=True, max_features=WORDS, min_df=max(2, len(texts) // 50)
        )
        present = made.fit_transform(texts).toarray()
    except ValueError:  # no word is in that many texts
        return told
    # only those that could tell much: presence that depends on the class
    target = subject.classes("train")[chosen]
    share = np.array([present[target == k].mean(axis=0) for k in np.unique(target)])
    words = made.get_feature_names_out()
    for i in np.argsort(-(share.max(axis=0) - share.min(axis=0)))[:20]:
        told[f"the word {words[i]!r}"] = present[:, i].astype(float)
    return told


def _promising(features: dict[str, np.ndarray], target: np.ndarray, numbers: bool) -> dict[str, np.ndarray]:
    """Those features of which bins of equally many rows differ most in their mean target, by share of its variance."""
    y = target[:, None] - target.mean() if numbers else np.eye(target.max() + 1)[target]
    y = y - y.mean(axis=0)
    told = {}
    for name, values in features.items():
        sums = np.add.reduceat(
            y[np.argsort(values, kind="stable")], np.linspace(0, len(y), BINS, endpoint=False).astype(int)
        )
        told[name] = np.square(sums).sum()
    return {name: features[name] for name in sorted(told, key=told.get)[-ASKED:]}


def _told(values: np.ndarray, target: np.ndarray, numbers: bool) -> float | None:
    """Share of the error that a small tree on this feature alone takes away, on rows that it has not seen."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    values = values[:, None]
    order = np.random.default_rng(0).permutation(len(target)) % 3
    left = usual = 0.0
    for fold in range(3):
        known, unseen = order != fold, order == fold
        if numbers:
            model = DecisionTreeRegressor(max_leaf_nodes=200, min_samples_leaf=2, random_state=0)
            model.fit(values[known], target[known])
            left += np.square(model.predict(values[unseen]) - target[unseen]).sum()
            usual += np.square(target[known].mean() - target[unseen]).sum()
        else:
            model = DecisionTreeClassifier(max_leaf_nodes=200, min_samples_leaf=2, random_state=0)
            model.fit(values[known], target[known])
            left += (model.predict(values[unseen]) != target[unseen]).sum()
            usual += (np.bincount(target[known]).argmax() != target[unseen]).sum()
    return float(1 - left / usual) if usual else None
