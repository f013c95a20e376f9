"""The shape of a layer's cloud of points: similarity, dimension, neural collapse."""

import numpy as np

ROUNDING = 1e-6  # less spread than this share of a column's size is the rounding of float32


def grams(x: np.ndarray) -> np.ndarray:
    """U-centred matrix of inner products (Szekely & Rizzo, 2014).  x (n, d) -> (n, n) with a zero diagonal.

    Off-diagonal rows sum to 0; the inner product of two of them is an unbiased estimate up to 1 / (n (n - 3)).
    """
    x = _centred(x)
    n = len(x)
    gram = x @ x.T
    np.fill_diagonal(gram, 0.0)
    means = gram.sum(axis=1) / (n - 2)
    means -= means.sum() / (2 * (n - 1))
    gram -= means[:, None] + means[None, :]
    np.fill_diagonal(gram, 0.0)
    return gram


def cka(first: np.ndarray, second: np.ndarray) -> float:
    """Debiased linear CKA of two U-centred Gram matrices (Kornblith et al., 2019): about 0 if independent, 1 if equal.

    The biased form is nowhere here: for independent data with fewer examples than features it is close to 1.
    """
    size = np.sqrt(np.vdot(first, first) * np.vdot(second, second))
    return float(np.vdot(first, second) / size) if size > 0 else float("nan")


def cka_matrix(layers: list[np.ndarray]) -> np.ndarray:
    """Debiased linear CKA of every pair of layers.  L arrays (n, d_l) of the same n -> (L, L); NaN for constants."""
    rows = np.empty((len(layers), len(layers[0]) ** 2), "float32")
    for i, x in enumerate(layers):
        gram = grams(x)
        size = np.linalg.norm(gram)
        rows[i] = np.ravel(gram / size if size > 0 else np.full_like(gram, np.nan))
    matrix = (rows @ rows.T).astype("float64")
    diagonal = np.diag(matrix)
    matrix[np.diag_indices(len(matrix))] = np.where(np.isnan(diagonal), np.nan, 1.0)
    return matrix


def effective_rank(x: np.ndarray) -> float:
    """Participation ratio (sum of eigenvalues)^2 / sum of squares of the covariance of x (n, d), in [1, d].

    Both traces are U-statistics, unbiased for any distribution: with few examples the plain ratio is far too small.
    """
    square_of_trace, trace_of_square = _traces(x)
    return _bounded(square_of_trace, trace_of_square, x.shape[1])


def effective_rank_projected(moments: np.ndarray) -> float:
    """Participation ratio before a random projection, from R'AR (k, k), R ~ N(0, 1/k) with k columns.

    A projection spreads the spectrum and lowers the plain ratio; the moments of the Wishart distribution undo it.
    """
    moments = np.asarray(moments, "float64")
    square_of_trace, trace_of_square = np.trace(moments) ** 2, (moments**2).sum()
    return _bounded(*_unprojected(square_of_trace, trace_of_square, len(moments)), None)


def effective_rank_projected_rows(x: np.ndarray) -> float:
    """As effective_rank, for rows x (n, k) that are random projections: unbiased for few examples and for few columns."""
    return _bounded(*_unprojected(*_traces(x), x.shape[1]), None)


def intrinsic_dimension(x: np.ndarray) -> float:
    """TwoNN (Facco et al., 2017): the dimension of the surface the points x (n, d) lie on.

    The slope through 0 of -log(1 - F) against log(r2 / r1), without the 10 % largest ratios; equal points count once.
    Too small for more than about 5 dimensions; NaN for fewer than 10 different points.
    """
    x = _centred(x)
    squares = _squared_distances(x)
    # Equal inputs of different batches differ by rounding.
    same = np.tril(squares <= 1e-10 * max((x**2).sum(axis=1).mean(), np.finfo(float).tiny), -1)
    squares = squares[np.ix_(~same.any(axis=1), ~same.any(axis=1))]
    if len(squares) < 10:
        return float("nan")
    np.fill_diagonal(squares, np.inf)
    nearest = np.partition(squares, 1, axis=1)[:, :2]
    ratios = np.sort(np.log(nearest[:, 1] / nearest[:, 0]) / 2)[: int(0.9 * len(squares))]
    heights = -np.log1p(-np.arange(1, len(ratios) + 1) / len(squares))
    return float(heights @ ratios / (ratios @ ratios)) if ratios.any() else float("nan")


