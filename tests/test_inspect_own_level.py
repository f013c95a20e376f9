"""The user's own classes beside the levels: gained where a network works them out, and nowhere else."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from dlcli.inspection import comparison, measuring, own_level, strip, tap
from dlcli.inspection.subject import Stimuli, Subject, series
from dlcli.inspection.watch import Watch

STEPS = 48
MOTIF = np.array([1, -1, 1, 1, -1, -1, 1, -1], np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def examples(rng, n):
    """Noise with a motif somewhere, or with the same values in another order: a linear reader sees no difference."""
    x, y = rng.normal(0, 0.3, (n, STEPS, 1)).astype("float32"), np.arange(n) % 2
    for row, label in zip(x, y, strict=True):
        at = rng.integers(0, STEPS - len(MOTIF))
        row[at : at + len(MOTIF), 0] += 2 * (MOTIF if label else rng.permutation(MOTIF))
    return x, y


def detector():
    """A matched filter among two that are not, its largest answer, and whether that is large."""
    inputs = keras.Input((STEPS, 1))
    x = layers.Conv1D(3, len(MOTIF), activation="relu", name="filters")(inputs)
    x = layers.GlobalMaxPooling1D(name="largest")(x)
    model = keras.Model(inputs, layers.Dense(2, name="answer")(x))
    others = [np.roll(np.eye(1, len(MOTIF))[0], 3), np.ones(len(MOTIF)) / 8]
    kernel = np.stack([MOTIF, *others], axis=1)[:, None]
    model.get_layer("filters").set_weights([kernel.astype("float32"), np.float32([-10, 0, 0])])
    model.get_layer("answer").set_weights([np.float32([[-1, 1], [0, 0], [0, 0]]), np.float32([2, -2])])
    return model


def measured(x, y, **more):
    """The document of a detector with these examples, and what it was made from."""
    subject = Subject(model=detector(), title="t", source="t", family="cnn", read=lambda rows: x[rows], count=len(x))
    subject.labels, subject.classes = y, [f"class {i}" for i in range(int(y.max()) + 1)]
    subject.stimuli = series((STEPS, 1), subject.read, len(x))
    for name, value in more.items():
        setattr(subject, name, value)
    return measuring.inspect(subject, budget="standard", only=[], seed=0)


def inspected(x, y, **more):
    return measured(x, y, **more)[0]


def test_classes_that_a_network_works_out_are_its_highest_level(rng):
    """Not in the series, hardly in random filters, and nearly all of it behind the matched one."""
    document = inspected(*examples(rng, 400))
    assert document["hierarchy"]["levels"][-1] == "category"
    rows = {row["name"]: row["levels"]["category"] for row in document["layers"] if row.get("levels")}
    assert rows["answer"]["input"] < 0.3
    assert rows["answer"]["trained"] > 0.9
    assert rows["answer"]["learned"] > 0.5
    assert document["hierarchy"]["emergence"]["category"] is not None
    # the examples are no stimuli, and give nothing away by being themselves
    assert document["stimuli"] == 400 * (len(document["hierarchy"]["levels"]) - 1)
    assert "category" not in {gate["subject"] for gate in document["gates"]}


def test_labels_without_any_meaning_are_not_learned(rng):
    x, y = examples(rng, 400)
    document = inspected(x, rng.permutation(y))
    assert document["hierarchy"]["emergence"]["category"] is None


@pytest.mark.parametrize(("n", "labels"), [(90, None), (400, "one"), (400, "none")])
def test_too_few_examples_or_classes_make_no_level(rng, n, labels):
    x, y = examples(rng, n)
    subject = Subject(model=detector(), title="t", source="t", family="cnn", read=lambda rows: x[rows], count=n)
    subject.labels = {None: y, "one": np.zeros(n, int), "none": None}[labels]
    subject.stimuli = series((STEPS, 1), subject.read, n)
    assert own_level.with_own(subject) is subject.stimuli


def test_rare_classes_are_left_out(rng):
    """Four of a kind tell nothing: they are no class of the level, and the others keep their names."""
    x, y = examples(rng, 200)
    y[:4] = 2
    subject = Subject(model=detector(), title="t", source="t", family="cnn", read=lambda rows: x[rows], count=200)
    subject.labels, subject.classes = y, ["no", "yes", "rare"]
    subject.stimuli = series((STEPS, 1), subject.read, 200)
    level = own_level.with_own(subject).own
    assert level.names == ("no", "yes")
    np.testing.assert_array_equal(level.x, np.arange(4, 200))


def test_examples_that_were_learned_from_make_no_level(rng):
    """A network may know their classes by heart: that is said, and the other levels are as they were."""
    x, y = examples(rng, 400)
    seen, unseen = (inspected(x, y, learned=learned) for learned in (True, False))
    assert [*seen["hierarchy"]["levels"], "category"] == unseen["hierarchy"]["levels"]
    assert sum("by heart" in warning for warning in seen["warnings"]) == 1
    assert not any("by heart" in warning for warning in unseen["warnings"])


def test_networks_are_compared_by_stimuli_and_never_by_the_numbers_of_examples(rng):
    """Classes on one side only, and on both with other examples: the CKA is that of the stimuli alone."""
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((STEPS, 1)), layers.Conv1D(6, 5, name="a"), layers.Conv1D(4, 5, name="b")])
    first, second = (measured(*examples(rng, 300), model=net) for _ in range(2))
    bare = measured(*examples(rng, 300), model=net, labels=None)
    assert all("category" in document["hierarchy"]["levels"] for document, _ in (first, second))
    without, both, alone = (
        np.array(comparison.compared(first[0], found[0], first[1], found[1])["compare"]["cka"]["matrix"])
        for found in (bare, second, (bare[0], replace(bare[1], data=None)))
    )
    np.testing.assert_allclose(np.diag(both), 1, atol=1e-3)
    assert both[0, 1] < 0.99
    # the series are given each data's own level and spread
    np.testing.assert_allclose(both, without, atol=0.01)
    np.testing.assert_allclose(alone, without, atol=1e-6)


def test_large_pictures_are_never_all_in_memory(rng):
    """A batch at most is asked for at once, for the level's control and for what the bare input tells."""
    asked = []

    def read(rows):
        asked.append(len(rows))
        return rng.random((len(rows), 24, 24, 3), np.float32)

    inputs = keras.Input((24, 24, 3))
    net = keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs)))
    subject = Subject(model=net, title="t", source="t", family="cnn", read=read, count=200, labels=np.arange(200) % 2)
    make = {"height": 24, "width": 24, "channels": 3}
    subject.stimuli = Stimuli(entry="pictures", make=make, feed=lambda level: (lambda rows: read(rows), None))
    stimuli = own_level.with_own(subject)
    key = tap.traced(net)[-1].key
    found = strip.strip(net, stimuli, Watch(net, [key]), [key], n=200, size=32, seed=0)
    assert [level.name for level in found.levels][-1] == "category"
    assert len(asked) > 7 * 6
    assert max(asked) <= 64
