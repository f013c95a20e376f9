"""A model that nobody here trained as a subject: its input's shape says what can go in."""

from collections.abc import Sequence

import numpy as np
from keras import tree

from dlcli.data import Data
from dlcli.errors import DlcliError
from dlcli.inspection.subject import Stimuli, Subject, at_random, family_of, matched, series
from dlcli.inspection.tap import specification
from dlcli.pretrained import load
from dlcli.reference import Reference


def subject(
    reference: Reference,
    data: Data | None,
    *,
    part: str,
    samples: int,
    seed: int,
    pixels: str | None,
    asked: Sequence[int] = (),
    finite: bool = True,
) -> Subject:
    """The model, at most `samples` of the user's examples where data is given, those asked for first, and fitting stimuli."""
    opened = load(reference, pixels=pixels, finite=finite)
    model = opened.model
    specification(model)  # raises for a model that never saw an input
    shape = tuple(model.inputs[0].shape[1:])
    first = len(shape) == 3 and shape[-1] not in (1, 3) and shape[0] in (1, 3)  # (C, H, W)
    shape = (*shape[1:], shape[0]) if first else shape
    picture = len(model.inputs) == 1 and len(shape) == 3 and shape[-1] in (1, 3)
    found = Subject(model=model, title=model.name, source=reference.text, family=family_of(model))
    if picture:
        height, width = (side or 96 for side in shape[:2])
        scale = (lambda x: np.moveaxis(opened.scale(x), -1, 1)) if first else opened.scale
        reference_pixels = None
        if data is not None:
            chosen = at_random(len(data.splits[part]), samples, seed, asked)
            reference_pixels = _pictures(found, data, part, (height, width, shape[2]), scale, chosen)
        found.warnings.append(f"pixels are brought to scale {opened.scaled}; --pixels says otherwise")
        found.stimuli = Stimuli(
            entry="pictures",
            make={"height": height, "width": width, "channels": shape[2]},
            feed=lambda level: (_scaled(matched(level.x, reference_pixels), scale), None),
        )
    elif data is not None:
        _arrays(found, data, part, at_random(len(data.splits[part]), samples, seed, asked))
    found.asked = len(asked) if data is not None else 0
    if not picture and len(model.inputs) == 1 and len(shape) == 2 and shape[0] and shape[1]:
        found.stimuli = series(shape, found.read, found.count)
    return found


def _scaled(pixels: np.ndarray, scale):
    return lambda rows: scale(pixels[rows].astype(np.float32))


def _pictures(found: Subject, data: Data, part: str, size, scale, chosen: np.ndarray):
    """Give the subject the user's pictures; returns their mean and deviation per channel, 0..255."""
    if data.kind != "images":
        raise DlcliError(f"{found.source} takes pictures, and --data holds {data.kind}.")
    examples = data.splits[part]
    images = examples.x.take(chosen).prepare(*size)
    found.data, found.count = part, len(chosen)
    found.read = lambda rows: scale(images.read(rows).astype(np.float32))
    _label(found, examples, chosen)
    some = images.read(np.arange(min(64, len(chosen)))).astype(np.float32)
    return some.mean(axis=(0, 1, 2)), some.std(axis=(0, 1, 2))


def _arrays(found: Subject, data: Data, part: str, chosen: np.ndarray) -> None:
    """Series of the model's own shape, as they are."""
    examples = data.splits[part]
    shape = tuple(found.model.inputs[0].shape[1:])
    if data.kind != "sequences" or len(found.model.inputs) > 1:
        raise DlcliError(
            f"{found.source} takes {len(found.model.inputs)} input(s) of shape {shape}; nothing here turns {data.kind} into that.",
            "leave --data away: what needs none is still measured.",
        )
    rows = [np.asarray(examples.x[i], np.float32) for i in chosen]
    wrong = next((row.shape for row in rows if row.shape != shape), None)
    if wrong:
        raise DlcliError(f"{found.source} takes series of shape {shape}, and --data has one of {wrong}.")
    x = np.stack(rows)
    found.data, found.count = part, len(x)
    found.read = lambda rows: tree.map_structure(lambda values: values[rows], x)
    _label(found, examples, chosen)


def _label(found: Subject, examples, chosen: np.ndarray) -> None:
    if examples.y is not None and isinstance(examples.y[0], str):
        names = sorted(set(examples.y))
        if len(names) > 1:
            number = {name: i for i, name in enumerate(names)}
            found.classes = names
            found.labels = np.array([number[examples.y[i]] for i in chosen])
