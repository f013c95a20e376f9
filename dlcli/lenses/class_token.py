"""What the class token of a vision transformer says, against what its patches say: your labels, read off each."""

import numpy as np
from keras import ops

from dlcli.inspection.probes import Ridge
from dlcli.inspection.subject import batches
from dlcli.inspection.view import Finding, View
from dlcli.inspection.watch import Watch
from dlcli.lenses import _heads
from dlcli.lenses.windows import steps
from dlcli.metrics import interval

BUDGET = "standard"
FAMILIES = ("transformer",)
EXAMPLES = 512


def look(view: View) -> Finding | None:
    """Probes of the first position and of the mean of all others, where there is one position more than patches."""
    subject, shape = view.subject, tuple(view.subject.model.inputs[0].shape[1:])
    shapes = {visit.key: visit.output.shape for visit in view.visits}
    places = [place for place in steps(view) if has_class_token(shapes[place.key][1], shape)]
    if not places or subject.labels is None or subject.read is None:
        return None
    watch = Watch(subject.model, [place.key for place in places], pool=_apart)
    n = min(EXAMPLES, subject.count)
    seen = watch.gathered(batches(subject.read, n, None, view.batch_size))
    labels, finding, rows = subject.labels[:n], Finding(), []
    for place in places:
        halves = np.split(seen[place.key], 2, axis=1)
        right = [Ridge(half).correct(labels) for half in halves]
        token, patches = (float(one.mean()) for one in right)
        finding.own[place.name] = {"class token": round(token, 3), "patches": round(patches, 3)}
        rows.append([place.layer, *(f"{one.mean():.2f} ({_span(one)})" for one in right)])
    finding.tables.append(
        {
            "title": "Class token against patches",
            "columns": ["layer", "class token", "mean of the patches"],
            "rows": rows,
            "note": f"Held-out accuracy of a linear probe on {n} examples, with its 95 % interval.",
        }
    )
    return finding


def has_class_token(positions: int | None, shape: tuple) -> bool:
    """Whether a picture of this shape (H, W, C) makes a grid of patches of all positions but one."""
    if positions is None or len(shape) != 3 or None in shape:
        return False
    apart = _heads.pixels_apart(positions, *shape[:2])
    return apart is not None and bool(np.isnan(apart[0]).all())


def _apart(x, at=None):
    """(B, T, C) -> the first position and the mean of the others (B, 2 C)."""
    x = ops.cast(x, "float32")
    return ops.concatenate([x[:, 0], ops.mean(x[:, 1:], axis=1)], axis=-1)


def _span(right: np.ndarray) -> str:
    return "–".join(f"{end:.2f}" for end in interval(right))
