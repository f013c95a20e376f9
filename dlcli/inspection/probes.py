"""Linear probes: what can be read off a layer by a ridge regression that never saw the example."""

import numpy as np

from dlcli.errors import DlcliError

FOLDS = 5
STRENGTHS = np.logspace(-4, 3, 8)  # times the mean eigenvalue
# A column that varies less than this share of its size varies by the rounding of float32.
ROUNDING = 1e-6


class Ridge:
    """Ridge regression with an intercept from x (n, d); one factorisation answers for many targets.

    The columns are z-scored; columns that do not vary are left out.  Held-out predictions come from five folds in
    closed form: with H the matrix that maps targets to fitted values, the residuals of a block b that was left out are
    (I - H_bb)^-1 (y - Hy)_b.  Five stratified folds and not leave-one-out: leaving one example out lowers the share of
    its own class, so features of pure noise would score far below chance.
    """

    def __init__(self, x: np.ndarray):
        x = np.asarray(x, "float64")
        self._live, self._mean, self._spread = _live(x)
        self._z = z = self._scored(x)
        n, d = z.shape
        if d < n:
            values, vectors = np.linalg.eigh(z.T @ z)
        else:
            values, vectors = np.linalg.eigh(z @ z.T)
        kept = values > 1e-10 * values[-1] if d else values > 0
        self.values = values[kept]
        self.basis = z @ (vectors[:, kept] / np.sqrt(self.values)) if d < n else vectors[:, kept]  # (n, rank)
        self.strengths = STRENGTHS * (self.values.sum() / max(1, min(d, n - 1)))

    def correct(self, labels: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
        """Whether the class predicted for each held-out example is its label.  labels (n,) -> bool (n,).

        Ridge on one-hot labels, the largest prediction wins.  Without any column that varies: the majority.
        groups (n,): examples of one group are held out together.
        """
        classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if len(classes) == 1 or not len(self.values):
            return codes == counts.argmax()
        targets = np.eye(len(classes))[codes]
        folds = _folds(codes, groups)
        if groups is None:
            strength = self.strengths[self._errors(targets).sum(axis=1).argmin()]
            predictions = self.held_out(targets, folds, strength)
        else:  # leaving out one alone would leave its partners in
            tried = [self.held_out(targets, folds, strength) for strength in self.strengths]
            predictions = min(tried, key=lambda found: ((found - targets) ** 2).sum())
        # The shares of all labels and not of the training folds: a class with one example more in the held-out fold
        # has one fewer in training, which would count against exactly those examples.
        predictions += targets.mean(axis=0) - _means_without(targets, folds)
        # equal but for rounding is equal: else the order of additions would decide, which a backend is free in
        return predictions.round(6).argmax(axis=1) == codes

    def predict(self, labels: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The class (m,) of each row of x (m, d), which were not fitted to, by what was fitted to labels (n,)."""
        classes, codes = np.unique(labels, return_inverse=True)
        targets = np.eye(len(classes))[codes]
        strength = self.strengths[self._errors(targets).sum(axis=1).argmin()]
        directions = self._z.T @ (self.basis / (self.values + strength))  # (d, rank)
        found = self._scored(np.asarray(x, "float64")) @ (directions @ (self.basis.T @ targets)) + targets.mean(axis=0)
        return classes[found.round(6).argmax(axis=1)]

    def r2(self, targets: np.ndarray) -> np.ndarray:
        """Share of the variance of held-out targets that is predicted.  targets (n, k) -> (k,), at most 1.

        The reference is the mean of the training folds, so 0 is chance; NaN for a constant target.
        """
        targets = np.asarray(targets, "float64")
        folds = _folds(np.zeros(len(targets), int))
        best = self._errors(targets).argmin(axis=0)
        means = _means_without(targets, folds)
        predictions = means.copy()
        for i in np.unique(best) if len(self.values) else ():
            predictions[:, best == i] = self.held_out(targets[:, best == i], folds, self.strengths[i])
        total = ((targets - means) ** 2).sum(axis=0)
        constant = targets.std(axis=0) <= ROUNDING * np.abs(targets).max(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(constant, np.nan, 1 - ((targets - predictions) ** 2).sum(axis=0) / total)

    def held_out(self, targets: np.ndarray, folds: np.ndarray, strength: float) -> np.ndarray:
        """Predict each fold by the ridge that was fitted on the others.  targets (n, k), folds (n,) -> (n, k)."""
        shrunk = self.basis * (self.values / (self.values + strength))
        residuals = targets - targets.mean(axis=0) - shrunk @ (self.basis.T @ targets)
        predictions = np.empty_like(residuals)
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            hat = shrunk[rows] @ self.basis[rows].T + 1 / len(targets)
            predictions[rows] = targets[rows] - np.linalg.solve(np.eye(len(rows)) - hat, residuals[rows])
        return predictions

    def _scored(self, x: np.ndarray) -> np.ndarray:
        """Columns that vary in what was fitted to, with mean 0 and deviation 1 there."""
        return (x[:, self._live] - self._mean) / self._spread

    def _errors(self, targets: np.ndarray) -> np.ndarray:
        """Leave-one-out squared error of every strength, by leverage.  targets (n, k) -> (strengths, k)."""
        shrink = self.values / (self.values + self.strengths[:, None])  # (strengths, rank)
        leverage = 1 / len(targets) + shrink @ (self.basis**2).T  # (strengths, n)
        projected = self.basis.T @ targets  # (rank, k)
        centred = targets - targets.mean(axis=0)
        residuals = [centred - self.basis @ (one[:, None] * projected) for one in shrink]
        return ((np.stack(residuals) / (1 - leverage)[:, :, None]) ** 2).sum(axis=1)


def majority(labels: np.ndarray) -> float:
    """The share of the most frequent label."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def control_types(rows: np.ndarray, bits: int = 6) -> np.ndarray:
    """Groups of inputs that look alike: signs of the first principal components.  rows (n, d) -> (n,) in [0, 2^bits)."""
    rows = np.asarray(rows, "float64").reshape(len(rows), -1)
    rows = rows - rows.mean(axis=0)
    _, vectors = np.linalg.eigh(rows @ rows.T)
    scores = vectors[:, ::-1][:, : min(bits, len(rows) - 1)]
    # The sign of an eigenvector is arbitrary: fixed here, so that every machine draws the same labels.
    scores = scores * np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])])
    patterns = (scores > 0) @ (1 << np.arange(scores.shape[1]))
    return np.unique(patterns, return_inverse=True)[1]


