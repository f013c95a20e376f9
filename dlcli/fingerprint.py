"""What tells a data set from another: counts, and hashes of contents and labels, for every split."""

import hashlib
from typing import Any

import numpy as np

from dlcli.data import Data, Examples

# Of a larger set of picture files, the contents of so many are hashed, and names and sizes of all.
SAMPLE = 2000


def of(data: Data) -> dict[str, Any]:
    """Equal for equal data, in equal order and equal splits."""
    return {"kind": data.kind} | {
        part: {
            "examples": len(examples),
            "contents": _hash(_contents(data.kind, examples)),
            "labels": _hash(_labels(examples.y)),
        }
        for part, examples in data.splits.items()
    }


def _contents(kind: str, examples: Examples):
    x = examples.x
    if kind == "images":
        from dlcli.file_bytes import size
        from dlcli.images import fingerprints

        paths = getattr(x.source, "paths", None)
        if paths is None or len(x) <= SAMPLE:
            yield from fingerprints(x)
        else:
            for i in x.positions.tolist():
                yield f"{x.source.names[i]} {size(paths[i])}".encode("utf-8", "surrogateescape")
            yield from fingerprints(x.take(np.linspace(0, len(x) - 1, SAMPLE).astype(int)))
    elif kind == "table":
        yield x.write_csv().encode()
    elif kind == "series":
        for span in x:
            yield f"{span.name} {span.start} {span.stop} {span.values.shape}".encode()
            yield np.ascontiguousarray(span.values).tobytes()
    elif kind == "sequences":
        for values in x:
            yield f"{values.shape}".encode()
            yield np.ascontiguousarray(values).tobytes()
    else:
        for text in x:
            yield text.encode("utf-8", "surrogatepass")


def _labels(y):
    if isinstance(y, np.ndarray):
        yield np.ascontiguousarray(y).tobytes()
    elif y is not None:
        for label in y:
            yield str(label).encode("utf-8", "surrogatepass")


def _hash(items) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(len(item).to_bytes(8, "big"))
        digest.update(item)
    return digest.hexdigest()[:32]
