"""Where a transfer starts from: SOURCE, as the architecture, the input and the weights of the new model."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import keras
import numpy as np

from dlcli import backend, console, finished, text
from dlcli.data import Examples
from dlcli.plan import Plan
from dlcli.reference import PIXELS, Reference
from dlcli.task import Task
from dlcli.transfer import backbone, cache

# Texts, and characters of each, that are asked for unknown tokens; the share from which it is said.
_LOOKED = 2_000
_MANY = 0.01


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Weights by path. copied: taken over from the source.  fresh: begun anew.  dropped: of the source, not used."""

    copied: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def within(self, model: keras.Model) -> "Copied":
        """The same for a model that may hold less: a body that was cut has dropped the rest."""
        there = {weight.path for weight in model.weights}
        return Copied(
            copied=[path for path in self.copied if path in there],
            fresh=[path for path in self.fresh if path in there],
            dropped=self.dropped + [path for path in self.copied if path not in there],
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """task: the new one, its examples in the form that the source takes.  make: a new model with the
    source's weights; fresh: the same with none of them.  identity: what the source is, for a cache."""

    task: Task
    make: Callable[[], keras.Model]
    fresh: Callable[[], keras.Model]
    lists: Copied
    identity: str

    def digest(self) -> str:
        """A hash of the weights that are taken over. A fresh head, which is random, plays no part."""
        taken = set(self.lists.copied)
        return cache.key([backend.value(weight) for weight in self.make().weights if weight.path in taken])


def of(reference: Reference, chosen: Plan, task: Task, train: Examples) -> Origin:
    """Open SOURCE for a task that was learned from the new data."""
    # of a run that has such a body itself, another source is named there
    as_body = chosen.arch.name == backbone.__name__ and chosen.arch_options["source"] == reference.text
    found = _body(reference, chosen, task) if as_body else _known(reference, chosen, task, train)
    _say(task, found)
    if hasattr(found.task, "tokens"):
        _say_unknown(found.task, train)
    return found


def _known(reference: Reference, chosen: Plan, task: Task, train: Examples) -> Origin:
    opened = finished.opened(reference)
    kept = {weight.path: keras.ops.convert_to_numpy(weight) for weight in opened.model.weights}
    adopted = task.adopting(opened.task, train)
    same_answers = _answers(adopted) == _answers(opened.task)

    # a run that is itself a transfer has a body of others, whose weights would come along
    bare = {"untrained": True} if chosen.arch.name == backbone.__name__ else {}

    def fresh():
        return chosen.arch.load().build(adopted, **{**chosen.arch_options, **bare})

    def make():
        model = fresh()
        copy(model, kept, head=same_answers, but=adopted.COMPUTED)
        return model

    return Origin(
        task=adopted,
        make=make,
        fresh=fresh,
        lists=copy(fresh(), kept, head=same_answers, but=adopted.COMPUTED),
        identity=f"{chosen.arch.name} {sorted(chosen.arch_options.items())}",
    )


def _answers(task: Task) -> tuple:
    """What a head's outputs stand for: heads of equal answers can be taken over."""
    return type(task).__module__, getattr(task, "classes", None), getattr(task, "target", None)


def copy(model: keras.Model, kept: dict[str, np.ndarray], *, head: bool, but: Collection[str] = ()) -> Copied:
    """Give the model all weights of the same path and shape. head: those of its head too; but: not of these layers."""
    lists = Copied(dropped=sorted(kept))
    for weight in model.weights:
        value = kept.get(weight.path)
        own = weight.path.split("/")[0] in but
        fits = value is not None and value.shape == tuple(weight.shape) and not own
        if fits and (head or not weight.path.startswith("head_")):
            weight.assign(value)
            lists.copied.append(weight.path)
            lists.dropped.remove(weight.path)
        else:
            lists.fresh.append(weight.path)
    return lists


def _body(reference: Reference, chosen: Plan, task: Task) -> Origin:
    options = chosen.arch_options
    body = backbone.opened(options["source"], options.get("pixels"))
    if body.scaled in PIXELS:  # found once, and told once
        options = {**options, "pixels": body.scaled}
    adopted = replace(task, **body.fields)

    def make():
        return backbone.build(adopted, **options)

    def fresh():
        return backbone.build(adopted, **{**options, "untrained": True})

    model = make()
    taken = {id(weight) for weight in model.get_layer("body").weights}
    mine = [weight.path for weight in model.weights if id(weight) in taken]
    others = [weight.path for weight in model.weights if id(weight) not in taken and weight.trainable]
    lists = Copied(
        copied=mine if body.trained else [],
        fresh=others if body.trained else mine + others,
        dropped=sorted({weight.path for weight in body.whole.weights} - set(mine)) if body.trained else [],
    )
    if not body.trained:
        console.warn(f"{reference.text} names no weights: its body is random.")
    return Origin(task=adopted, make=make, fresh=fresh, lists=lists, identity=reference.kind)


def _say_unknown(task: Task, train: Examples) -> None:
    """A warning where the source's vocabulary lacks much of the new texts. Their beginnings are looked at."""
    ids = np.concatenate([task.tokens.encode(one[:_LOOKED]) for one in train.x[:_LOOKED]] or [np.zeros(0, np.int32)])
    share = float((ids == text.UNKNOWN).mean()) if len(ids) else 0.0
    if share > _MANY:
        console.warn(f"{share:.1%} of the new text's tokens are not in the source's vocabulary; they are one unknown.")


def _say(learned: Task, found: Origin) -> None:
    """What had to be adapted, in a line each."""
    adopted = found.task
    if getattr(learned, "image", None) != getattr(adopted, "image", None):
        sizes = ["x".join(map(str, task.image)) for task in (learned, adopted)]
        console.note(f"pictures are brought from {sizes[0]} to {sizes[1]}, which the source takes")
    for shared, noun in (("vocabulary", "tokens"), ("length", "steps"), ("lookback", "steps of history")):
        name = learned.INPUT.get(shared)  # of a language model, whose text has a length too, the context
        own, new = (getattr(task, name) if name else None for task in (learned, adopted))
        if own != new:
            own, new = (len(x) if isinstance(x, list) else x for x in (own, new))
            console.note(f"the source's {name} is used: {new:,} {noun}, where this data alone would have {own:,}")
    lists = found.lists
    console.note(f"weights: {len(lists.copied)} copied, {len(lists.fresh)} fresh, {len(lists.dropped)} dropped")
