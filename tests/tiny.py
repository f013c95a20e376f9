"""The smallest data of each kind, made by seed: what the contract test learns from."""

import numpy as np
import polars as pl

from dlcli.data import Data, Examples, Span
from dlcli.images import ArrayImages

N = 24


def data(kind: str, labels: str) -> Data:
    """Data of that kind, with "classes", "numbers" or "none" as labels, in the split "all"."""
    rng = np.random.default_rng(0)
    y = {
        "classes": ["cat" if i % 2 else "dog" for i in range(N)],
        "numbers": rng.normal(size=N).astype("float32"),
        "none": None,
    }[labels]
    about = {"target_kind": labels} if labels != "none" else {}
    names = [f"example {i}" for i in range(N)]
    if kind == "images":
        pictures = rng.integers(0, 256, (N, 16, 16, 1)).astype("uint8")
        about |= {"classes": ["cat", "dog"] if labels == "classes" else None, "size": (16, 16, 1)}
        return Data(kind=kind, splits={"all": Examples(x=ArrayImages(pictures), y=y, names=names)}, about=about)
    if kind == "sequences":
        x = [rng.normal(size=(20 + i % 3, 2)).astype("float32") for i in range(N)]
        return Data(kind=kind, splits={"all": Examples(x=x, y=y, names=names)}, about=about)
    if kind == "series":
        t = np.arange(400)
        values = np.stack([np.sin(t / 4), np.cos(t / 9) + 0.1 * rng.normal(size=400)], axis=1).astype("float32")
        span = Span(values=values, start=0, stop=400, name="s")
        columns = {"columns": ["a", "b"], "target_columns": ["a", "b"], "frequency": "1h", "season": 24}
        return Data(kind=kind, splits={"all": Examples(x=[span])}, about=columns)
    if kind in ("texts", "corpus"):
        words = ["red", "green", "blue", "sun", "moon", "rain", "wind"]
        x = [" ".join(rng.choice(words, 12)) + "." for _ in range(N)]
        return Data(
            kind=kind, splits={"all": Examples(x=x, y=y if kind == "texts" else None, names=names)}, about=about
        )
    if kind == "table":
        frame = pl.DataFrame(
            {
                "age": rng.normal(40, 10, N),
                "town": [["Ulm", "Bonn", "Kiel"][i % 3] for i in range(N)],
                "answer": y if y is not None else [str(i) for i in range(N)],
            }
        )
        about |= {"target": "answer", "columns": {"age": "numeric", "town": "category"}}
        return Data(kind=kind, splits={"all": Examples(x=frame, names=names)}, about=about)
    raise ValueError(kind)