def control_labels(types: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """One label per type, drawn with the class shares of `labels` (control task of Hewitt & Liang, 2019).  -> (n,)

    A layer that predicts them remembers inputs; it does not know the level.
    """
    classes, counts = np.unique(labels, return_counts=True)
    drawn = np.random.default_rng(seed).choice(classes, size=int(types.max()) + 1, p=counts / counts.sum())
    return drawn[types]


def guessed(types: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the most frequent label of the others of its type is each example's label.  (n,) ints -> bool (n,)

    What a label can be told by from its nuisances alone; below chance where they are balanced against it.
    """
    counts = np.zeros((types.max() + 1, labels.max() + 1))
    np.add.at(counts, (types, labels), 1)
    others = counts[types]
    others[np.arange(len(labels)), labels] -= 1
    return (others.argmax(axis=1) == labels) & (others.max(axis=1) > 0)


def _live(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which columns vary, bool (d,), and the means and deviations of those."""
    if not np.isfinite(x).all():
        raise DlcliError(
            f"{int((~np.isfinite(x)).sum())} of {x.size} values of a layer are not finite.",
            "the model has diverged on these inputs: check its weights and the scale of the data.",
        )
    spread = x.std(axis=0)
    live = spread > ROUNDING * np.abs(x).max(axis=0)
    return live, x[:, live].mean(axis=0), spread[live]


def _folds(codes: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """Fold of each example, the classes spread evenly; the same for the same labels.  codes (n,) -> (n,)

    groups (n,): each goes whole into one fold, with the class of its first example.
    """
    if groups is not None:
        _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
        return _folds(codes[firsts])[members]
    # Shuffled first: stimuli often come in cycles, and a cycle of five would put one nuisance into one fold.
    shuffled = np.random.default_rng(0).permutation(len(codes))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    folds = np.empty(len(codes), int)
    folds[order] = np.arange(len(codes)) % FOLDS
    return folds


def _means_without(targets: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """For every example the mean target of the folds it is not in.  (n, k) -> (n, k)"""
    inside = np.eye(FOLDS)[folds]
    totals, counts = inside.T @ targets, inside.sum(axis=0)[:, None]
    return ((targets.sum(axis=0) - totals) / (len(targets) - counts))[folds]
