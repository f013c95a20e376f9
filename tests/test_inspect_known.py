"""Networks built by hand, of which it is known what every layer does: the measurement must say so."""

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from typer.testing import CliRunner

from dlcli import console
from dlcli.cli import app
from dlcli.errors import CHECK
from dlcli.inspection import measuring, strip, tap, units, watch
from dlcli.inspection.subject import Stimuli, Subject
from dlcli.stimuli import pictures
from dlcli.stimuli._level import Level


@pytest.fixture
def bare(monkeypatch):
    """Without lenses, which these networks are too small to need."""
    monkeypatch.setattr(measuring, "registry", SimpleNamespace(entries=lambda _: {}))


def subject(model, x=None, labels=None, *, family="cnn", stimuli=None) -> Subject:
    read = None if x is None else lambda rows: x[rows]
    return Subject(
        model=model,
        title="hand-made",
        source="tests",
        family=family,
        read=read,
        count=0 if x is None else len(x),
        labels=labels,
        stimuli=stimuli,
    )


def inspected(found: Subject, budget: str, *, seed: int = 0) -> dict:
    return measuring.inspect(found, budget=budget, only=[], seed=seed)[0]


def rows(document: dict) -> dict[str, dict]:
    return {row["name"]: row for row in document["layers"] if row["measured"]}


def drawn(model) -> Stimuli:
    """Stimuli of the model's size, as pixels from 0 to 1."""
    height, width, channels = model.input_shape[1:]
    return Stimuli(
        entry="pictures",
        make={"height": height, "width": width, "channels": channels},
        feed=lambda level: (lambda some: np.asarray(level.x[some], "float32") / 255, None),
    )


def set_kernel(layer, kernel, bias=0.0):
    layer.kernel.assign(np.asarray(kernel, "float32"))
    layer.bias.assign(np.broadcast_to(np.asarray(bias, "float32"), layer.bias.shape))


# Nothing to find


def test_a_network_that_copies_its_input_gains_nothing(bare, monkeypatch):
    """No level is gained in any layer, and every layer is like every other."""
    monkeypatch.setattr(strip, "STIMULI", 120)
    model = keras.Sequential([keras.Input((24, 24, 3)), *(layers.Conv2D(3, 1, name=f"copy{i}") for i in range(4))])
    for layer in model.layers:
        set_kernel(layer, np.eye(3)[None, None])
    x = np.random.default_rng(0).random((64, 24, 24, 3)).astype("float32")
    found = inspected(subject(model, x, stimuli=drawn(model)), "standard")
    assert found["hierarchy"]["levels"] == ["colour", "edge", "texture", "junction", "shape", "relation", "object"]
    assert set(found["hierarchy"]["emergence"].values()) == {None}
    assert found["hierarchy"]["tau"] is None
    assert found["hierarchy"]["said"] == "no measurable hierarchy"
    assert all(level["gain"] == 0 for row in rows(found).values() for level in row["levels"].values())
    assert {row["label"] for row in rows(found).values()} == {"–"}
    assert np.array(found["cka"]["matrix"]) == pytest.approx(np.ones((4, 4)), abs=1e-4)
    assert found["verdict"].startswith("No measurable hierarchy: none of 7 levels emerged")