def nc1(x: np.ndarray, labels: np.ndarray) -> float:
    """tr(S_W S_B^+) / C: spread within classes against between them (Papyan, Han & Donoho, 2020); 0 is collapse."""
    x = _centred(x)
    means, codes, shares = _class_means(x, labels)
    left, sizes, _ = np.linalg.svd((means * np.sqrt(shares)[:, None]).T, full_matrices=False)  # S_B = U s^2 U'
    kept = sizes > ROUNDING * max(sizes[0], np.finfo(float).tiny)
    if not kept.any():
        return float("nan")
    within = (((x - means[codes]) @ left[:, kept]) ** 2).mean(axis=0)
    return float((within / sizes[kept] ** 2).sum() / len(means))


def nc2(x: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(coefficient of variation of the norms of the class means, mean |cosine + 1 / (C - 1)|); 0, 0 for a simplex."""
    means, *_ = _class_means(_centred(x), labels)
    means = means - means.mean(axis=0)
    norms = np.linalg.norm(means, axis=1)
    if not norms.all():
        return float("nan"), float("nan")
    cosines = (means @ means.T) / np.outer(norms, norms)
    others = ~np.eye(len(means), dtype=bool)
    return float(norms.std() / norms.mean()), float(np.abs(cosines[others] + 1 / (len(means) - 1)).mean())


def nc3(x: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """|| W' / ||W|| - M / ||M|| ||^2 in [0, 4]: the head against the class means.

    x (n, d), weights (d, C), column i for the i-th label in sorted order.
    """
    means, *_ = _class_means(_centred(x), labels)
    means = means - means.mean(axis=0)
    size = np.linalg.norm(means) * np.linalg.norm(weights)
    if size == 0:
        return float("nan")
    return float(((weights.T / np.linalg.norm(weights) - means / np.linalg.norm(means)) ** 2).sum())


def nc4(x: np.ndarray, labels: np.ndarray, weights: np.ndarray, bias: np.ndarray | float = 0.0) -> float:
    """Share of examples that the head and the nearest class mean put into different classes.  weights (d, C)."""
    x = np.asarray(x, "float64")
    means, *_ = _class_means(x, labels)
    distances = (means**2).sum(axis=1) - 2 * x @ means.T
    return float(((x @ weights + bias).argmax(axis=1) != distances.argmin(axis=1)).mean())


def _centred(x: np.ndarray) -> np.ndarray:
    """x (n, d) minus its mean; columns that vary by rounding alone become 0."""
    x = np.asarray(x, "float64")
    centred = x - x.mean(axis=0)
    centred[:, centred.std(axis=0) <= ROUNDING * np.abs(x).max(axis=0)] = 0.0
    return centred


def _squared_distances(x: np.ndarray) -> np.ndarray:
    lengths = (x**2).sum(axis=1)
    return np.maximum(lengths[:, None] + lengths[None, :] - 2 * x @ x.T, 0.0)


def _traces(x: np.ndarray) -> tuple[float, float]:
    """Unbiased (tr S)^2 and tr S^2 of the covariance S of x (n, d).

    (tr S)^2 is the mean of d_ij d_kl over four different examples, with d_ij = |x_i - x_j|^2 / 2.
    """
    n = len(x)
    if n < 4:
        return float("nan"), float("nan")
    halves = _squared_distances(_centred(x)) / 2
    np.fill_diagonal(halves, 0.0)
    sums = halves.sum(axis=1)
    disjoint = sums.sum() ** 2 - 4 * (sums**2).sum() + 2 * (halves**2).sum()
    return disjoint / (n * (n - 1) * (n - 2) * (n - 3)), (grams(x) ** 2).sum() / (n * (n - 3))


def _unprojected(square_of_trace: float, trace_of_square: float, columns: int) -> tuple[float, float]:
    """Both traces before a projection on k columns: E tr M^2 = (1 + 1/k) S + T^2/k,  E (tr M)^2 = T^2 + 2 S/k."""
    k = columns
    before = k * k * (trace_of_square - square_of_trace / k) / ((k - 1) * (k + 2))
    return square_of_trace - 2 * before / k, before


def _bounded(square_of_trace: float, trace_of_square: float, most: int | None) -> float:
    if not trace_of_square > 0:
        return float("nan")
    return float(np.clip(square_of_trace / trace_of_square, 1.0, most))


def _class_means(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (C, d) in the order of the sorted labels, the class number of each example, the class shares (C,)."""
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    members = np.eye(len(classes))[codes]
    return members.T @ x / counts[:, None], codes, counts / len(x)
