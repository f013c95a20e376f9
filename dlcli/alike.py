"""Equal examples: found by their contents, kept on one side of a split, and told where they stand on two.

What they are equal in is what is learned from, not their labels.
"""

import numpy as np

from dlcli.data import Data, Examples
from dlcli.errors import counted, some


def contents(kind: str, examples: Examples, columns=None) -> list:
    """One hashable per example, equal for exact duplicates.  columns: of a table, those that are learned from."""
    if kind == "images":
        from dlcli.images import fingerprints

        return fingerprints(examples.x)
    if kind == "table":
        return examples.x[columns or examples.x.columns].hash_rows(seed=0).to_list()
    if kind == "sequences":
        return [(x.shape, np.ascontiguousarray(x).tobytes()) for x in examples.x]
    return [" ".join(text.split()) for text in examples.x]


def _contents(data: Data, examples: Examples) -> list:
    return contents(data.kind, examples, list(data.about.get("columns") or []) if data.kind == "table" else None)


def groups(
    data: Data, whole: Examples, labels: np.ndarray | None, counts, warnings: list[str], *, apart: bool
) -> np.ndarray:
    """A group number per example in order of first appearance: duplicates share theirs, unless they are so many that
    they would fill a split, or are to be apart.

    labels: classes, of which it is told where equal examples have several.  counts: sizes of the splits, by name.
    """
    n, first = len(whole), {}
    groups = np.array([first.setdefault(item, len(first)) for item in _contents(data, whole)])
    if labels is not None:
        warnings += _contradictions(groups, labels, whole.names)
    if apart:
        return np.arange(n)
    sizes = np.bincount(groups)
    many = sizes > max(2, min([count for count in counts.values() if count] or [n]))
    if many.any():
        warnings.append(f"one example stands {sizes.max()} times: its duplicates were not kept on one side")
        loose = many[groups]
        groups[loose] = len(sizes) + np.arange(loose.sum())
        groups = np.unique(groups, return_inverse=True)[1]
    if (same := n - groups.max() - 1) > 0:
        warnings.append(f"{same} of {n} examples are exact duplicates of others: kept on the same side")
    return groups


def _contradictions(groups, labels, names) -> list[str]:
    """A warning of equal examples under different labels."""
    order = np.lexsort((labels, groups))
    pairs = order[:-1], order[1:]
    odd = (groups[pairs[0]] == groups[pairs[1]]) & (labels[pairs[0]] != labels[pairs[1]])
    if not odd.any():
        return []
    one, other = int(pairs[0][odd][0]), int(pairs[1][odd][0])
    first = [f"{str(labels[i])!r}" + (f" ({names[i]})" if names is not None else "") for i in (one, other)]
    count = counted(len(np.unique(groups[pairs[0]][odd])), "example")
    return [f"{count} with more than one label, the first under {' and '.join(map(str, first))}"]


def shared(done: dict[str, Examples], data: Data) -> list[str]:
    """Warnings of examples that stand in two splits."""
    found = {name: _contents(data, examples) for name, examples in done.items()}
    warnings = []
    for name, other in (("test", "train"), ("val", "train"), ("test", "val")):
        if name in found and other in found:
            known = set(found[other])
            both = [i for i, item in enumerate(found[name]) if item in known]
            if both:
                names = done[name].names
                which = f": {some([names[i] for i in both])}" if names is not None else ""
                warnings.append(f"{len(both)} of {len(found[name])} {name} examples also stand in {other}{which}")
    return warnings