def test_copies_are_as_like_the_input_as_can_be(bare):
    """CKA 1 with the input and among each other, and one probe for all, of rows that are the input."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = (rng.normal(size=(300, 6)) + np.eye(3)[y] @ rng.normal(size=(3, 6))).astype("float32")
    model = keras.Sequential([keras.Input((6,)), *(layers.Dense(6, name=f"copy{i}") for i in range(3))])
    for layer in model.layers:
        set_kernel(layer, np.eye(6))
    found = rows(inspected(subject(model, x, y, family="dense"), "fast"))
    assert [row["geometry"]["cka_input"] for row in found.values()] == pytest.approx([1, 1, 1], abs=1e-9)
    assert len({row["probe"]["accuracy"] for row in found.values()}) == 1
    for name in ("effective_rank", "intrinsic_dimension", "cka_labels", "nc1"):
        assert np.ptp([row["geometry"][name] for row in found.values()]) < 1e-5


def random_network(seed: int):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            *(layers.Conv2D(8, 3, padding="same", activation="relu", strides=1 + i % 2, name=f"conv{i}") for i in range(5)),
        ]
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_random_network_has_no_hierarchy(seed, bare):
    """What an untrained network shows is no merit of training, whichever it is."""
    model = random_network(seed)
    found = inspected(subject(model, stimuli=drawn(model)), "standard", seed=seed)
    assert found["hierarchy"]["said"] == "no measurable hierarchy"
    assert found["verdict"].startswith("No measurable hierarchy: ")
    emerged = [name for name, value in found["hierarchy"]["emergence"].items() if value]
    assert len(emerged) <= 1


def test_features_that_are_random_for_every_example_tell_no_label(bare):
    """Of a hash of the example, neither labels nor control labels can be read: both intervals hold chance."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(700, 12)).astype("float32")
    y = np.arange(700) % 4
    model = keras.Sequential([keras.Input((12,)), layers.Dense(32, activation=keras.ops.sin, name="hash")])
    set_kernel(model.layers[0], rng.normal(size=(12, 32)) * 1000)
    probe = rows(inspected(subject(model, x, y, family="dense"), "fast"))["hash"]["probe"]
    assert probe["low"] <= 0.25 <= probe["high"]
    assert probe["chance"] == pytest.approx(0.25, abs=0.001)
    assert probe["n"] == 700
    # the control labels of 64 types are not quite even
    assert probe["control"] == pytest.approx(0.25, abs=0.08)


# A label that the stimuli give away


def planted(height, width, channels, *, n, seed):
    """Two levels; in "shape" the first pixel says the label, in "edge" nothing does."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 4)
    noise = rng.integers(0, 256, (2, n, height, width, channels)).astype("uint8")
    noise[1, :, 0, 0] = (y * 80)[:, None]
    noise[1, :, 0, 1] = ((y == 2) * 200)[:, None]
    names = ("a", "b", "c", "d")
    control = rng.integers(0, 8, n)
    return [
        Level(name="edge", x=noise[0], y=y, names=names, control=control),
        Level(name="shape", x=noise[1], y=y, names=names, control=control),
    ]


def test_a_network_that_learned_its_labels_by_heart(bare):
    """Probe 1 on what it was trained on, chance on what it was not; and labels by chance are read as well."""
    rng = np.random.default_rng(0)
    # 64 kinds of input: corners of a box with sides of six lengths, which are its principal components
    corners = np.stack(np.meshgrid(*[[-1, 1]] * 6), axis=-1).reshape(-1, 6) * np.linspace(2, 4, 6)
    x = (np.repeat(corners, 8, axis=0) + 0.5 * rng.normal(size=(512, 6))).astype("float32")
    y = rng.permutation(np.arange(512) % 4)  # of no kind's own
    seen_, unseen = rng.permutation(512).reshape(2, 256)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(2000, activation="relu", name="hidden"), layers.Dense(4, name="answer")]
    )
    set_kernel(model.layers[0], rng.normal(size=(6, 2000)), 3 * rng.normal(size=2000))
    hidden = np.maximum(x @ np.asarray(model.layers[0].kernel) + np.asarray(model.layers[0].bias), 0)
    targets = np.eye(4)[y] - 0.25
    set_kernel(model.layers[1], np.linalg.lstsq(hidden[seen_], targets[seen_], rcond=None)[0])
    answers = keras.ops.convert_to_numpy(model(x[seen_])).argmax(axis=1)
    assert (answers == y[seen_]).mean() == 1

    def read(some):
        return rows(inspected(subject(model, x[some], y[some], family="dense"), "fast"))

    learned, held_out = read(seen_), read(unseen)
    assert learned["answer"]["probe"]["accuracy"] > 0.99
    low, high = held_out["answer"]["probe"]["low"], held_out["answer"]["probe"]["high"]
    assert low < held_out["answer"]["probe"]["chance"] < high
    for found in (learned, held_out):
        assert found["hidden"]["probe"]["control"] > 0.9
        assert found["hidden"]["probe"]["accuracy"] < 0.4


def test_a_planted_confound_fails_the_leak_gate_and_ends_with_code_10(monkeypatch, tmp_path):
    """The level that can be read off the bare pixels is named, the other passes, and scripts see it."""
    monkeypatch.setattr(pictures, "levels", planted)
    model = keras.Sequential([keras.Input((10, 10, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3)])  # fmt: skip
    model.save(tmp_path / "m.keras")
    console.results.quiet = False
    result = CliRunner().invoke(app, ["inspect-layers", str(tmp_path / "m.keras"), "--json"], catch_exceptions=False)
    assert result.exit_code == CHECK == 10
    gates = {gate["subject"]: gate for gate in json.loads(result.stdout)["gates"] if gate["name"] == "leak"}
    assert gates["shape"]["passed"] is False
    assert "shape can be read off the bare input" in gates["shape"]["message"]
    assert gates["edge"]["passed"] is True
    assert "check leak failed: shape" in result.stderr


# Units


def test_a_zeroed_filter_is_dead_and_a_copied_one_a_duplicate(bare):
    """Exactly one of each, and of no other layer."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((12, 12, 3)), *(layers.Conv2D(8, 3, activation="relu", name=name) for name in ("one", "two"))]
    )
    kernel = np.array(model.layers[0].kernel)
    kernel[..., 3] = 0
    kernel[..., 5] = 0.7 * kernel[..., 2]
    set_kernel(model.layers[0], kernel)
    x = np.random.default_rng(0).normal(size=(200, 12, 12, 3)).astype("float32")
    found = rows(inspected(subject(model, x), "fast"))
    assert (found["one"]["units"]["dead"], found["one"]["units"]["dead_units"]) == (1, [3])
    assert found["one"]["units"]["duplicates"] == 1
    assert (found["two"]["units"]["dead"], found["two"]["units"]["duplicates"]) == (0, 0)
    assert found["one"]["units"]["dead_bound"] == pytest.approx(3 / 200)


