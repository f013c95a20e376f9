"""Ridge regression from the window to the forecast, in closed form, one map for all columns (Toner and Darlow, 2024)."""

import numpy as np

GAPS = 2_000  # histories, about, whose targets have gaps: every step ahead is then solved by itself
_AT_ONCE = 256


def fitted(windows, rows: np.ndarray, *, mode: str, penalty: float) -> np.ndarray:
    """Weights (L, F) from what a window has above its level to what the target has above it.

    windows: what `batch` gives x (B, L, C) and y (B, F, C) of, the latter with gaps; `rows` of them are used.
    mode: what the level is, as in `layers.InstanceStandardize`.  penalty: ridge, relative to the mean variance of the
    inputs.

    Raises: ValueError where too little is known.
    """
    if len(rows) < 2:
        raise ValueError("there are fewer than two training windows")
    products = targets = whole = partly = 0
    gaps: list[tuple] = []
    at_once = getattr(windows, "at_once", _AT_ONCE)
    for start in range(0, len(rows), at_once):
        chosen = rows[start : start + at_once]
        x, y = windows.batch(chosen, np.random.default_rng(0))
        a, b = columns(x), columns(y)  # (B * C, L), (B * C, F)
        level = level_of(a, mode)
        a, b = a - level, b - level
        known = np.isfinite(b).all(axis=1)
        missing = np.flatnonzero(~known)
        partly += len(missing)
        # of each batch its share, for all of them would take the memory of the whole set
        share = -(-GAPS * len(chosen) // len(rows))
        some = missing[:: -(-len(missing) // share) or 1]
        gaps.append((a[some], b[some]))
        a, b = a[known], b[known]
        products, targets, whole = products + a.T @ a, targets + a.T @ b, whole + len(a)
    weights = _solved(products, targets, penalty)
    a, b = (np.concatenate(parts) for parts in zip(*gaps, strict=True))
    if not whole and not np.isfinite(b).any():
        raise ValueError("no training window has a known target")
    if partly > whole:
        for step in range(b.shape[1]):
            seen = np.isfinite(b[:, step])
            more = a[seen]
            weights[:, step] = _solved(products + more.T @ more, targets[:, step] + more.T @ b[seen, step], penalty)
    return weights


def enough(windows: int, columns: int) -> int:
    """So many windows of up to eight columns, or fewer of more: each column of each is an equation."""
    return max(2, windows * 8 // max(columns, 8))


def columns(x) -> np.ndarray:
    """(B, T, C) -> (B * C, T) float64"""
    return np.asarray(x, np.float64).swapaxes(1, 2).reshape(-1, x.shape[1])


def level_of(a: np.ndarray, mode: str) -> np.ndarray:
    """(N, L) -> (N, 1)"""
    return {"revin": a.mean(axis=1, keepdims=True), "last": a[:, -1:], "none": np.zeros((len(a), 1))}[mode]


def _solved(products, targets, penalty: float) -> np.ndarray:
    """Ridge regression from X'X (L, L) and X'Y (L, ...)."""
    L = len(products)
    return np.linalg.solve(products + max(penalty * np.trace(products) / L, 1e-9) * np.eye(L), targets)
