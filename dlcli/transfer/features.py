"""What a frozen body makes of all examples: one compiled pass, several depths at once, kept on disk by content."""

import time
from dataclasses import dataclass

import keras
import numpy as np

from dlcli import __version__, alike
from dlcli.data import Examples
from dlcli.inspection import nesting, subject, taps
from dlcli.inspection.tap import traced
from dlcli.inspection.watch import Watch, averaged
from dlcli.task import Source, Task
from dlcli.transfer import cache

# Depths that are looked at beside the last: what is kept grows with them.
DEPTHS = 7
LAST = "features"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """places: keys of visits (tap.Visit), LAST at the end, which is what the head reads.
    values: by split and place, (n, d) float32.  cached: nothing had to be computed."""

    places: list[str]
    values: dict[str, dict[str, np.ndarray]]
    seconds: float
    cached: bool


def gathered(
    model: keras.Model, task: Task, parts: dict[str, Examples], *, kind: str, identity: str, keep: bool = True
) -> Rows:
    """Features of every split. kind: of the data.  identity: of the architecture.  keep: use the cache."""
    begun = time.monotonic()
    visits = traced(model)
    places = _places(visits)
    order = {visit.key: i for i, visit in enumerate(visits)}
    looked = [order[key] for key in places.values()]
    of_model = _model_key(model, task, [identity, *looked], visits) if keep else ""
    watch, cached, values = None, True, {}
    for part, examples in parts.items():
        name = cache.key([of_model], _contents(kind, examples)) if keep else ""
        found = cache.read(name) if keep else None
        if found is None:
            cached = False
            watch = watch or Watch(model, list(places.values()), pool=averaged)
            source = task.source(examples, training=False)
            found = _packed(_pass(watch, source, np.arange(len(source)), visits), list(places.values()))
            if keep:
                cache.write(name, found)
        values[part] = {place: np.ascontiguousarray(found[str(i)]) for i, place in enumerate(places)}
    return Rows(places=list(places), values=values, seconds=time.monotonic() - begun, cached=cached)


def looked(model: keras.Model, source: Source, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Features (n, d) of some examples of a source, by place."""
    visits = traced(model)
    places = _places(visits)
    found = _pass(Watch(model, list(places.values()), pool=averaged), source, chosen, visits)
    return {place: found[key] for place, key in places.items()}


def _pass(watch: Watch, source: Source, chosen: np.ndarray, visits) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    size = subject.batch_size(visits)
    return watch.gathered(subject.batches(lambda rows: source.batch(chosen[rows], rng)[0], len(chosen), None, size))


def _packed(rows: dict[str, np.ndarray], keys: list[str]) -> np.ndarray:
    """All places as the fields of one array: one file, in the order of the places."""
    kinds = [(str(i), np.float32, (rows[key].shape[1],)) for i, key in enumerate(keys)]
    packed = np.empty(len(rows[keys[0]]), kinds)
    for i, key in enumerate(keys):
        packed[str(i)] = rows[key]
    return packed


def _places(visits) -> dict[str, str]:
    """Name -> key of the visit: some depths of the body, evenly, and LAST, the input of the head of a classifier."""
    head = next((visit for visit in visits if visit.layer.name == "head_logits"), None)
    last = next((visit for visit in reversed(visits) if head and visit.output is head.inputs[0]), None)
    widths = {visit.key: visit.output.shape[-1] for visit in visits if hasattr(visit.output, "shape")}
    depths = [
        place.key
        for place in taps.chosen(visits)
        if place.key.count("/") <= 2 and "#" not in place.key and "/head_" not in place.key
    ]
    if depths and last and widths[depths[-1]] == widths[last.key]:
        depths = depths[:-1]  # the head reads its mean
    chosen = np.unique(np.linspace(0, len(depths) - 1, min(DEPTHS, len(depths))).round().astype(int))
    return {depths[i]: depths[i] for i in chosen} | ({LAST: last.key} if last else {})


def _model_key(model: keras.Model, task: Task, identity: list, visits) -> str:
    """Of all that decides the features: the weights, the layers, and how examples are prepared.

    Not of the layers' names: Keras numbers those that were given none.
    """
    weights = [w for w in model.weights if not w.path.startswith("head_")]
    inputs = [getattr(task, field) for field in task.INPUT.values()]
    steps = [_step(visit) for visit in visits if _inner(visit)]
    return cache.key(
        [__version__, keras.config.dtype_policy().name, keras.backend.backend(), *identity],
        inputs,
        steps,
        [keras.ops.convert_to_numpy(weight) for weight in weights],
    )


def _step(visit) -> tuple:
    config = {} if isinstance(visit.layer, keras.Model) else getattr(visit.layer, "get_config", dict)()
    return type(visit.layer).__name__, _unnamed(config), nesting.shape(visit.output)


def _unnamed(config):
    """The settings of a layer, and of layers in it, without names and seeds."""
    if isinstance(config, dict):
        return sorted((str(k), repr(_unnamed(v))) for k, v in config.items() if k not in ("name", "seed", "dtype"))
    return [_unnamed(item) for item in config] if isinstance(config, list | tuple) else config


def _contents(kind: str, examples: Examples) -> list:
    """As they are read: of texts, unlike for duplicates, every space counts."""
    return list(examples.x) if kind == "texts" else alike.contents(kind, examples)


def _inner(visit) -> bool:
    return "/head_" not in visit.path and "/" in visit.path and hasattr(visit.output, "shape")
