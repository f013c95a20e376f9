"""Principal components as many as the code has numbers: the best linear autoencoder (Baldi and Hornik, 1989)."""

import numpy as np

from dlcli.baselines._measure import batches, some_rows
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"reconstruction", "denoising", "anomaly-detection"}


def fit(task, train: Examples, *, code: int | None = None, rows: int = 20_000, values: int = 30_000_000) -> Predictor:
    """code: components kept (default: the size of the task's code, else 32).  rows: training
    examples used at most, drawn by seed.  values: rows times features at most.

    Where what goes in is not what shall come out (denoising), it is the best linear map of that
    rank from one to the other (reduced-rank regression, Izenman 1975).
    """
    source = task.source(train, training=False)
    width = next(batches(source, 1))[2].size
    chosen = some_rows(len(source), max(2, min(rows, values // width)))
    pairs = [(_inputs(x, y), _rows(y)) for _, x, y in batches(source, 256, chosen)]
    x, y = (np.concatenate(part) for part in zip(*pairs, strict=True))
    scale, shift = np.polyfit(x[:256].ravel(), y[:256].ravel(), 1)  # pixels of 0..255, say
    x = x * scale + shift
    same = np.allclose(x, y, atol=1e-4 * y.std())
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    code = min(code or getattr(task, "code", None) or 32, *y.shape)
    if same:
        decode = encode = _components(y, code)  # (d, code)
    else:
        weights = _least_squares(x, y)
        decode = _components(x @ weights, code)
        encode = weights @ decode

    def predict(examples: Examples):
        source = task.source(examples, training=False)
        parts = []
        for _, x, y in batches(source, 256):
            z = (_inputs(x, y) * scale + shift - mean_x) @ encode
            y_pred = z @ decode.T + mean_y
            parts.append(task.measure(x, y, y_pred.reshape(y.shape).astype(np.float32)))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return predict


def _rows(values) -> np.ndarray:
    return np.nan_to_num(np.asarray(values, np.float32).reshape(len(values), -1))


def _inputs(x, y) -> np.ndarray:
    """x as rows (B, d); y where x has another form of the same (a dict of columns, say)."""
    if isinstance(x, dict) or np.shape(x) != np.shape(y):
        return _rows(y)
    return _rows(x)


def _least_squares(x, y):
    products = x.T @ x
    # a little ridge: pixels that never change have no inverse
    products[np.diag_indices_from(products)] += 1e-3 * np.trace(products) / len(products)
    return np.linalg.solve(products, x.T @ y)


def _components(rows, code):
    """Directions of most variance of centred rows.  (n, d) -> (d, code)"""
    from threadpoolctl import threadpool_limits

    n, d = rows.shape
    with threadpool_limits(limits=1):
        if d <= n or d <= 4_096:
            return np.linalg.eigh(rows.T @ rows)[1][:, ::-1][:, :code]
        _, vectors = np.linalg.eigh(rows @ rows.T)
        left = vectors[:, ::-1][:, :code]
        directions = rows.T @ left
        return directions / np.maximum(np.linalg.norm(directions, axis=0), 1e-12)