def gratings(side: int, angles, phases, frequency: float) -> np.ndarray:
    """(angles, phases, side, side, 1): waves that change along the angle."""
    u, v = np.meshgrid(*[np.arange(side) - side // 2] * 2)
    along = u * np.cos(angles)[:, None, None] + v * np.sin(angles)[:, None, None]
    return np.cos(2 * np.pi * frequency * along[:, None] + phases[None, :, None, None])[..., None].astype("float32")


def tuned(kernel: np.ndarray, frequencies) -> tuple[np.ndarray, np.ndarray]:
    """Selectivity and preferred angle in degrees of the filters (k, k, 1, units) of a real convolution."""
    side = len(kernel)
    model = keras.Sequential([keras.Input((side, side, 1)), layers.Conv2D(kernel.shape[-1], side, activation="relu")])
    set_kernel(model.layers[0], kernel)
    angles, phases = np.arange(24) * np.pi / 24, np.arange(8) * np.pi / 4
    responses = []
    for frequency in frequencies:
        waves = gratings(side, angles, phases, frequency)
        answers = np.asarray(model.predict_on_batch(waves.reshape(-1, side, side, 1)))
        responses.append(answers.reshape(24, 8, -1).mean(axis=1).T)  # (units, angles)
    responses = np.stack(responses)  # (frequencies, units, angles)
    best = responses.max(axis=2).argmax(axis=0)
    selectivity, angle = units.orientation(responses[best, np.arange(len(best))], angles)
    return selectivity, np.degrees(angle)


def apart(first, second) -> np.ndarray:
    """Degrees between two orientations."""
    return np.abs((np.asarray(first) - second + 90) % 180 - 90)


def test_gabor_filters_have_their_angles():
    """0 to 150 degrees, each within 0.3, and all are selective."""
    side, angles = 31, np.arange(6) * 30.0
    u, v = np.meshgrid(*[np.arange(side) - side // 2] * 2)
    envelope = np.exp(-(u**2 + v**2) / (2 * 5.0**2))
    filters = []
    for angle in np.radians(angles):
        wave = np.cos(2 * np.pi * 0.12 * (u * np.cos(angle) + v * np.sin(angle)))
        filters.append(envelope * (wave - (envelope * wave).sum() / envelope.sum()))
    selectivity, found = tuned(np.stack(filters, axis=-1)[:, :, None], (0.06, 0.12, 0.24))
    assert apart(found, angles).max() < 0.3
    assert selectivity.min() > 0.7


def test_sobel_filters_are_at_right_angles_and_a_blob_has_no_angle():
    """0 and 90 degrees; what is round is not selective."""
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    blob = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    selectivity, found = tuned(np.stack([sobel, sobel.T, blob], axis=-1)[:, :, None], (0.05, 0.1, 0.2))
    assert apart(found[:2], [0, 90]).max() < 0.3
    assert selectivity[:2].min() > 0.3
    assert selectivity[2] < 0.02


# Networks that detect


def test_corners_are_found_in_the_second_layer_and_not_in_the_first(bare):
    """Lines in two directions, then ReLU(h + v - theta): each unit of layer 2 answers to its own corner alone."""
    turns = [(1, 1), (-1, 1), (-1, -1), (1, -1)]  # where the arms go: right or left, down or up
    rng = np.random.default_rng(0)
    y = np.arange(160) % 4
    x = np.zeros((160, 29, 29, 1), "float32")
    for picture, label in zip(x, y, strict=True):
        (right, down), (row, column), strength = turns[label], rng.integers(12, 17, 2), rng.uniform(0.9, 1.1)
        picture[row, np.sort([column, column + right * 8])[0] : np.sort([column, column + right * 8])[1] + 1] = strength
        picture[np.sort([row, row + down * 8])[0] : np.sort([row, row + down * 8])[1] + 1, column] = strength
    lines = np.zeros((5, 5, 1, 2))
    lines[2, :, 0, 0], lines[[1, 3], :, 0, 0] = 1, -0.5
    lines[..., 1] = lines[..., 0].transpose(1, 0, 2)
    corners = np.zeros((11, 11, 2, 4))
    for unit, (right, down) in enumerate(turns):
        corners[5, 5 + 4 * right, 0, unit] = corners[5 + 4 * down, 5, 1, unit] = 1
    model = keras.Sequential([keras.Input((29, 29, 1)), layers.Conv2D(2, 5, activation="relu", name="lines"), layers.Conv2D(4, 11, activation="relu", name="corners")])  # fmt: skip
    set_kernel(model.get_layer("lines"), lines)
    set_kernel(model.get_layer("corners"), corners, -8.0)
    found = rows(inspected(subject(model, x, y), "fast"))
    assert found["lines"]["probe"]["low"] <= 0.25
    assert found["lines"]["units"]["selectivity"] == pytest.approx(0, abs=0.02)
    assert found["corners"]["probe"]["accuracy"] == 1
    assert found["corners"]["units"]["selectivity"] == pytest.approx(1, abs=1e-6)
    best = np.asarray(model(x)).max(axis=(1, 2))
    assert np.array_equal(best.argmax(axis=1), y)
    omega, significant = units.omega_squared(best, y)
    assert significant.all()
    assert omega.min() > 0.5


def comb(period: int, teeth: int) -> np.ndarray:
    kernel = np.zeros((period * (teeth - 1) + 1, 1, 1))
    kernel[::period] = 1 / teeth
    return kernel


def waves(periods, n: int, rng) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n) % len(periods)
    t = np.arange(128)
    turn = t / np.asarray(periods)[y][:, None] + rng.random((n, 1))
    x = np.sqrt(2) * np.sin(2 * np.pi * turn) + 0.3 * rng.normal(size=(n, 128))
    return x[..., None].astype("float32"), y


@pytest.mark.parametrize(("periods", "told"), [((8, 32 / 3), True), ((8, 32 / 5), True), ((32 / 3, 32 / 5), False)])
def test_a_comb_finds_its_own_season_and_no_other(periods, told, bare, rng):
    """A comb of 4 teeth, 8 steps apart, passes a season of 8 steps; of 32/3 and 32/5 steps it passes nothing."""
    model = keras.Sequential([keras.Input((128, 1)), layers.Conv1D(1, 25, name="comb")])
    set_kernel(model.layers[0], comb(8, 4))
    x, y = waves(periods, 240, rng)
    probe = rows(inspected(subject(model, x, y, family="cnn"), "fast"))["comb"]["probe"]
    assert probe["accuracy"] > 0.99 if told else probe["low"] <= 0.5 <= probe["high"]


PATTERNS = [
    [[1, 1, 1, 1, 1], [1, -1, -1, -1, 1], [1, -1, -1, -1, 1], [1, -1, -1, -1, 1], [1, 1, 1, 1, 1]],
    [[-1, -1, 1, -1, -1], [-1, -1, 1, -1, -1], [1, 1, 1, 1, 1], [-1, -1, 1, -1, -1], [-1, -1, 1, -1, -1]],
    [[1, -1, -1, -1, 1], [-1, 1, -1, 1, -1], [-1, -1, 1, -1, -1], [-1, 1, -1, 1, -1], [1, -1, -1, -1, 1]],
]
OFFSETS = [(-7, 0), (7, 0), (0, -7), (0, 7)]


def patterns() -> np.ndarray:
    """Frame, plus and cross, (3, 5, 5), without a mean and of one energy."""
    raw = np.array(PATTERNS, float)
    raw -= raw.mean(axis=(1, 2), keepdims=True)
    return raw / np.linalg.norm(raw, axis=(1, 2), keepdims=True) * 5


def parts(height, width, channels, *, n, seed):
    """Level "shape": which pattern stands somewhere. Level "relation": on which side of the plus the frame stands."""
    rng = np.random.default_rng(seed)
    made, found = patterns(), []
    for name, classes in (("shape", 3), ("relation", 4)):
        y = rng.permutation(np.arange(n) % classes)
        x = rng.normal(size=(n, height, width)) * 0.5
        for picture, label in zip(x, y, strict=True):
            row, column = rng.integers(7, height - 12, 2)
            strength = rng.uniform(0.9, 1.3)
            if name == "shape":
                picture[row : row + 5, column : column + 5] += strength * made[label]
                continue
            down, right = OFFSETS[label]
            picture[row : row + 5, column : column + 5] += strength * made[1]
            picture[row + down : row + down + 5, column + right : column + right + 5] += strength * made[0]
        pixels = np.clip(x * 32 + 128, 0, 255).astype("uint8")[..., None]
        names = tuple(map(str, range(classes)))
        found.append(Level(name=name, x=pixels, y=y, names=names, control=rng.integers(0, 8, n)))
    return found


def test_a_patch_matcher_gains_shape_before_relation(bare, monkeypatch):
    """Matched filters, then sums of two of their answers shifted against each other: shape in layer 1, relation in layer 2."""
    monkeypatch.setattr(pictures, "levels", parts)
    monkeypatch.setattr(strip, "STIMULI", 240)
    shapes = layers.Conv2D(3, 5, activation="relu", name="shapes")
    relations = layers.Conv2D(4, 15, activation="relu", name="relations")
    # answers of the first layer beside the picture are what they are where nothing is: 0
    model = keras.Sequential([keras.Input((26, 26, 1)), shapes, layers.ZeroPadding2D(7), relations])
    set_kernel(shapes, patterns().transpose(1, 2, 0)[:, :, None], -14.0)
    shifted = np.zeros((15, 15, 3, 4))
    for unit, (down, right) in enumerate(OFFSETS):
        shifted[7, 7, 1, unit] = shifted[7 + down, 7 + right, 0, unit] = 1
    set_kernel(relations, shifted, -12.0)
    fed = Stimuli(
        entry="pictures",
        make={"height": 26, "width": 26, "channels": 1},
        feed=lambda level: (lambda some: (level.x[some].astype("float32") - 128) / 32, None),
    )
    found = inspected(subject(model, stimuli=fed), "standard")
    levels = {name: row["levels"] for name, row in rows(found).items()}
    assert found["hierarchy"]["order"] == ["shape", "relation"]
    assert found["hierarchy"]["emergence"]["shape"]["value"] == pytest.approx(1, abs=0.2)
    assert found["hierarchy"]["emergence"]["relation"]["value"] == pytest.approx(2, abs=0.2)
    assert levels["shapes"]["shape"]["gain"] > 0.3
    assert levels["shapes"]["relation"]["trained"] < 0.15
    assert levels["relations"]["relation"]["trained"] > 0.9
    assert rows(found)["shapes"]["label"].startswith("shape")
    assert rows(found)["relations"]["label"].startswith("relation")


# What must not matter


def numbers(document: dict, *, without=()) -> dict[str, float]:
    """Every number of a document by its path, but times and positions of units."""
    skipped = {"milliseconds", "seconds", "dead_units", "pictures", "tables", "methods", "versions", *without}
    found = {}

    def walk(value, path):
        if isinstance(value, dict):
            for key, item in value.items():
                if key not in skipped:
                    walk(item, f"{path}/{key}")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                walk(item, f"{path}/{i}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[path] = float(value)

    walk(document, "")
    return found


def differing(first: dict, second: dict, **options) -> dict[str, tuple[float, float]]:
    """The numbers that differ by more than 1e-4 of their size."""
    one, two = numbers(first, **options), numbers(second, **options)
    assert one.keys() == two.keys()
    return {
        path: (one[path], two[path])
        for path in one
        if not (
            math.isclose(one[path], two[path], rel_tol=1e-4, abs_tol=1e-4)
            or (math.isnan(one[path]) and math.isnan(two[path]))
        )
    }


def words(document: dict) -> dict[str, object]:
    """What lenses say, by its path: own columns, tables, captions and alternative texts of pictures."""
    found = {}

    def walk(value, path):
        if isinstance(value, dict):
            for key, item in value.items():
                if key != "png":
                    walk(item, f"{path}/{key}")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                walk(item, f"{path}/{i}")
        else:
            found[path] = value

    for layer in document["layers"]:
        walk({key: layer[key] for key in ("own", "pictures", "label") if key in layer}, layer["path"])
    walk({key: document[key] for key in ("tables", "pictures", "lost", "verdict", "gates")}, "")
    return found


def said_otherwise(first: dict, second: dict) -> dict[str, tuple]:
    """Words that differ, and numbers of lenses that do by more than 1e-4 of their size."""
    one, two = words(first), words(second)
    assert one.keys() == two.keys()

    def alike(a, b):
        if isinstance(a, int | float) and isinstance(b, int | float):
            return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4)
        return a == b

    return {path: (one[path], two[path]) for path in one if not alike(one[path], two[path])}


def small(seed: int = 0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((20, 20, 3)),
            layers.Conv2D(6, 3, activation="relu", name="one"),
            layers.Conv2D(8, 3, strides=2, activation="relu", name="two"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, name="head"),
        ],
        name="small",
    )


@pytest.fixture
def coloured(rng):
    """Pictures of three classes that differ in their stripes and shade."""
    y = np.arange(210) % 3
    x = rng.normal(size=(210, 20, 20, 3)) * 0.3 + 0.2 * y[:, None, None, None]
    x += 0.5 * np.sin(np.arange(20) * (1 + y[:, None]))[:, :, None, None]
    return x.astype("float32"), y


@pytest.fixture
def quick(bare, monkeypatch):
    monkeypatch.setattr(strip, "STIMULI", 96)


def both(model, coloured) -> dict:
    x, y = coloured
    return inspected(subject(model, x, y, stimuli=drawn(model)), "standard")


def test_the_order_of_channels_does_not_matter(quick, coloured):
    """A convolution's filters in another order, and the next layer's inputs with them: every number stays."""
    first = both(small(), coloured)
    assert differing(first, both(permuted(small()), coloured)) == {}


def test_the_size_of_batches_does_not_matter(quick, coloured, monkeypatch):
    """7 or 64 at once, the last batch filled up: every number stays, also of the twin."""
    documents = []
    for size in (7, 64):
        monkeypatch.setattr(measuring, "batch_size", lambda _, size=size: size)
        documents.append(both(small(), coloured))
    assert differing(*documents) == {}


def test_compiled_or_not_does_not_matter(quick, coloured, monkeypatch):
    """Every number of levels, probes and geometry is that of a network that runs layer by layer."""
    compiled = both(small(), coloured)
    watched = watch._Watched
    calls = []

    def eager(*arguments):
        model = watched(*arguments)
        model.run_eagerly = True
        calls.append(model)
        return model

    monkeypatch.setattr(watch, "_Watched", eager)
    assert differing(compiled, both(small(), coloured)) == {}
    assert calls


def permuted(model):
    """The same function: the first convolution's filters in another order, and the second's inputs with them."""
    order = np.random.default_rng(3).permutation(6)
    one, two = model.get_layer("one"), model.get_layer("two")
    set_kernel(one, np.array(one.kernel)[..., order])
    set_kernel(two, np.array(two.kernel)[:, :, order])
    return model


@pytest.mark.parametrize("change", ["channels", "batches"])
def test_lenses_say_the_same_whatever_the_order_of_channels_and_the_size_of_batches(change, coloured, monkeypatch):
    """Own columns and tables of all lenses; which units are shown goes by their answers, and only their numbers change."""
    monkeypatch.setattr(strip, "STIMULI", 96)
    x, y = coloured
    documents = []
    for size, model in ((64, small()), (64, permuted(small())) if change == "channels" else (7, small())):
        monkeypatch.setattr(measuring, "batch_size", lambda _, size=size: size)
        documents.append(inspected(subject(model, x, y, stimuli=drawn(model)), "standard"))
    differ = said_otherwise(*documents)
    if change == "channels":  # units have other numbers
        differ = {path: pair for path, pair in differ.items() if "/pictures/" not in path}
    assert differ == {}
    assert any("/own/tuned" in path for path in words(documents[0]))


def test_the_same_seed_gives_the_same_document(quick, coloured):
    """And another seed draws other stimuli."""
    first, again = both(small(), coloured), both(small(), coloured)
    assert differing(first, again) == {}
    x, y = coloured
    other = inspected(subject(small(), x, y, stimuli=drawn(small())), "standard", seed=1)
    assert differing(first, other)


def test_a_scale_that_the_next_layer_undoes_does_not_matter(bare, coloured):
    """Probes and CKA of a layer that answers four times as strongly are what they were."""
    x, y = coloured
    first, model = small(), small()
    one, two = model.get_layer("one"), model.get_layer("two")
    set_kernel(one, 4 * np.array(one.kernel), 4 * np.array(one.bias))
    set_kernel(two, np.array(two.kernel) / 4, two.bias)
    before, after = (inspected(subject(m, x, y), "fast") for m in (first, model))
    for name, row in rows(before).items():
        assert rows(after)[name]["probe"] == pytest.approx(row["probe"], abs=1e-4)
        assert rows(after)[name]["geometry"] == pytest.approx(row["geometry"], rel=1e-4, abs=1e-4)
    assert np.array(after["cka"]["matrix"]) == pytest.approx(np.array(before["cka"]["matrix"]), abs=1e-4)


# Two backends

SAVED = {
    "conv": (
        "digits:200",
        lambda: keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(6, 3, activation="relu", name="one"), layers.BatchNormalization(name="norm"), layers.GlobalMaxPooling2D(), layers.Dense(10, name="head")], name="model"),
    ),
    "lstm": ("motions:150", lambda: keras.Sequential([keras.Input((96, 3)), layers.LSTM(8, return_sequences=True, name="first"), layers.LSTM(6, name="last"), layers.Dense(6, name="head")], name="model")),
    "attention": ("motions:150", lambda: attending()),
}  # fmt: skip


