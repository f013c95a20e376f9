"""The discriminator of a GAN as a subject of its own: real pictures go in, and the stimuli of pictures fit."""

import numpy as np

from dlcli.data import Examples
from dlcli.images import ArrayImages
from dlcli.inspection.subject import Stimuli, Subject, matched


def subject(whole: Subject, task, examples: Examples | None, chosen: np.ndarray | None, *, seed: int) -> Subject:
    """whole: the GAN.  examples: of which `chosen` are looked at; None without data.

    Where it judges pictures together with their labels, real pictures come with their own. Stimuli have none:
    they come with labels drawn at random, which say nothing of any level.
    """
    judge = whole.model.discriminator
    labelled = len(judge.inputs) == 2
    height, width, channels = judge.inputs[0].shape[1:]
    real = task.source(examples, training=False) if examples is not None else None
    known = len(task.classes) > 1 and examples is not None and examples.y is not None

    def read(rows):
        x, pictures = real.batch(chosen[rows], np.random.default_rng(0))
        return [pictures, np.asarray(x["label"])] if labelled else pictures

    def feed(level):
        pixels = matched(level.x, brightness)
        drawn = task.source(Examples(x=ArrayImages(pixels)), training=False)
        labels = np.random.default_rng([seed, 17]).integers(0, max(len(task.classes), 1), len(pixels)).astype(np.int32)

        def one(rows):
            pictures = drawn.batch(rows, np.random.default_rng(0))[1]
            return [pictures, labels[rows]] if labelled else pictures

        return one, None

    brightness = None
    if real is not None:
        some = (real.batch(chosen[: min(64, len(chosen))], np.random.default_rng(0))[1] + 1) * 127.5
        brightness = some.mean(axis=(0, 1, 2)), some.std(axis=(0, 1, 2))
    return Subject(
        model=judge,
        title=f"{judge.name} of {whole.title}",
        source=whole.source,
        family="cnn",
        data=whole.data,
        read=read if real is not None else None,
        count=whole.count,
        learned=whole.learned,
        labels=np.asarray(task.targets(examples))[chosen] if known else None,
        classes=list(task.classes) if known else [],
        stimuli=Stimuli(entry="pictures", make={"height": height, "width": width, "channels": channels}, feed=feed)
        if channels in (1, 3)
        else None,
    )
