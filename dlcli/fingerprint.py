"""What tells a data set from another, and an example from others: hashes of contents and labels."""

import hashlib
from typing import Any

import numpy as np

from dlcli import alike, rundir
from dlcli.data import Data, Examples
from dlcli.rundir import Run

# Of a larger set of picture files, the contents of so many are hashed, and names and sizes of all.
SAMPLE = 2000
# The examples of a run's training, one number each; of more than so many as many, evenly spread.
MARKS, MOST = "learned.bin", 500_000


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


def marks(data: Data, examples: Examples, columns: list[str] | None = None) -> np.ndarray:
    """A number (n,) uint64 for every example, equal for equal contents; of series, which are cut into windows, none.

    columns: of a table, those that are compared, in that order; by default all that teach something.
    """
    if data.kind == "series":
        return np.zeros(0, np.uint64)
    if data.kind == "table":
        names = columns or list(data.about.get("columns") or examples.x.columns)
        found = ("\x1f".join(map(str, row)) for row in examples.x[names].iter_rows())
    else:
        found = alike.contents(data.kind, examples)
    return np.fromiter((_number(item) for item in found), np.uint64, len(examples))


def _number(item) -> int:
    if isinstance(item, tuple):  # shape and bytes of a sequence
        item = f"{item[0]} ".encode() + item[1]
    data = item if isinstance(item, bytes) else item.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def keep(run: Run, data: Data) -> None:
    """Write down which examples a run is trained on."""
    train = data.splits["train"]
    if len(train) > MOST:
        train = train.take(np.linspace(0, len(train) - 1, MOST).astype(int))
    found = marks(data, train)
    rundir.commit(run.path / MARKS, lambda temporary: temporary.write_bytes(found.astype("<u8").tobytes()))


def learned(run: Run, data: Data, examples: Examples, columns: list[str] | None = None) -> int:
    """How many of the examples are equal to one that the run was trained on, as far as it has written that down.

    columns: of a table, those that the run learned from; the file of another may have more, in another order.
    """
    path = run.path / MARKS
    if not path.is_file():
        return 0
    raw = path.read_bytes()
    return int(np.isin(marks(data, examples, columns), np.frombuffer(raw[: len(raw) // 8 * 8], "<u8")).sum())


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
