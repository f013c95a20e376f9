"""How a GAN's discriminator tells real pictures from generated ones: layer by layer, and by what margin."""

import numpy as np
from keras import ops

from dlcli.inspection import tap, taps
from dlcli.inspection.gradients import seen
from dlcli.inspection.probes import Ridge
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _placed
from dlcli.metrics import interval

BUDGET = "standard"
FAMILIES = ("gan",)
EXAMPLES = 256


def look(view: View) -> Finding | None:
    judge, truth = getattr(view.subject.model, "discriminator", None), view.subject.truth
    x = view.examples(EXAMPLES)
    if judge is None or truth is None or x is None or len(judge.inputs) > 2:
        return None
    count = min(EXAMPLES, view.subject.count)
    real = np.asarray(truth(np.arange(count)), np.float32)
    parts = [view.subject.model(batch, training=False) for batch in _placed.batches(x, view.batch_size)]
    fake = np.concatenate([ops.convert_to_numpy(part) for part in parts])
    # pictures that are judged by their labels too: the generated ones were drawn for the labels of the real ones
    labels = np.asarray(x["label"]) if len(judge.inputs) == 2 else None
    places, probed, logits = told_apart(judge, real, fake, view.batch_size, labels)
    margin = logits[: len(real)].mean() - logits[len(real) :].mean()
    right = (np.mean(logits[: len(real)] > 0) + np.mean(logits[len(real) :] <= 0)) / 2
    table = {
        "title": "The discriminator, layer by layer",
        "columns": ["layer", "real or generated", "low", "high"],
        "rows": [
            [place.layer, *(round(float(value), 3) for value in (correct.mean(), *interval(correct)))]
            for place, correct in zip(places, probed, strict=True)
        ],
        "note": f"Held-out accuracy of a linear probe on {len(real)} real and {len(fake)} generated pictures; 0.5 is "
        f"guessing. Its own answer is right for {right:.2f}; margin between the mean logits: {margin:.2f}. Never "
        "wrong means that the generator learns little from it.",
    }
    method = {
        "name": "real or generated",
        "formula": "ridge regression on means and deviations of each feature; margin = mean logit of real - of generated",
        "source": "Alain & Bengio, 2016",
    }
    own = {
        place.name: {"real/fake": round(float(correct.mean()), 3)}
        for place, correct in zip(places, probed, strict=True)
    }
    return Finding(own=own, tables=[table], methods=[method])


def told_apart(judge, real: np.ndarray, fake: np.ndarray, size: int, classes: np.ndarray | None = None):
    """Places of the discriminator, whether each picture is told right from each of them (n,), and its logits (n,).

    classes (n,): the labels of real and generated pictures, where the discriminator asks for them.
    """
    # the last is the answer itself
    places = taps.chosen(tap.traced(judge))[:-1]
    pictures, labels = np.concatenate([real, fake]), np.repeat([1, 0], [len(real), len(fake)])
    rows = {place.key: [] for place in places}
    logits = []
    inputs = pictures if classes is None else [pictures, np.concatenate([classes, classes])]
    for batch in _placed.batches(inputs, size):
        logits.append(ops.convert_to_numpy(judge(batch, training=False))[:, 0])
        for key, values in seen(judge, batch, list(rows)).items():
            flat = values.reshape(len(values), -1, values.shape[-1]) if values.ndim > 2 else values[:, None]
            rows[key].append(np.concatenate([flat.mean(axis=1), flat.std(axis=1)], axis=1))
    # a real picture and the one that was drawn for its label are held out together: the label is in both
    pairs = np.tile(np.arange(len(real)), 2) if classes is not None else None
    found = [Ridge(np.concatenate(rows[place.key])).correct(labels, pairs) for place in places]
    return places, found, np.concatenate(logits)
