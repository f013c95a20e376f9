"""A trained classifier that looks at pictures for us: its features compare them, its classes count them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from dlcli import finished, metrics, rundir, task
from dlcli.errors import DlcliError


@dataclass(frozen=True)
class Judge:
    """model: pixels (B, H, W, C) in 0..255 -> [features (B, d), probabilities (B, K)].  name: the
    architecture and what its file hashes to, so that two numbers can be told to be of one judge."""

    model: keras.Model
    classes: list[str]
    name: str

    def see(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (n, H, W, C) in [-1, 1] -> features (n, d), class numbers (n,). In bytes, as a
        picture on a disk would be."""
        pixels = np.clip(np.round((np.asarray(pictures, np.float32) + 1) * 127.5), 0, 255)
        features, p = self.model.predict_on_batch(pixels)
        return np.asarray(features, np.float32), np.argmax(p, axis=-1)


def opened(path: str, image: list[int]) -> Judge:
    """The judge of a run of image-classification, for pictures of the shape `image`.

    Raises: DlcliError when there is none, or it looks at pictures of another shape.
    """
    run = rundir.find(Path(path))
    spec = run.read("spec.json")
    file = run.model_file()
    if spec["task"] != "image-classification":
        raise DlcliError(f"{path} is a run of {spec['task']}.", "a judge is one of image-classification.")
    model = finished.model(file)
    if list(model.input_shape[1:]) != list(image):
        raise DlcliError(
            f"the judge {path} looks at pictures of {'x'.join(map(str, model.input_shape[1:]))}, "
            f"these are {'x'.join(map(str, image))}.",
            "train it with task.size as here.",
        )
    features = task.pooled(model.get_layer("features").output)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return Judge(
        keras.Model(model.input, [features, model.output]),
        list(spec["learned"]["classes"]),
        f"{spec['architecture']} {digest}",
    )


def report(judge: Judge, measures: dict[str, np.ndarray]) -> task.Report:
    """Scores of what a judge saw: "judged_real" and "judged_fake" (n, d), "found" and "drawn" (n,)."""
    found = metrics.generation(measures["judged_real"], measures["judged_fake"])
    n = len(measures["judged_real"])
    said = f"features: the last of {judge.name}, a classifier of such pictures; n = {n}"
    names = ("frechet", "precision", "recall", "density", "coverage")
    scores = {f"judged_{name}": found.scores[name] for name in names}
    formulas = {f"judged_{name}": f"{found.formulas[name]}; {said}" for name in names}
    shares = [
        {
            "class": name,
            "generated": float((measures["drawn"] == i).mean()),
            "real": float((measures["found"] == i).mean()),
        }
        for i, name in enumerate(judge.classes)
    ]
    missing = sum(row["generated"] < row["real"] / 10 for row in shares)
    scores["missing_classes"] = task.Score(float(missing), np.nan, np.nan, n)
    formulas["missing_classes"] = f"classes that are drawn less than a tenth as often as they are real; {said}"
    return task.Report(scores=scores, formulas=formulas, tables={"judged classes": shares})
