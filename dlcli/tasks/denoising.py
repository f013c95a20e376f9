"""Take the noise out of pictures."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dlcli import metrics, pixels, task
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.tasks import reconstruction
from dlcli.tasks.reconstruction import learned


@dataclass(kw_only=True)
class Task(reconstruction.Task):
    """A picture with Gaussian noise of standard deviation `noise` (white is 1, nothing is cut off)
    -> the picture. Training draws new noise for every batch; a score sees the same noise each time."""

    KINDS = {"images"}
    NEEDS = {"pixels", "denoiser"}
    PREFERS = ("dncnn", "conv-autoencoder")
    headline = "psnr"
    higher_is_better = True

    noise: float

    @classmethod
    def learn(
        cls, train: Examples, data: Data, *, noise: float = 0.3, code: int = 128, size: int | None = None
    ) -> "Task":
        """noise: its standard deviation, where white is 1.  code: numbers that an autoencoder squeezes
        the picture into.  size: longer side of the pictures (default: their own, at most 128)."""
        if noise <= 0:
            raise DataError(f"task.noise={noise} leaves nothing to do.", "0.1 is visible, 0.5 is strong.")
        return cls(noise=noise, code=code, error="mse", **learned(train, data, size=size))

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        return _Noisy(examples.x.prepare(*self.shape), self.noise, training)

    def asked(self, examples: Examples) -> task.Source:
        """The pictures as they are: the noise in them is their own."""
        return pixels.Pictures(examples.x.prepare(*self.shape), None)

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        if y is None:
            return {"picture": np.round(255 * np.clip(y_pred, 0, 1)).astype(np.uint8)}
        before = np.square(x / np.float32(255) - y).reshape(len(y), -1).mean(axis=1)
        return super().measure(x, y, y_pred) | {"mse_before": before}

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        report = super().report(measures)
        gained = 10 * np.log10(measures["mse_before"] / np.maximum(measures["mse"], 1e-10))
        scores = {name: report.scores[name] for name in ("psnr", "ssim", "mse")}
        formulas = {name: report.formulas[name] for name in scores}
        scores["psnr_gain"] = metrics.score(gained)
        formulas["psnr_gain"] = "mean of PSNR after - PSNR before, dB"
        return task.Report(scores=scores, formulas=formulas)

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        return "psnr", -10 * np.log10(np.maximum(measures["mse"], 1e-10))

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        for name in pixels.names(examples):
            yield {"name": name}

    def describe(self) -> str:
        return f"{super().describe().split(', ')[0]}, noise {self.noise:g}"


class _Noisy:
    """x: noisy pixels, black 0 and white 255.  y: the clean ones in [0, 1]."""

    def __init__(self, images, noise: float, training: bool):
        self.images = images
        self.noise = 255 * noise
        self.training = training

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        clean = self.images.read(indices)
        if self.training:
            noise = rng.standard_normal(clean.shape, dtype=np.float32)
        else:  # each picture has its own, whatever batch it comes in
            own = [np.random.default_rng([20_260, i]) for i in indices]
            noise = np.stack([one.standard_normal(clean.shape[1:], dtype=np.float32) for one in own])
        return clean + np.float32(self.noise) * noise, clean / np.float32(255)
