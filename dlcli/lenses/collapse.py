"""Neural collapse: how far the last features of each class have become one point, and these points a simplex.

Papyan, Han and Donoho (2020): late in training all four measures fall to 0.
"""

import numpy as np
from keras import layers, tree

from dlcli.inspection import geometry
from dlcli.inspection.gradients import seen
from dlcli.inspection.subject import Subject, batches
from dlcli.inspection.tap import Visit
from dlcli.inspection.view import Finding, View

BUDGET = "standard"
EXAMPLES = 1_000


def look(view: View) -> Finding | None:
    """Of classifiers whose head is one dense layer on features, and of data with examples of every class."""
    subject, head = view.subject, _head(view.visits, len(view.subject.classes))
    if head is None or subject.labels is None or subject.read is None:
        return None
    key, dense = head
    n = min(EXAMPLES, subject.count)
    labels = np.asarray(subject.labels[:n])
    if len(np.unique(labels)) < dense.units:
        return None
    features = _features(subject, key, n, view.batch_size)
    weights = np.asarray(dense.kernel)
    bias = np.asarray(dense.bias) if dense.use_bias else 0.0
    norms, angles = geometry.nc2(features, labels)
    row = [
        geometry.nc1(features, labels),
        norms,
        angles,
        geometry.nc3(features, labels, weights),
        geometry.nc4(features, labels, weights, bias),
    ]
    finding = Finding()
    finding.tables.append(
        {
            "title": "Neural collapse of the last features",
            "columns": ["spread", "norms", "angles", "head", "nearest mean"],
            "rows": [[f"{value:.3g}" for value in row]],
            "note": f"0 is complete. Of {n} examples: spread within classes against between them (NC1); how unequally long the "
            "class means are, and how far their angles are from a simplex's (NC2); the head against the means (NC3); share of "
            "examples that the head and the nearest class mean put into different classes (NC4).",
        }
    )
    finding.methods.append(
        {
            "name": "neural collapse",
            "formula": "NC1 tr(S_W S_B^+) / C; NC2 deviation / mean of the norms of the class means, mean |cos + 1 / (C - 1)|; "
            "NC3 ||W' / ||W|| - M / ||M|| ||^2; NC4 disagreement with the nearest class mean",
            "source": "Papyan, Han & Donoho, 2020",
        }
    )
    return finding


def _head(visits: list[Visit], classes: int) -> tuple[str, layers.Dense] | None:
    """The last dense layer that gives a number for each class, and the key of the layer whose features it reads."""
    for visit in reversed(visits[:-1]):
        if isinstance(visit.layer, layers.Dense) and visit.layer.units == classes > 1:
            given = tree.flatten(visit.inputs)[0]
            before = (one.key for one in visits[:-1] if tree.flatten(one.output)[0] is given)
            key = next(before, None) if len(given.shape) == 2 else None
            return None if key is None else (key, visit.layer)
    return None


def _features(subject: Subject, key: str, n: int, size: int) -> np.ndarray:
    """What the layer gives for the first n examples, (n, d)."""
    rows = [seen(subject.model, x, [key])[key][:count] for x, _, count in batches(subject.read, n, None, size)]
    return np.concatenate(rows)
