"""Give back what was put in, through a code of few numbers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from dlcli import columns as prepared
from dlcli import likelihood, metrics, pixels, sequences, task
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError, some
from dlcli.tasks import _columns, _same

# Noise that a reconstruction by squared error is taken to have, as a standard deviation: what a
# unit of that loss weighs against the divergence of a variational autoencoder.
_NOISE = {"images": 0.1, "sequences": 0.3, "table": 0.3}

_LIKELIHOODS = {
    "kl": "mean over examples of the divergence of the code from the standard normal, nats",
    "nll": "-ln of the mean of p(x|z) p(z) / q(z|x) over {samples} codes, mean over examples, nats (Burda et al., 2016)",
}


@dataclass(kw_only=True)
class Task(task.Task):
    """x -> y, the same: pictures in [0, 1] (B, H, W, C), standardised series (B, T, C), or the columns
    of a table as numbers (B, C). `shape` is that of one y, `code` the numbers it is squeezed into.

    An architecture ends with values of `shape`: the head brings pictures into range.
    """

    KINDS = {"images", "sequences", "table"}
    NEEDS = {"bottleneck"}
    EACH = "mse"
    PREFERS = ("conv-autoencoder", "lstm-autoencoder", "dense-autoencoder")
    headline = "mse"

    kind: str
    shape: list[int]
    code: int
    error: str
    count: int
    mean: list[float]
    spread: list[float]
    ragged: bool
    columns: list[dict]
    binary: bool = False
    importance: int = 0

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        code: int = 32,
        size: int | None = None,
        loss: str = "auto",
        binary: bool = False,
        importance: int = 200,
    ) -> "Task":
        """code: numbers that each example is squeezed into.  size: longer side of the pictures
        (default: their own, at most 128).  loss: mse, or bce (pictures only; their default).
        binary: pixels are drawn black or white, their grey values being the chances.  importance:
        codes drawn for each binary picture when its likelihood is estimated; 0 for none."""
        if binary and (data.kind != "images" or loss == "mse"):
            raise DataError(f"task.binary is for pictures and bce, not for {data.kind} and {loss}.", "leave it away.")
        errors = ("bce", "mse") if data.kind == "images" else ("mse",)
        if loss not in ("auto", *errors):
            raise DataError(f"task.loss={loss!r} is not for {data.kind}.", f"it is {' or '.join(errors)}.")
        if code < 1:
            raise DataError(f"task.code={code} leaves nothing to decode from.", "it is at least 1.")
        return cls(
            code=code,
            error=errors[0] if loss == "auto" else loss,
            binary=binary,
            importance=importance,
            **learned(train, data, size=size),
        )

    def facing(self) -> dict[str, Any]:
        """Fields by which a classifier's stem gives what this one's does. Raises: DlcliError for tables."""
        if self.kind == "images":
            channels = self.shape[-1]
            return {"image": self.shape, "mean": [0.0] * channels, "deviation": [1.0] * channels}
        if self.kind == "table":
            raise DlcliError("the columns of one table mean nothing in another.", "use dlcli train.")
        length, channels = self.shape
        scale = {"mean": self.mean, "spread": self.spread}
        return {"length": length, "channels": channels, "ragged": self.ragged, "patch": 1, **scale}

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        if self.kind == "images":
            return (_same.Drawn if self.binary else _same.Pictures)(examples.x.prepare(*self.shape), training)
        if self.kind == "table":
            x = prepared.flat(prepared.encode(examples.x, self.columns), self.columns)
            return task.Arrays(x, x)
        many = [sequences.interpolated(x) for x in self._checked(examples)]
        return _same.Series(sequences.stacked(many, self.shape[0], ragged=self.ragged), self.mean, self.spread)

    def inputs(self):
        return keras.Input(self.shape, name={"images": "pixels", "sequences": "series", "table": "columns"}[self.kind])

    def stem(self, inputs, width: int | None):
        if self.kind == "images":
            return layers.Rescaling(1 / 255, dtype="float32", name="stem_rescale")(inputs)
        if self.kind == "table":
            return inputs
        return sequences.stem(inputs, None, mean=self.mean, spread=self.spread, ragged=self.ragged, patch=1)

    def head(self, features):
        function = "sigmoid" if self.error == "bce" else "linear"
        return layers.Activation(function, dtype="float32", name="head_values")(features)

    def loss(self):
        return keras.losses.BinaryCrossentropy() if self.error == "bce" else keras.losses.MeanSquaredError()

    def metrics(self) -> list:
        return [] if self.error == "mse" else [keras.metrics.MeanSquaredError(name="mse")]

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        y, y_pred = np.asarray(y, np.float32), np.asarray(y_pred, np.float32)
        if self.kind != "images":
            return {"mse": _mean(np.square(y - y_pred), _same.known(x))}
        y_pred = np.clip(y_pred, 0, 1)
        p = np.clip(y_pred, 1e-7, 1 - 1e-7)
        return {
            "mse": _mean(np.square(y - y_pred)),
            "bce": _mean(-y * np.log(p) - (1 - y) * np.log1p(-p)),
            "ssim": metrics.ssim(y, y_pred),
        }

    def measured(self, model: keras.Model, source: task.Source, train: Examples | None) -> dict[str, np.ndarray]:
        if not likelihood.is_variational(model):
            return {}
        found = {"kl": likelihood.divergence(model, source)}
        if self.binary and self.importance:
            found["nll"] = likelihood.negative_log_likelihood(model, source, samples=self.importance)
        return found

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        report = metrics.reconstruction(measures["mse"], measures.get("bce"), measures.get("ssim"))
        kept = [name for name in report.scores if name != "psnr" or self.kind == "images"]
        formulas = {name: report.formulas[name] for name in kept}
        if self.kind != "images":
            formulas["mse"] += "; in standard deviations, so the mean of each channel would have 1"
        scores = {name: report.scores[name] for name in kept}
        for name, formula in _LIKELIHOODS.items():
            if name in measures:
                scores[name] = metrics.score(measures[name])
                formulas[name] = formula.format(samples=self.importance)
        return task.Report(
            scores=scores,
            tables={"code": [{"numbers": self.size, "in the code": self.code, "ratio": self.size / self.code}]},
            formulas=formulas,
        )

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        return "mse", np.asarray(measures["mse"], np.float64)

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        for i, name in enumerate(pixels.names(examples)):
            yield {"name": name} | {score: float(values[i]) for score, values in outputs.items()}

    def describe(self) -> str:
        what = {"images": "images", "sequences": "series", "table": "rows"}[self.kind]
        shape = "x".join(map(str, self.shape))
        count = f"{self.count:,}".replace(",", " ")
        return f"{count} {what} of {shape}, {self.size / self.code:.3g} numbers to 1 of the code"

    def generate(self, model: keras.Model, *, n: int = 64, seed: int = 0) -> np.ndarray:
        """New pictures uint8 (n, H, W, C), decoded from codes drawn at random."""
        names = [layer.name for layer in model.layers]
        if "latent" not in names or self.kind != "images":
            raise DlcliError(
                "only a variational autoencoder on pictures can draw new ones.", "train with --arch vae or conv-vae."
            )
        decoder = keras.Model(model.get_layer("latent").output, model.output)
        codes = np.random.default_rng(seed).standard_normal((n, self.code), dtype=np.float32)
        drawn = np.concatenate([decoder.predict_on_batch(codes[start : start + 256]) for start in range(0, n, 256)])
        return np.clip(np.round(drawn * 255), 0, 255).astype(np.uint8)

    # ---- for architectures and baselines -----------------------------------------------------

    @property
    def size(self) -> int:
        """Numbers in one example."""
        return math.prod(self.shape)

    @property
    def nats(self) -> float:
        """What 1 of the loss (a mean over values) is worth in nats per example (a sum over them)."""
        return self.size if self.error == "bce" else self.size / (2 * _NOISE[self.kind] ** 2)

    def _checked(self, examples: Examples) -> list[np.ndarray]:
        many = [sequences.trimmed(x) for x in examples.x]
        wrong = sorted({x.shape[1] for x in many} - {self.shape[1]})
        if wrong:
            raise DataError(
                f"the model was trained on series of {self.shape[1]} channels, here are some of {some(wrong)}.",
                "use series with the same channels.",
            )
        return many


def learned(train: Examples, data: Data, *, size: int | None) -> dict:
    """The fields of a task that come from the training examples."""
    fields = {"kind": data.kind, "count": len(train), "mean": [], "spread": [], "ragged": False, "columns": []}
    if len(train) == 0:
        raise DataError("there are no training examples.", "check the path and the split.")
    if data.kind == "images":
        return fields | {"shape": pixels.shape(train.x, size)}
    if size is not None:
        raise DataError(f"task.size={size} is for pictures, not for {data.kind}.", "leave it away.")
    if data.kind == "table":
        found = _columns.learn(train, data, numeric="quantile", bins=0, words=500)
        rows = prepared.flat(prepared.encode(train.x[:2], found), found)
        return fields | {"shape": [rows.shape[1]], "columns": found}
    many = [sequences.trimmed(x) for x in train.x]
    widths = sorted({x.shape[1] for x in many})
    if len(widths) > 1:
        raise DataError(f"series have different numbers of channels: {some(widths)}.")
    mean, spread = sequences.statistics(many)
    lengths = [len(x) for x in many]
    shape = [max(lengths), widths[0]]
    return fields | {"shape": shape, "mean": mean, "spread": spread, "ragged": min(lengths) < max(lengths)}


def _mean(values: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """One mean per example, over its steps that are known."""
    if weight is None:
        return values.reshape(len(values), -1).mean(axis=1)
    return (values.mean(axis=2) * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
