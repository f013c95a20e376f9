"""Overlapping windows: test series that are cut from the same recording as training, a few steps apart."""

import numpy as np

from dlcli.checking import Finding, Subject, part_of

KINDS = ("sequences", "series")
LEAST = 8  # steps that must be equal
SHARE = 0.01


def find(subject: Subject):
    """Pieces of half a test series are looked for, to the digit, anywhere in training."""
    if "test" not in subject.parts:
        return
    train, test = (_series(subject, name) for name in ("train", "test"))
    length = max(LEAST, min(map(len, test)) // 2)
    weights = np.random.default_rng(0).integers(1, 2**62, (length, test[0].shape[1]), dtype=np.uint64) | np.uint64(1)
    known = np.unique(np.concatenate([_hashes(x, weights, step=1) for x in train]))
    shared = [i for i, x in enumerate(test) if _any_in(known, _hashes(x, weights, step=length))]
    yield Finding(
        value=len(shared) / len(test),
        shown=f"{part_of(len(shared), len(test))} test series hold {length} steps that also stand in training",
        fault=len(shared) > SHARE * len(test),
        mend="split by recording or by time before cutting windows",
        examples=subject.names("test", shared),
    )


def _any_in(known: np.ndarray, pieces: np.ndarray) -> bool:
    """known: sorted, so that thousands of test series are looked up in it without sorting it for each."""
    at = np.minimum(np.searchsorted(known, pieces), len(known) - 1)
    return bool(len(known) and (known[at] == pieces).any())


def _series(subject: Subject, name: str) -> list[np.ndarray]:
    part = subject.parts[name]
    if subject.data.kind == "series":
        return [np.asarray(span.values[span.start : span.stop], np.float32) for span in part.x]
    return [np.asarray(x, np.float32) for x in part.x]


def _hashes(x: np.ndarray, weights: np.ndarray, *, step: int) -> np.ndarray:
    """A number for every piece of len(weights) rows; pieces where nothing happens have none."""
    length = len(weights)
    if len(x) < length:
        return np.empty(0, np.uint64)
    bits = np.ascontiguousarray(np.nan_to_num(x)).view(np.uint32).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(bits, length, axis=0)[::step]  # (n, C, length)
    values = np.lib.stride_tricks.sliding_window_view(x, length, axis=0)[::step]
    moving = (np.nanmax(values, axis=2) > np.nanmin(values, axis=2)).any(axis=1)
    # products of 64-bit numbers wrap, which is what makes them a hash
    return np.einsum("ncl,lc->n", windows[moving], weights)
