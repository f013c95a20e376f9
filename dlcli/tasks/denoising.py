"""Take the noise out of pictures."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dlcli import metrics, pixels, task, tiles
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.tasks import _noisy, reconstruction
from dlcli.tasks.reconstruction import learned

# Side of the tiles of larger pictures, as of the published network (Zhang et al., 2017).
_TILE = 40
# So many of them are scored, the 68 pictures of BSD68 among them, in a minute or two: of a hundred photographs of 4000 x 3000
# pixels there would be two million.
_SCORED = 20_000


@dataclass(kw_only=True)
class Task(reconstruction.Task):
    """A picture with Gaussian noise of standard deviation `noise` (white is 1, nothing is cut off)
    -> the picture. Training draws new noise for every batch; a score sees the same noise each time.
    With a `tile` (of larger pictures by default) pictures keep their own pixels, whatever their sizes:
    training sees random tiles, turned and mirrored, and a score is of whole pictures (of very large ones
    the middle), put together from tiles that overlap."""

    KINDS = {"images"}
    NEEDS = {"pixels", "denoiser"}
    EACH = "psnr"
    PREFERS = ("dncnn", "conv-autoencoder")
    headline = "psnr"

    noise: float
    tile: int = 0
    per_pass: int = 16_384

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
        per_pass: int = 16_384,
    ) -> "Task":
        """noise: its standard deviation, where white is 1.  code: numbers that an autoencoder squeezes
        the picture into.  size: longer side that pictures are shrunk to (default: their own, at most
        128, where there are no tiles).  tile: side of the tiles that pictures of any size are cut into,
        in place of a size (default: 40 where they are larger than 128; 0: none).  per_pass: tiles that a
        pass takes at most, from places drawn anew each time."""
        if noise <= 0:
            raise DataError(f"task.noise={noise} leaves nothing to do.", "0.1 is visible, 0.5 is strong.")
        if tile and (tile < 16 or size is not None):
            raise DataError(
                f"task.tile={tile} with task.size={size} cannot be.", "a tile has 16 pixels or more, and no size."
            )
        fields = learned(train, data, size=size)
        if tile is None and size is None and max(train.x.size()[:2]) > pixels.LONGEST:
            tile = _TILE
        if tile:
            fields["shape"] = [tile, tile, fields["shape"][2]]
        return cls(noise=noise, code=code, error="mse", tile=tile or 0, per_pass=per_pass, **fields)

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        if not self.tile:
            return _noisy.Pictures(examples.x.prepare(*self.shape), self.noise, training)
        pictures = tiles.Whole(examples.x, self.shape[2])
        if training:
            return _noisy.Crops(tiles.Crops(pictures, self.tile, self.per_pass), self.noise)
        side = max(pixels.LONGEST, tiles.longest_side(pictures.shapes, self.tile, _SCORED))
        self._scored = _noisy.Tiled(pictures.middle(side), self.tile, self.noise)
        return self._scored

    def watched(self, examples: Examples) -> task.Source:
        source = self.source(examples, training=False)
        return source.some(self.per_pass // 4) if self.tile else source

    def asked(self, examples: Examples) -> task.Source:
        """The pictures as they are: the noise in them is their own."""
        if not self.tile:
            return pixels.Pictures(examples.x.prepare(*self.shape), None)
        self._scored = _noisy.Tiled(tiles.Whole(examples.x, self.shape[2]), self.tile, None)
        return self._scored

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        if y is None:
            answers = self._scored.tiles.inside(y_pred) if self.tile else y_pred
            return {"picture": np.round(255 * np.clip(answers, 0, 1)).astype(np.uint8)}
        x, y = np.asarray(x, np.float32) / np.float32(255), np.asarray(y, np.float32)
        if not self.tile:
            before = np.square(x - y).reshape(len(y), -1).mean(axis=1)
            return super().measure(x, y, y_pred) | {"mse_before": before}
        # A tile does not know its picture: report() puts the sums of all its tiles together.
        after = np.clip(np.asarray(y_pred, np.float32), 0, 1)
        return {
            "square": np.nansum(np.square(after - y), axis=(1, 2, 3), dtype=np.float64),
            "square_before": np.nansum(np.square(x - y), axis=(1, 2, 3), dtype=np.float64),
            "values": np.isfinite(y).sum(axis=(1, 2, 3)),
        }

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        measures = self._of_pictures(measures)
        report = super().report(measures)
        gained = 10 * np.log10(measures["mse_before"] / np.maximum(measures["mse"], 1e-10))
        scores = {name: report.scores[name] for name in ("psnr", "ssim", "mse") if name in report.scores}
        formulas = {name: report.formulas[name] for name in scores}
        scores["psnr_gain"] = metrics.score(gained)
        formulas["psnr_gain"] = "mean of PSNR after - PSNR before, dB"
        if self.tile:
            formulas["psnr"] += self._scored.pictures.said
        return task.Report(scores=scores, formulas=formulas)

    def per_example(self, measures: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
        return "psnr", -10 * np.log10(np.maximum(self._of_pictures(measures)["mse"], 1e-10))

    def _of_pictures(self, measures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Measures of tiles as those of whole pictures."""
        if not self.tile:
            return measures
        sums = {name: np.bincount(self._scored.tiles.places[:, 0], values) for name, values in measures.items()}
        return {"mse": sums["square"] / sums["values"], "mse_before": sums["square_before"] / sums["values"]}

    def rows(self, examples: Examples, outputs: dict[str, np.ndarray]) -> Iterable[dict]:
        if self.tile:
            outputs["picture"] = self._scored.tiles.joined(outputs["picture"])
        for name in pixels.names(examples):
            yield {"name": name}

    def describe(self) -> str:
        told = super().describe().split(", ")[0]
        return f"{told.replace(' of ', ' in tiles of ') if self.tile else told}, noise {self.noise:g}"
