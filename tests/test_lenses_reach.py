"""Lenses on how far back a layer looks, and on which level its units respond to."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from dlcli.inspection import measuring, tap
from dlcli.inspection.subject import Subject
from dlcli.inspection.taps import Place
from dlcli.lenses import reach, selective_units
from dlcli.stimuli._level import Level


def recurrent(kernel, recurrent_kernel, steps):
    """A linear SimpleRNN with these weights, that gives every step."""
    units = len(recurrent_kernel)
    series = keras.Input((steps, 1), name="series")
    layer = keras.layers.SimpleRNN(units, activation="linear", return_sequences=True, use_bias=False, name="rnn")
    model = keras.Model(series, layer(series))
    layer.set_weights([np.float32(kernel), np.float32(recurrent_kernel)])
    return model


def reached(model, steps):
    """What the lens says of the only layer, through the whole of inspect-layers."""
    x = np.random.default_rng(0).normal(size=(8, steps, 1)).astype(np.float32)
    subject = Subject(model=model, title="", source="", family="rnn", read=lambda rows: x[rows], count=len(x))
    document, _ = measuring.inspect(subject, budget="deep", only=[], seed=0)
    return next(layer["own"]["reach"] for layer in document["layers"] if layer["name"] == "rnn")


def test_a_delay_line_reaches_as_far_as_it_is_long():
    """h_t = (x_t, ..., x_{t-4}): five steps, all alike."""
    assert reached(recurrent(np.eye(5)[:1], np.eye(5, k=1), 20), 20) == 5


def test_a_leaky_unit_reaches_as_far_as_its_geometric_series():
    """0.9: 1 - 0.9^k >= 0.95 from k = 29 on."""
    assert reached(recurrent([[1.0]], [[0.9]], 200), 200) == 29


@pytest.mark.parametrize(("steps", "expected"), [([0, 0, 1], 1), ([1, 0, 0], 3), ([1, 1, 98], 1), ([10, 0, 90], 3)])
def test_reach_counts_from_the_end(steps, expected):
    assert reach.reach(np.array(steps, float)[None, :, None], np.array([2])) == expected


def test_nothing_that_depends_on_nothing_has_a_reach():
    assert reach.reach(np.zeros((2, 5, 3)), np.array([4, 4])) is None


def test_padding_is_not_counted():
    """A text of ten tokens, padded to fifty, whose last five matter."""
    slope = np.zeros((1, 50, 1))
    slope[0, 5:10] = 1
    assert reach.reach(slope, np.array([9])) == 5


def test_each_unit_counts_for_the_level_that_explains_it(rng):
    """Of five units two follow the colour, one the edge, two nothing."""
    labels = np.arange(200) % 4
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="units")])
    visits = tap.traced(model)
    key = next(visit.key for visit in visits if visit.layer.name == "units")
    rows = {name: rng.normal(size=(200, 5)) for name in ("colour", "edge")}
    rows["colour"][:, :2] += 2 * labels[:, None]
    rows["edge"][:, 2] += 2 * labels
    levels = [
        Level(name=name, x=np.zeros((200, 3)), y=labels, names=tuple("abcd"), control=labels)
        for name in ("colour", "edge")
    ]
    strip = SimpleNamespace(levels=levels, rows={name: {key: values} for name, values in rows.items()})
    view = SimpleNamespace(strip=strip, visits=visits, places=[Place(key=key, name="units")])
    assert selective_units.look(view).own["units"] == {"units": "40% colour"}
