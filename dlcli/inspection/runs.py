"""A run of dlcli as a subject: its task says how data and stimuli go in."""

from collections.abc import Sequence

import numpy as np
from keras import tree

from dlcli import finished, registry
from dlcli.config import RunConfig
from dlcli.data import Data, Examples
from dlcli.inspection import adversary
from dlcli.inspection.subject import Stimuli, Subject, at_random, family_of, matched, series
from dlcli.reference import Reference


def subject(
    reference: Reference,
    config: RunConfig | None,
    data: Data | None,
    *,
    part: str,
    samples: int,
    seed: int,
    asked: Sequence[int] = (),
    finite: bool = True,
    learned: bool = False,
) -> Subject:
    """The best model of a run, or that of a checkpoint, and at most `samples` examples of one part of the data.

    asked: numbers of the examples that come first.  learned: whether the model was trained on that part.
    """
    opened = finished.opened(reference, finite=finite)
    task, model = opened.task, opened.model
    name = opened.spec["architecture"]
    # a module of the user's own is of no family by its name
    group = "" if "." in name else registry.find("architectures", name).group
    examples = data.splits[part] if data is not None else None
    seen = [] if data is None else [data.splits[name] for name in ("train", "val") if name in data.splits]
    read, truth, labels, count = None, None, None, 0
    if examples is not None:
        source = task.source(examples, training=False)
        chosen = at_random(len(source), samples, seed, asked)
        count = len(chosen)
        labels = _labels(task, examples, chosen) if len(source) == len(examples) else None

        def _draws(rows):
            # a generator's noise is drawn here: other rows get other noise, the same rows the same
            return np.random.default_rng([seed, 1, int(rows[0])])

        def read(rows):
            return source.batch(chosen[rows], _draws(rows))[0]

        def truth(rows):
            return source.batch(chosen[rows], _draws(rows))[1]

    found = Subject(
        model=model,
        title=f"{opened.short} for {opened.spec['task']}",
        source=reference.text,
        family=group or family_of(model),
        data=None if data is None else f"{config.data} ({part})",
        read=read,
        truth=truth,
        # a control character begins the token between two texts, and no other
        spell=(lambda ids: task.tokens.decode(ids).replace("\x00", "")) if hasattr(task, "tokens") else None,
        count=count,
        asked=len(asked) if read else 0,
        labels=labels,
        learned=learned,
        classes=list(getattr(task, "classes", [])) if labels is not None else [],
        stimuli=_stimuli(
            task,
            model,
            read,
            count,
            examples,
            [x for split in seen for x in split.x] if hasattr(task, "tokens") else [],
            _topics(seen) if len(getattr(task, "classes", ())) > 1 else None,
        ),
    )
    if getattr(model, "discriminator", None) is not None:
        found.judge = adversary.subject(found, task, examples, chosen if examples is not None else None, seed=seed)
    return found


def _labels(task, examples: Examples, chosen: np.ndarray) -> np.ndarray | None:
    """Class numbers of the chosen examples, where there are classes that the input shows: noise does not."""
    if (
        "generator" in task.NEEDS
        or examples.y is None
        or len(getattr(task, "classes", ())) < 2
        or not hasattr(task, "targets")
    ):
        return None
    return np.asarray(task.targets(examples))[chosen]


def _topics(seen: list[Examples]) -> list[str] | None:
    """The class of every text."""
    return None if any(split.y is None for split in seen) else [str(y) for split in seen for y in split.y]


def _stimuli(task, model, read, count: int, examples, texts: list[str], topics: list[str] | None) -> Stimuli | None:
    """The stimuli that the model's own input asks for; None where nothing fits it.

    texts: all of the user's but the test split, for stimuli are cut out of them and much is needed.
    topics: of each text, where they have classes.
    """
    inputs = model.inputs
    shape = tuple(inputs[0].shape[1:])
    if len(inputs) > 1:
        return None
    if len(shape) == 3 and shape[-1] in (1, 3):
        reference = _pictures(examples) if examples is not None else None
        return Stimuli(
            entry="pictures",
            make={"height": shape[0], "width": shape[1], "channels": shape[2]},
            feed=_drawn(task, reference),
        )
    if len(shape) == 2 and shape[0] is not None and "float" in str(inputs[0].dtype):
        return series(shape, read, count)
    if len(shape) == 1 and "int" in str(inputs[0].dtype) and texts:
        length = shape[0]
        return Stimuli(
            entry="text",
            make={
                "texts": texts,
                "length": length - 1 if task.tokenizer == "char" else 4 * length,
                "letters": task.tokenizer == "char",
                "labels": topics,
            },
            feed=lambda level: _tokens(task, level, length),
        )
    return None


def _pictures(examples: Examples):
    """Mean and deviation per channel of some of the user's pictures, 0..255."""
    some = examples.x.take(np.unique(np.linspace(0, len(examples) - 1, 64).astype(int)))
    height, width, channels = some.size()
    pixels = some.prepare(height, width, channels).read(np.arange(len(some))).astype(np.float32)
    return pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))


def _drawn(task, reference):
    """Pictures go in as the task's own pictures do, so that scaling cannot differ."""
    from dlcli.images import ArrayImages

    def feed(level):
        pixels = matched(level.x, reference)
        source = task.source(Examples(x=ArrayImages(pixels)), training=False)
        return lambda rows: source.batch(rows, np.random.default_rng(0))[0], None

    return feed


def _tokens(task, level, length: int):
    """Texts as ids; the position of a character becomes that of the token that holds it."""
    start = [task.end] if hasattr(task, "end") else []
    ids, positions = np.zeros((len(level.x), length), np.int32), np.zeros(len(level.x), np.int64)
    for i, text in enumerate(level.x):
        at = len(text) - 1 if level.position is None else int(level.position[i])
        before, after = task.tokens.encode(text[: at + 1]), task.tokens.encode(text[at + 1 :])
        before = before[-(length - len(start)) :]
        row = np.concatenate([start, before, after])[:length]
        ids[i, : len(row)] = row
        positions[i] = len(start) + len(before) - 1
    x = ids
    return lambda rows: tree.map_structure(lambda values: values[rows], x), positions
