"""Take the noise out of pictures."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dlcli import metrics, pixels, task, tiles
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.tasks import reconstruction
from dlcli.tasks.reconstruction import learned


@dataclass(kw_only=True)
class Task(reconstruction.Task):
    """A picture with Gaussian noise of standard deviation `noise` (white is 1, nothing is cut off)
    -> the picture. Training draws new noise for every batch; a score sees the same noise each time.
    With a `tile` pictures keep their own pixels, whatever their sizes: training sees random tiles,
    turned and mirrored, and a score is of whole pictures, put together from tiles that overlap."""

    KINDS = {"images"}
    NEEDS = {"pixels", "denoiser"}
    EACH = "psnr"
    PREFERS = ("dncnn", "conv-autoencoder")
    headline = "psnr"

    noise: float
    tile: int = 0

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        noise: float = 0.3,
        code: int = 128,
        size: int | None = None,
        tile: int | None = None,
    ) -> "Task":
        """noise: its standard deviation, where white is 1.  code: numbers that an autoencoder squeezes
        the picture into.  size: longer side of the pictures (default: their own, at most 128).
        tile: side of the tiles that pictures of any size are cut into, in place of a size."""
        if noise <= 0:
            raise DataError(f"task.noise={noise} leaves nothing to do.", "0.1 is visible, 0.5 is strong.")
        if tile is not None and (tile < 16 or size is not None):
            raise DataError(
                f"task.tile={tile} with task.size={size} cannot be.", "a tile has 16 pixels or more, and no size."
            )
        fields = learned(train, data, size=size)
        if tile:
            fields["shape"] = [tile, tile, fields["shape"][2]]
        return cls(noise=noise, code=code, error="mse", tile=tile or 0, **fields)

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        if not self.tile:
            return _Noisy(examples.x.prepare(*self.shape), self.noise, training)
        pictures = tiles.whole(examples.x, self.shape[2])
        if training:
            return _Crops(tiles.Crops(pictures, self.tile), self.noise)
        self._scored = _Tiled(pictures, self.tile, self.noise)
        return self._scored

    def asked(self, examples: Examples) -> task.Source:
        """The pictures as they are: the noise in them is their own."""
        if not self.tile:
            return pixels.Pictures(examples.x.prepare(*self.shape), None)
        self._scored = _Tiled(tiles.whole(examples.x, self.shape[2]), self.tile, None)
        return self._scored

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        if y is None:
            return {"picture": np.round(255 * np.clip(y_pred, 0, 1)).astype(np.uint8)}
        if self.tile:
            # A tile knows neither its picture nor what it owns of it: report() puts them together.
            after = np.clip(np.asarray(y_pred, np.float32), 0, 1)
            return {"square": np.square(after - y), "square_before": np.square(x / np.float32(255) - y)}
        before = np.square(x / np.float32(255) - y).reshape(len(y), -1).mean(axis=1)
        return super().measure(x, y, y_pred) | {"mse_before": before}

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        if self.tile:
            together = {name: self._scored.tiles.joined(values) for name, values in measures.items()}
            means = {name: np.array([np.mean(one) for one in pictures]) for name, pictures in together.items()}
            measures = {"mse": means["square"], "mse_before": means["square_before"]}
        report = super().report(measures)
        gained = 10 * np.log10(measures["mse_before"] / np.maximum(measures["mse"], 1e-10))
        scores = {name: report.scores[name] for name in ("psnr", "ssim", "mse") if name in report.scores}
        formulas = {name: report.formulas[name] for name in scores}
        scores["psnr_gain"] = metrics.score(gained)
        formulas["psnr_gain"] = "mean of PSNR after - PSNR before, dB"
        return task.Report(scores=scores, formulas=formulas)

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        return "psnr", -10 * np.log10(np.maximum(measures["mse"], 1e-10))

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        if self.tile:
            outputs["picture"] = self._scored.tiles.joined(outputs["picture"])
        for name in pixels.names(examples):
            yield {"name": name}

    def describe(self) -> str:
        return f"{super().describe().split(', ')[0]}, noise {self.noise:g}"


class _Crops:
    """x: noisy tiles, black 0 and white 255.  y: the clean ones in [0, 1]."""

    def __init__(self, crops: tiles.Crops, noise: float):
        self.crops = crops
        self.noise = np.float32(255 * noise)

    def __len__(self) -> int:
        return len(self.crops)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        clean = self.crops.read(indices, rng)
        return clean + self.noise * rng.standard_normal(clean.shape, dtype=np.float32), clean / np.float32(255)


class _Tiled:
    """The same, all of every picture. noise None: the pictures are noisy as they are, and there is no y."""

    def __init__(self, pictures: list[np.ndarray], side: int, noise: float | None):
        self.tiles = tiles.Tiles([picture.shape for picture in pictures], side)
        self.clean = [self.tiles.padded(picture) for picture in pictures]
        self.noisy = None
        if noise is not None:
            own = [np.random.default_rng([20_260, i]) for i in range(len(pictures))]
            scale = np.float32(255 * noise)
            drawn = [
                picture + scale * one.standard_normal(picture.shape, dtype=np.float32)
                for one, picture in zip(own, pictures, strict=True)
            ]
            self.noisy = [self.tiles.padded(picture) for picture in drawn]

    def __len__(self) -> int:
        return len(self.tiles)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        clean = self.tiles.cut(self.clean, indices)
        if self.noisy is None:
            return clean, None
        return self.tiles.cut(self.noisy, indices), clean / np.float32(255)


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
