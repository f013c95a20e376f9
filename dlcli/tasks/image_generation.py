"""Draw new pictures like those of a set."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
from keras import layers

from dlcli import copies, metrics, pixels, rundir, task
from dlcli import judge as judging
from dlcli.data import Data, Examples, Images
from dlcli.errors import DataError, DlcliError, some
from dlcli.features import SIZE, features

_LONGEST = 64  # side of the pictures drawn, unless `size` says otherwise
_COMPARED = 5_000  # pictures of a split that are compared at most
_SAMPLE = 2_000  # pictures that the scale of the features is learned from


@dataclass(kw_only=True)
class Task(task.Task):
    """Noise (B, Z) -> pictures (B, H, W, C) in [-1, 1].

    x: {"noise"}, and {"label"} (B,) where the pictures have classes: an architecture takes what it
    asks for. y: real pictures. Both are compared by features of random convolutions, each in units
    of its deviation over the training pictures. The headline is coverage: it falls both when
    pictures do not look real and when kinds of them are missing.
    """

    KINDS = {"images"}
    NEEDS = {"generator"}
    PREFERS = ("dcgan",)
    monitor = ()
    headline = "coverage"

    image: list[int]
    latent: int
    classes: list[str]
    count: int
    mean: list[float]
    spread: list[float]
    judge: str | None = None
    beside: str | None = None

    @classmethod
    def learn(
        cls,
        train: Examples,
        data: Data,
        *,
        size: int | None = None,
        latent: int = 64,
        judge: str | None = None,
        beside: str | None = None,
    ) -> "Task":
        """size: longer side of the pictures in pixels (default: their own, at most 64).
        latent: numbers of noise that a picture is drawn from.  judge: a run of image-classification,
        whose features compare too and whose classes are counted.  beside: another run that draws."""
        if len(train) < 2:
            raise DataError(f"{len(train)} training pictures are too few to draw more of the kind.", "check the path.")
        image = pixels.shape(train.x, size or min(_LONGEST, max(train.x.size()[:2])))
        if judge:
            judging.opened(judge, image)  # a mistake in it is told before training
        if beside:
            rundir.find(Path(beside)).model_file()
        known = train.y is not None and isinstance(train.y[0], str)
        images = train.x.prepare(*image)
        chosen = np.array_split(pixels.sample(images, _SAMPLE), 8)
        seen = np.concatenate([features(_scaled(images.read(part))) for part in chosen if len(part)])
        return cls(
            image=image,
            latent=latent,
            classes=sorted(set(train.y)) if known else [],
            count=len(train),
            mean=seen.mean(axis=0).astype(float).tolist(),
            # what never varies has nothing to be divided by
            spread=np.where(seen.std(axis=0) > 1e-4, seen.std(axis=0), 1.0).astype(float).tolist(),
            judge=judge,
            beside=beside,
        )

    def source(self, examples: Examples, *, training: bool) -> task.Source:
        labels = self.targets(examples) if self.classes and examples.y is not None else None
        return _Pictures(examples.x.prepare(*self.image), labels, self.latent)

    def inputs(self):
        return keras.Input((self.latent,), name="noise")

    def embed(self, width: int | None = None):
        """The noise (B, Z); with a width, and where there are classes, `width` numbers of the picture's
        class beside it (B, Z + width)."""
        noise = self.inputs()
        self._inputs = [noise]  # a list: inputs are then taken from x by name, and others left
        if width is None or not self.classes:
            return noise
        label = keras.Input((), dtype="int32", name="label")
        self._inputs = [noise, label]
        x = layers.Embedding(len(self.classes), width, name="stem_classes")(label)
        return layers.Concatenate(name="stem_join")([noise, x])

    def loss(self):
        return None

    @cached_property
    def judged(self) -> judging.Judge | None:
        return judging.opened(self.judge, self.image) if self.judge else None

    def measure(self, x, y, y_pred) -> dict[str, np.ndarray]:
        measures = {"fake": self.compared(y_pred), "real": self.compared(y)}
        if "label" in x:
            measures["label"] = np.asarray(x["label"])
        if self.judged:
            measures["judged_fake"], measures["drawn"] = self.judged.see(y_pred)
            measures["judged_real"], measures["found"] = self.judged.see(y)
        return measures

    def measured(self, model: keras.Model, source: task.Source, train: Examples | None) -> dict[str, np.ndarray]:
        return {} if train is None else {"copy": copies.found(model, source, self.source(train, training=False))}

    def report(self, measures: dict[str, np.ndarray]) -> task.Report:
        measures = dict(measures)
        copied = measures.pop("copy", None)
        # distances between all pairs grow with the square
        chosen = np.unique(np.linspace(0, len(measures["real"]) - 1, _COMPARED).astype(np.int64))
        measures = {name: values[chosen] for name, values in measures.items()}
        real, fake = measures["real"], measures["fake"]
        report = metrics.generation(real, fake)
        named = f"random convolutions ({SIZE}), standardised"
        formulas = {name: f"{formula}; features: {named}" for name, formula in report.formulas.items()}
        # the most telling first: what the table shows
        order = ("coverage", "precision", "recall", "frechet", "kid", "density")
        scores = {name: report.scores[name] for name in order}
        tables = {"features": [{"features": named, "real": len(real), "generated": len(fake)}]}
        if "label" in measures:
            agreeing, table = _agreement(real, fake, measures["label"], self.classes)
            scores["class_agreement"] = metrics.score(agreeing)
            formulas["class_agreement"] = (
                "share of generated pictures whose nearest real picture is of the class that was asked for;"
                " chance for architectures that take no classes"
            )
            tables["classes"] = table
        if copied is not None:
            scores["near_copies"] = metrics.score(copied)
            formulas["near_copies"] = copies.FORMULA
        if self.judged:
            told = judging.report(self.judged, measures)
            scores, formulas, tables = scores | told.scores, formulas | told.formulas, tables | told.tables
        return task.Report(scores=scores, tables=tables, formulas=formulas)

    def asked(self, examples: Examples) -> task.Source:
        raise DlcliError("a generator predicts nothing of given pictures.", "`dlcli generate RUN` draws new ones.")

    def describe(self) -> str:
        height, width, channels = self.image
        classes = f"{len(self.classes)} classes, " if self.classes else ""
        count = f"{self.count:,}".replace(",", " ")
        return f"{classes}{count} pictures {height}x{width}x{channels}"

    def generate(
        self,
        model: keras.Model,
        *,
        n: int = 64,
        seed: int = 0,
        label: str | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """uint8 (n, H, W, C).  label: class to draw, else each in turn.  truncation: noise beyond
        +-truncation is drawn anew: more typical pictures, less variety."""
        if truncation is not None and truncation <= 0.01:
            raise DlcliError(f"truncation={truncation} leaves no noise.", "2 cuts off the rarest twentieth.")
        labelled = len(model.inputs) == 2
        if label is not None and not labelled:
            raise DlcliError(f"this model draws no chosen class ({label!r}).", "train with --arch cgan for that.")
        if label is not None and label not in self.classes:
            raise DlcliError(f"there is no class {label!r}.", f"known: {some(self.classes, 10)}.")
        x = {"noise": _noise(np.random.default_rng(seed), n, self.latent, truncation)}
        if labelled:
            chosen = np.arange(n) % len(self.classes)
            x["label"] = (chosen if label is None else np.full(n, self.classes.index(label))).astype(np.int32)
        parts = [
            model.predict_on_batch({name: values[start : start + 256] for name, values in x.items()})
            for start in range(0, n, 256)
        ]
        pictures = (np.concatenate(parts) + 1) * 127.5
        return np.clip(np.round(pictures), 0, 255).astype(np.uint8)

    # ---- for the baselines -------------------------------------------------------------------

    def targets(self, examples: Examples) -> np.ndarray:
        """Class numbers (n,)."""
        number = {name: i for i, name in enumerate(self.classes)}
        unknown = sorted(set(examples.y) - number.keys())
        if unknown:
            raise DataError(
                f"classes that no training picture has: {some(unknown)}.", f"known: {some(self.classes, 10)}."
            )
        return np.array([number[name] for name in examples.y], np.int32)

    def compared(self, pictures) -> np.ndarray:
        """Pictures (n, H, W, C) in [-1, 1] -> the features (n, d) that are compared."""
        return (features(pictures) - np.float32(self.mean)) / np.float32(self.spread)


class _Pictures:
    """x: noise, and labels if known.  y: the real pictures in [-1, 1]."""

    def __init__(self, images: Images, labels: np.ndarray | None, latent: int):
        self.images = images
        self.labels = labels
        self.latent = latent

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> tuple:
        x = {"noise": _noise(rng, len(indices), self.latent)}
        if self.labels is not None:
            x["label"] = self.labels[indices]
        return x, _scaled(self.images.read(indices))


def _scaled(bytes_: np.ndarray) -> np.ndarray:
    """uint8 -> [-1, 1]"""
    return bytes_ / np.float32(127.5) - 1


def _noise(rng: np.random.Generator, n: int, latent: int, truncation: float | None = None) -> np.ndarray:
    noise = rng.standard_normal((n, latent), dtype=np.float32)
    if truncation is not None:
        while (far := np.abs(noise) > truncation).any():
            noise[far] = rng.standard_normal(far.sum(), dtype=np.float32)
    return noise


def _agreement(real, fake, label, classes) -> tuple[np.ndarray, list[dict]]:
    """Whether each generated picture's nearest real one is of its class, and the share per class."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(real).kneighbors(fake, return_distance=False)[:, 0]
    agreeing = (label[nearest] == label).astype(np.float64)
    table = [
        {"class": name, "asked for": int((label == i).sum()), "agreeing": float(agreeing[label == i].mean())}
        for i, name in enumerate(classes)
        if (label == i).any()
    ]
    return agreeing, table
