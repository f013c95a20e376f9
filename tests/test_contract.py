"""Every architecture with every task that it fits keeps the same promises. A new file is tested the day it appears."""

import re

import numpy as np
import pytest

from dlcli import directions, plan, registry, splits
from dlcli.data import Examples
from dlcli.errors import DataError
from tests import tiny

LABELS = ("classes", "numbers", "none")


def _pairs():
    for task in registry.entries("tasks").values():
        for kind in sorted(task.literal("KINDS", ())):
            for name in plan.fitting(plan.needs(task, kind)):
                yield pytest.param(task, kind, registry.find("architectures", name), id=f"{task.name}-{kind}-{name}")


def _learned(task, kind):
    """The task, learned from tiny data, and that data in splits."""
    labels = task.literal("LABELS", "any")
    labels = ("none" if kind != "table" else "numbers") if labels == "any" else labels
    data, _ = splits.split(tiny.data(kind, labels), seed=0)
    options = {name: value for name, value in TASK_OPTIONS.items() if name in task.options}
    return task.load().Task.learn(data.splits["train"], data, **options), data


TASK_OPTIONS = {"horizon": 4, "lookback": 24, "context": 16, "code": 4}


def test_every_literal_can_be_read_without_importing():
    """OFFERS, TINY, FIT, NEEDS, KINDS and every option default are literals with an annotation."""
    for name in registry.MAKERS:
        for entry in registry.entries(name).values():
            assert entry.summary.endswith("."), f"{entry.path} has no one-line summary"
            for option in entry.options.values():
                assert option.annotation
    for arch in registry.entries("architectures").values():
        assert arch.literal("OFFERS")
        assert set(arch.literal("TINY", {})) <= set(arch.options)
        scale = arch.literal("SCALE", {})
        assert {"width"} <= set(scale) <= {"depth", "width", "multiple"}, arch.path
        assert {scale[name] for name in ("depth", "width") if name in scale} <= set(arch.options)
        from dlcli.config import FitConfig

        # passes alone give a few hundred examples next to nothing
        assert FitConfig(**arch.literal("FIT", {})).steps, f"{arch.path} says no least number of steps"
    for task in registry.entries("tasks").values():
        assert task.literal("KINDS")
        assert task.literal("NEEDS")
        assert set(task.literal("PREFERS", ())) <= set(registry.entries("architectures"))


@pytest.mark.parametrize(
    "task",
    [task for task in registry.entries("tasks").values() if task.literal("LABELS", "any") in ("classes", "numbers")],
    ids=lambda task: task.name,
)
def test_what_has_no_labels_is_not_scored(task):
    """Where labels are what the answers are compared with, that is a sentence."""
    from dlcli import scoring

    learned, data = _learned(task, next(iter(task.literal("KINDS"))))
    x = data.splits["test"].x
    bare = Examples(x=x.drop("answer") if hasattr(x, "drop") else x)
    with pytest.raises(DataError, match="no labels"):
        scoring.score(learned, None, bare)
    assert not learned.why_not(data.splits["test"])


def predicted(model, x) -> np.ndarray:
    """What the model makes of x, without compiling for it."""
    import keras

    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.mark.parametrize(("task", "kind", "arch"), list(_pairs()))
def test_contract(task, kind, arch, tmp_path, monkeypatch):
    """Builds at TINY; B=1 and B=3 agree; layers have names of their own; a step changes every trainable
    weight; saved and loaded it predicts the same."""
    import keras

    from dlcli import fit
    from dlcli.batches import Batches
    from dlcli.config import FitConfig
    from dlcli.safety import limits, loading

    keras.utils.set_random_seed(0)
    learned, data = _learned(task, kind)
    again = type(learned)(**{name: getattr(learned, name) for name in learned.__dataclass_fields__})
    assert again == learned
    model = arch.load().build(learned, **arch.literal("TINY", {}))

    names = [layer.name for layer in model.layers]
    assert len(names) == len(set(names))
    anonymous = [
        name
        for name in names
        if re.fullmatch(
            r"(dense|conv1d|conv2d|lstm|gru|add|dropout|activation|layer_normalization|batch_normalization)(_[0-9]+)?",
            name,
        )
    ]
    assert not anonymous

    source = learned.source(data.splits["train"], training=True)
    rng = np.random.default_rng(0)
    x, y, *_ = source.batch(np.arange(3), rng)
    three = predicted(model, x)
    one = predicted(model, {k: v[:1] for k, v in x.items()} if isinstance(x, dict) else x[:1])
    np.testing.assert_allclose(three[:1], one, rtol=2e-4, atol=2e-5)
    assert np.isfinite(three).all()

    settings = FitConfig(**{"learning_rate": 1e-2, "warmup": 0.0, "jit": False, "batch_size": 8})
    fit.compiled(model, learned, settings, steps=4)
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    batches = Batches(source, batch_size=min(8, len(source)), seed=0)
    model.train_on_batch(*batches[0])
    after = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    pairs = zip(model.trainable_variables, before, after, strict=True)
    still = [v.path for v, old, new in pairs if np.array_equal(old, new)]
    assert not still

    model.save(tmp_path / "model.keras")
    monkeypatch.setattr(limits, "SPARE", 0)  # what makes room for small networks would not for the usual ones
    loaded = loading.model(tmp_path / "model.keras")
    np.testing.assert_allclose(predicted(loaded, x), predicted(model, x), rtol=1e-5, atol=1e-6)

    test = learned.source(data.splits["test"], training=False)
    x, y, *_ = test.batch(np.arange(len(test)), rng)
    measures = learned.measure(x, y, predicted(model, x))
    report = learned.report(measures)
    for name, score in report.scores.items():
        assert score.low <= score.value <= score.high or not np.isfinite(score.value), name
    assert set(report.scores) <= set(directions.SIGNS)
    assert {name.removeprefix("val_") for name in learned.monitor} <= set(directions.SIGNS)
    if report.scores and learned.headline:
        assert learned.headline in report.scores
    each = task.literal("EACH", "")
    if not each:
        return  # scored as a whole only
    name, values = learned.per_example(measures)
    assert name == each
    mean = values.mean() ** 0.5 if (name, learned.headline) == ("mse", "rmse") else values.mean()
    assert len(values) == len(test)
    assert mean == pytest.approx(report.scores[learned.headline].value, rel=1e-5)