def attending():
    """A functional model of one attention layer over its own input, for a file without classes of anybody's own."""
    inputs = keras.Input((96, 3))
    x = layers.Dense(8, name="wide")(inputs)
    x = layers.Add(name="sum")([x, layers.MultiHeadAttention(2, 4, name="attends")(x, x)])
    x = layers.Dense(6, name="head")(layers.GlobalAveragePooling1D(name="mean")(x))
    return keras.Model(inputs, x, name="model")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None or find_spec("tensorflow") is None, reason="needs both backends")
@pytest.mark.parametrize("kind", SAVED)
def test_tensorflow_and_jax_say_the_same(kind, tmp_path):
    """The same file and the same data on both backends: every number within 1e-4, learned, gain, tau and what lenses
    say among them, and every word."""
    data, build = SAVED[kind]
    keras.utils.set_random_seed(0)
    build().save(tmp_path / "m.keras")
    documents = []
    for backend in ("tensorflow", "jax"):
        command = [sys.executable, "-m", "dlcli", "inspect-layers", str(tmp_path / "m.keras"), "--backend", backend]
        answer = subprocess.run(
            [*command, "--data", data, "--budget", "standard", "--samples", "96", "--json"],
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
            env={k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
        )
        assert answer.returncode in (0, CHECK), answer.stderr
        documents.append(json.loads(answer.stdout))
        assert documents[-1]["versions"]["backend"] == backend
    assert differing(*documents) == {}
    assert said_otherwise(*documents) == {}
    for part in ("learned", "untrained", "gain", "baseline"):
        assert any(path.endswith(f"/{part}") for path in numbers(documents[0]))
    assert any(layer.get("own") for layer in documents[0]["layers"])


def test_what_the_tests_compare_holds_numbers(quick, coloured):
    """The comparison above sees the numbers of probes, levels, geometry and CKA, and notices a change of one of them."""
    document = both(small(), coloured)
    found = numbers(document)
    for part in ("probe/accuracy", "geometry/nc1", "levels/shape/trained", "units/count"):
        assert any(path.endswith(part) for path in found)
    assert any(path.startswith("/cka/matrix") for path in found)
    changed = json.loads(json.dumps(document))
    changed["layers"][0]["probe"]["accuracy"] += 0.01
    assert len(differing(document, changed)) == 1
    assert tap.traced(small())  # no tap is left open
