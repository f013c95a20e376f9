"""What stands between two tokens: bigram counts of both sides, with Witten-Bell smoothing (1991)."""

import numpy as np
from scipy import sparse

from dlcli.baselines._measure import measured
from dlcli.data import Examples
from dlcli.task import Predictor

TASKS = {"masked-language-modeling"}

PADDING, FIRST = 0, 2


def fit(task, train: Examples) -> Predictor:
    """p(w | left, right) is taken to be proportional to p(w | left) p(right | w); padding stands for the ends."""
    V, rows = task.tokens.size, [task.tokens.encode(one) for one in train.x]
    alone = np.bincount(np.concatenate(rows), minlength=V).astype(float)
    alone[:FIRST] = 0.0  # padding and the unknown are never the answer
    alone = (alone + 0.5 * (np.arange(V) >= FIRST)) / (alone.sum() + 0.5 * (V - FIRST))
    padded = [np.concatenate([[PADDING], row, [PADDING]]) for row in rows]
    before, after = (np.concatenate(ids) for ids in ([row[:-1] for row in padded], [row[1:] for row in padded]))
    pairs = sparse.coo_matrix((np.ones(len(before)), (before, after)), (V, V)).tocsr()
    total = np.asarray(pairs.sum(axis=1)).ravel()
    kinds = np.diff(pairs.indptr)
    trust = total / np.maximum(1, total + kinds)  # of the counts after a token, against those of all
    following = sparse.diags(trust / np.maximum(1, total)) @ pairs
    preceding = following.tocsc()

    def logits(x, indices):
        """ln p (B, T, V) where a token is hidden, 0 elsewhere."""
        around = np.pad(x, ((0, 0), (1, 1)))
        found = np.zeros((*x.shape, V), np.float32)
        for b, t in np.argwhere(x == 1):
            left, right = around[b, t], around[b, t + 2]
            p = following[left].toarray()[0] + (1 - trust[left]) * alone
            p = p * (preceding[:, right].toarray()[:, 0] + (1 - trust) * max(alone[right], 1e-9))
            p[:FIRST] = 0.0
            found[b, t] = np.log(np.maximum(p / p.sum(), 1e-30))
        return found

    def predict(examples: Examples):
        return measured(task, examples, logits, batch_size=max(1, 4_000_000 // (task.length * V)))

    return predict
