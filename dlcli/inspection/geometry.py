"""The shape of a layer's cloud of points: similarity, dimension, neural collapse."""

import numpy as np

ROUNDING = 1e-6  # less spread than this share of a column's size is the rounding of float32


class Cloud:
    """The points x (n, d) of one layer, centred, and their inner products (n, n), of which all else here is made."""

    def __init__(self, x: np.ndarray):
        self.x = _centred(x)
        self.products = self.x @ self.x.T

    def gram(self, n: int | None = None) -> np.ndarray:
        """U-centred matrix of inner products of the first n points (Szekely & Rizzo, 2014), with a zero diagonal.

        Off-diagonal rows sum to 0; the inner product of two of them is an unbiased estimate up to 1 / (n (n - 3)).
        """
        gram = self.products[:n, :n].copy()
        n = len(gram)
        np.fill_diagonal(gram, 0.0)
        means = gram.sum(axis=1) / (n - 2)
        means -= means.sum() / (2 * (n - 1))
        gram -= means[:, None] + means[None, :]
        np.fill_diagonal(gram, 0.0)
        return gram

    def effective_rank(self) -> float:
        """Participation ratio (sum of eigenvalues)^2 / sum of squares of the covariance, in [1, d].

        Both traces are U-statistics, unbiased for any distribution: with few examples the plain ratio is far too small.
        """
        square_of_trace, trace_of_square = self._traces()
        if not trace_of_square > 0:
            return float("nan")
        return float(np.clip(square_of_trace / trace_of_square, 1.0, self.x.shape[1]))

    def intrinsic_dimension(self) -> float:
        """TwoNN (Facco et al., 2017): the dimension of the surface that the points lie on.

        The slope through 0 of -log(1 - F) against log(r2 / r1), without the 10 % largest ratios; equal points count
        once. Too small for more than about 5 dimensions; NaN for fewer than 10 different points.
        """
        squares = self._squared_distances()
        # Equal inputs of different batches differ by rounding.
        near = 1e-10 * max(np.diag(self.products).mean(), np.finfo(float).tiny)
        same = np.tril(squares <= near, -1).any(axis=1)
        if same.any():
            squares = squares[np.ix_(~same, ~same)]
        if len(squares) < 10:
            return float("nan")
        np.fill_diagonal(squares, np.inf)
        nearest = np.partition(squares, 1, axis=1)[:, :2]
        ratios = np.sort(np.log(nearest[:, 1] / nearest[:, 0]) / 2)[: int(0.9 * len(squares))]
        heights = -np.log1p(-np.arange(1, len(ratios) + 1) / len(squares))
        return float(heights @ ratios / (ratios @ ratios)) if ratios.any() else float("nan")

    def _squared_distances(self) -> np.ndarray:
        lengths = np.diag(self.products)
        return np.maximum(lengths[:, None] + lengths[None, :] - 2 * self.products, 0.0)

    def _traces(self) -> tuple[float, float]:
        """Unbiased (tr S)^2 and tr S^2 of the covariance S.

        (tr S)^2 is the mean of d_ij d_kl over four different examples, with d_ij = |x_i - x_j|^2 / 2.
        """
        n = len(self.x)
        if n < 4:
            return float("nan"), float("nan")
        halves = self._squared_distances() / 2
        np.fill_diagonal(halves, 0.0)
        sums = halves.sum(axis=1)
        disjoint = sums.sum() ** 2 - 4 * (sums**2).sum() + 2 * np.vdot(halves, halves)
        gram = self.gram()
        return disjoint / (n * (n - 1) * (n - 2) * (n - 3)), np.vdot(gram, gram) / (n * (n - 3))


def cka(first: np.ndarray, second: np.ndarray) -> float:
    """Debiased linear CKA of two U-centred Gram matrices (Kornblith et al., 2019): about 0 if independent, 1 if equal.

    The biased form is nowhere here: for independent data with fewer examples than features it is close to 1.
    """
    size = np.sqrt(np.vdot(first, first) * np.vdot(second, second))
    return float(np.vdot(first, second) / size) if size > 0 else float("nan")


def unit(gram: np.ndarray) -> np.ndarray:
    """A U-centred Gram matrix (n, n) as one row (n * n,) float32 of length 1, for `cka_matrix`; NaN for a constant."""
    size = np.linalg.norm(gram)
    return np.ravel(gram / size if size > 0 else np.full_like(gram, np.nan)).astype("float32")


def cka_matrix(rows: list[np.ndarray]) -> np.ndarray:
    """Debiased linear CKA of every pair of layers.  L unit rows (n * n,) -> (L, L); NaN for constants."""
    rows = np.stack(rows)
    matrix = (rows @ rows.T).astype("float64")
    diagonal = np.diag(matrix)
    matrix[np.diag_indices(len(matrix))] = np.where(np.isnan(diagonal), np.nan, 1.0)
    return matrix


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


def _class_means(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (C, d) in the order of the sorted labels, the class number of each example, the class shares (C,)."""
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    members = np.eye(len(classes))[codes]
    return members.T @ x / counts[:, None], codes, counts / len(x)
