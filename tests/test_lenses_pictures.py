"""Lenses on pictures, generators and codes, against networks built by hand."""

import base64
import io
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from dlcli.inspection import tap, taps
from dlcli.inspection.gradients import at_layers, seen
from dlcli.inspection.subject import Subject
from dlcli.inspection.view import View
from dlcli.lenses import (
    _drawing,
    _factors,
    _placed,
    attribution,
    effective_field,
    erasure,
    footprint,
    latent,
    patches,
    path_length,
    tuning,
)


def opened(model, x, *, family="cnn", labels=None, strip=None) -> View:
    """A view of a model and its examples; rows are means and deviations, as a pass would keep them."""
    visits = tap.traced(model)
    places = taps.chosen(visits)

    def read(rows):
        return keras.tree.map_structure(lambda values: values[rows], x)

    count = len(keras.tree.flatten(x)[0])
    classes = [] if labels is None else [str(c) for c in range(labels.max() + 1)]
    subject = Subject(
        model=model, title="", source="", family=family, read=read, count=count, labels=labels, classes=classes
    )
    kept = {}
    if family == "cnn":
        for key, values in seen(model, x, [place.key for place in places]).items():
            flat = values.reshape(len(values), -1, values.shape[-1])
            kept[key] = np.concatenate([flat.mean(axis=1), flat.std(axis=1)], axis=1)
    data = SimpleNamespace(kept=kept, labels=labels)
    return View(
        subject=subject, visits=visits, places=places, watch=None, data=data, strip=strip, batch_size=16, seed=0
    )


def pixels_of(entry: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(entry["png"]))).convert("RGB"))


def pictures(n: int, side: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels)).astype("float32")


def test_the_square_around_most_of_a_map_is_the_smallest_one():
    """One pixel, a block at the edge, and everything."""
    mass = np.zeros((8, 8))
    mass[2, 7] = 3
    assert _placed.side_of_mass(mass) == 1
    mass[2:4, 5:8] = 1
    assert _placed.side_of_mass(mass) == 3
    assert _placed.side_of_mass(np.ones((8, 8))) == 8
    assert _placed.side_of_mass(np.zeros((8, 8))) == 0


def test_the_field_of_ten_uniform_convolutions_has_the_deviation_of_ten_uniform_draws():
    """Its variance is n (k^2 - 1) / 12: for ten 3x3, 20/3."""
    model = keras.Sequential([keras.Input((41, 41, 1)), *(layers.Conv2D(1, 3, padding="same") for _ in range(10))])
    for layer in model.layers:
        layer.set_weights([np.full((3, 3, 1, 1), 1 / 9), np.zeros(1)])
    view = opened(model, pictures(2, 41))
    mass = effective_field.field(model, view.examples(2), view.places[-1].key, seed=0)
    along = mass.sum(axis=1) / mass.sum()
    middle = (along * np.arange(41)).sum()
    assert middle == pytest.approx(20)
    assert np.sqrt((along * (np.arange(41) - middle) ** 2).sum()) == pytest.approx(np.sqrt(20 / 3), abs=1e-3)
    found = effective_field.look(view)
    assert found.own[view.places[0].name] == {"eff. RF": 3}


def test_patches_go_from_the_strongest_answer_to_the_median():
    """Examples whose answer is their number: nine different ones, at the quantiles."""
    answers = np.random.default_rng(0).permutation(1000).astype(float)
    assert answers[patches.across(answers)] == pytest.approx([999, 998, 989, 988, 949, 948, 749, 748, 499], abs=1)
    assert len(set(patches.across(np.zeros(32)))) == 9


def test_a_patch_is_the_receptive_field_around_the_strongest_answer():
    """A unit that answers to the brightest pixel: it is in the middle of the patch, with its neighbours; beyond the
    picture there is grey."""
    model = keras.Sequential([keras.Input((9, 9, 1)), layers.Conv2D(1, 3, padding="same", use_bias=False, name="look")])
    kernel = np.zeros((3, 3, 1, 1))
    kernel[1, 1] = 1
    model.get_layer("look").set_weights([kernel])
    x = pictures(40, 9) / 2
    x[:, 0, 5] = 200 + np.arange(40)[:, None]
    view = opened(model, x)
    key = view.places[0].key
    height, spots = patches.answered(model, x, {key: [0]}, 16, _placed.windows(view))[key]
    assert np.array_equal(height[:, 0], 200 + np.arange(40))
    patch = patches.cut(x[3].astype("uint8"), spots[3, 0], 3)
    assert patch.shape == (3, 3, 1)
    assert (patch[0] == 128).all()
    assert np.array_equal(patch[1:, :, 0], x[3, 0:2, 4:7, 0].astype("uint8"))
    drawn = patches.look(view).pictures[view.places[0].name]
    assert [entry["title"] for entry in drawn] == ["filters", "patches across answers", "where a unit answers"]
    assert pixels_of(drawn[1])[20, 20, 0] == 239  # the middle of the first tile: the strongest answer
    assert pixels_of(drawn[0])[14, 14, 0] == 255  # the middle of the kernel, and around it 0, which is grey
    assert pixels_of(drawn[0])[2, 2, 0] == 128


def test_light_lies_where_a_map_is_above_zero():
    """Red over grey where it answers, nothing but grey where it is below 0."""
    heat = np.full((4, 4), -1.0)
    heat[:, 2:] = 1
    drawn = _drawing.glow(np.full((8, 8, 1), 100, np.uint8), heat, 40).astype(int)
    assert (drawn[:, 35, 0] > drawn[:, 35, 2] + 200).all()
    assert (drawn[:, 4] == 60).all()


def test_a_curve_goes_through_its_values_and_stops_where_they_are_unknown():
    heights = np.array([0.0, 1.0, 0.5, np.nan])
    drawn = _drawing.curve(heights, 40, marked=1)
    dark = (drawn.sum(axis=2) < 200).argmax(axis=0)
    assert dark[0] == 39
    assert dark[12] <= 3
    assert abs(dark[26] - 20) <= 2
    assert (drawn[:, 39] == 128).all()
    assert (drawn[:, 13] == (230, 120, 110)).all(axis=1).sum() > 20


def test_a_patch_of_a_convolution_without_padding_is_what_it_saw():
    """5 x 5 at a stride of 2 over 15 pixels: the last of 6 positions sees the last 5 pixels, the first the first."""
    model = keras.Sequential([keras.Input((15, 15, 1)), layers.Conv2D(1, 5, strides=2, use_bias=False, name="look")])
    kernel = np.zeros((5, 5, 1, 1))
    kernel[2, 2] = 1
    model.get_layer("look").set_weights([kernel])
    x = pictures(40, 15) / 2
    x[:20, 12, 12] = 200
    x[20:, 2, 2] = 200
    view = opened(model, x)
    key = view.places[0].key
    _, spots = patches.answered(model, x, {key: [0]}, 16, _placed.windows(view))[key]
    assert np.array_equal(patches.cut(x[0], spots[0, 0], 5), x[0, 10:, 10:])
    assert np.array_equal(patches.cut(x[39], spots[39, 0], 5), x[39, :5, :5])


def test_tuning_curves_of_units_that_like_an_angle_or_none(rng):
    """A unit of answers cos^2 of the angle has the index 1/2 and prefers that angle; noise is not tuned."""
    y = np.arange(400) % 8
    angle = np.pi * y / 8
    liking = [np.cos(angle - np.radians(at)) ** 2 for at in (0, 45, 110)]
    rows = np.stack([*liking, np.zeros(400)], axis=1) + 0.05 * rng.normal(size=(400, 4))
    _, index, preferred = tuning.tuned(rows, y, 8)
    assert index[:3] == pytest.approx([0.5, 0.5, 0.5], abs=0.03)
    assert preferred[1:3] == pytest.approx([45, 110], abs=1.5)
    assert min(preferred[0], 180 - preferred[0]) < 1.5
    assert index[3] == 0
    # a little tuning on top of a steady answer is a little; below 0 there is no steady answer to be seen
    _, faint, _ = tuning.tuned(rows + 9.5, y, 8)
    assert faint[:3] == pytest.approx([0.025] * 3, abs=0.005)
    _, below, _ = tuning.tuned(rows - 9.5, y, 8)
    assert below[:3] == pytest.approx([0.5] * 3, abs=0.06)


def test_the_units_shown_are_those_that_tell_classes_apart():
    """Of four channels, the third answers to one class only."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    means = rng.uniform(0.5, 1.5, (60, 4))
    means[:, 2] = (labels == 1) * means[:, 2]
    visits = [SimpleNamespace(key="a", output=np.zeros((1, 5, 5, 4)))]
    view = SimpleNamespace(data=SimpleNamespace(kept={"a": np.hstack([means, means])}, labels=labels), visits=visits)
    assert patches.strongest_kind(view, "a", 1) == [2]


def test_a_picture_is_small_enough_for_a_report():
    """Noise, which does not compress."""
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3)).astype("uint8")
    entry = _drawing.picture("noise", noise, caption="", alt="")
    assert len(base64.b64decode(entry["png"])) <= _drawing.LARGEST


def generator(last: int):
    """Noise (4,) -> 8x8x1 by a full matrix, and a last convolution of some width."""
    noise = keras.Input((4,), name="noise")
    x = layers.Dense(64, use_bias=False, name="project")(noise)
    x = layers.Reshape((8, 8, 1), name="reshape")(x)
    x = layers.Conv2D(1, 1, use_bias=False, name="map")(x)
    model = keras.Model(noise, layers.Conv2D(1, last, padding="same", use_bias=False, name="last")(x), name="g")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model, rng.normal(size=(48, 4)).astype("float32")


def test_a_linear_generators_noise_changes_everything_and_a_last_convolution_its_kernel():
    """Footprints: all 8 pixels, then the last kernel's side. One changed pixel is white: the highest centroid."""
    for side in (1, 3):
        model, x = generator(side)
        view = opened(model, x, family="gan")
        found = footprint.look(view)
        rows = {row[0]: row for row in found.tables[0]["rows"]}
        assert list(rows) == ["noise", "project", "map"]
        assert rows["noise"][1] == 8
        assert found.own["g/map"]["footprint"] == side
    frequencies = np.abs(np.fft.fftfreq(8))
    one = np.zeros((1, 8, 8, 1))
    one[0, 3, 3] = 1
    assert footprint.centroid(one) == pytest.approx(np.hypot(frequencies[:, None], frequencies[None]).mean())
    assert footprint.centroid(np.ones((1, 8, 8, 1))) == 0


def test_shares_of_a_linear_generator_are_its_squared_coefficients():
    """x = A z + b: the share of each is its variance, after the mean of all pixels or of the cells."""
    model, x = generator(1)
    matrix, first, last = model.get_weights()
    a, gain = matrix * first.item() * last.item(), first.item() * last.item()
    hidden = (x @ matrix).astype("float32")
    values = {"": x, "g/project": hidden}
    deviations = {key: many.std(axis=0, keepdims=True) for key, many in values.items()}
    found = footprint.shares(model, x, values, deviations, np.random.default_rng(0))
    by_noise, by_hidden = (deviations[""].T * a), np.diag(deviations["g/project"][0] * gain)
    mean = [(part.mean(axis=1) ** 2).sum() for part in (by_noise, by_hidden)]
    assert found[:, 0] == pytest.approx(np.array(mean) / sum(mean), abs=0.15)
    cells = [part.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)) for part in (by_noise, by_hidden)]
    layout = [((cell - cell.mean(axis=(1, 2), keepdims=True)) ** 2).sum() for cell in cells]
    assert found[:, 1] == pytest.approx(np.array(layout) / sum(layout), abs=0.15)


def test_the_path_length_of_a_linear_generator_is_twice_its_squared_norm():
    """x = A z + b, z standard normal: E |A (z_1 - z_0)|^2 = 2 |A|^2 along the way as from end to end."""
    model, _ = generator(1)
    x = np.random.default_rng(3).normal(size=(4096, model.input_shape[-1])).astype("float32")
    matrix, first, last = model.get_weights()
    expected = 2 * ((matrix * first.item() * last.item()) ** 2).sum()
    length, straight = path_length.path_length(
        lambda z: keras.ops.convert_to_numpy(model(z)), x, np.random.default_rng(0)
    )
    assert length == pytest.approx(expected, rel=0.05)
    assert length == pytest.approx(straight, rel=1e-3)
    found = path_length.look(opened(model, x[:64], family="gan"))
    (row,) = found.tables[0]["rows"]
    assert row[0] == "noise"
    assert row[3] == pytest.approx(1, abs=0.01)


def test_a_generator_that_leaps_goes_a_long_way_round():
    """A step function of the noise: nothing changes on the way but at 0, where everything does."""
    noise = np.random.default_rng(4).normal(size=(2000, 1))
    length, straight = path_length.path_length(
        lambda z: np.tanh(50 * z)[:, None, None], noise, np.random.default_rng(0)
    )
    assert length > 5 * straight


def autoencoder(alive: int, size: int):
    """Pixels -> means of which only the first `alive` vary, log variance 0 -> pixels."""
    pixels = keras.Input((8, 8, 1), name="pixels")
    x = layers.Flatten(name="flat")(pixels)
    mean, spread = layers.Dense(size, name="code")(x), layers.Dense(size, name="code_log_variance")(x)
    drawn = layers.Lambda(lambda parts: parts[0] + 0 * parts[1], name="latent")([mean, spread])
    x = layers.Reshape((8, 8, 1), name="shape")(layers.Dense(64, name="decoder")(drawn))
    model = keras.Model(pixels, x, name="vae")
    kernel = np.zeros((64, size))
    kernel[:alive, :alive] = np.eye(alive)
    model.get_layer("code").set_weights([kernel, np.zeros(size)])
    model.get_layer("code_log_variance").set_weights([np.zeros((64, size)), np.zeros(size)])
    return model


def test_numbers_of_a_code_that_never_change_are_not_active():
    """6 numbers, 2 of them dead: 4 are active; KL of a mean m with variance 1 is m^2 / 2."""
    x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
    view = opened(autoencoder(4, 6), x, family="autoencoder")
    found = latent.look(view)
    assert found.own["vae/code"]["active"] == "4/6"
    expected = (x.reshape(64, 64)[:, :6] ** 2).mean(axis=0) / 2 * [1, 1, 1, 1, 0, 0]
    assert latent.divergence(view, x) == pytest.approx(expected, abs=1e-6)
    assert {row[0] for row in found.tables[0]["rows"][-2:]} == {4, 5}
    assert pixels_of(found.pictures[""][0]).shape == (4 * 50 - 2, 7 * 50 - 2, 3)


def test_mig_and_dci_are_1_on_a_diagonal_and_know_doubled_codes():
    """Two codes for each of five factors, of ten codes: completeness 1 - ln 2 / ln 10; nothing at all is 0."""
    assert _factors.disentanglement(np.eye(5)) == _factors.completeness(np.eye(5)) == 1
    assert _factors.mig(np.eye(5), np.ones(5)) == 1
    doubled = np.repeat(np.eye(5), 2, axis=0)
    assert _factors.disentanglement(doubled) == 1
    assert _factors.completeness(doubled) == pytest.approx(1 - np.log(2) / np.log(10))
    assert _factors.mig(doubled, np.ones(5)) == 0
    assert _factors.disentanglement(np.zeros((5, 5))) == _factors.completeness(np.zeros((5, 5))) == 0


def test_information_is_the_factors_entropy_where_a_code_is_the_factor_and_0_where_it_is_noise():
    """Four equally frequent values: ln 4 nats, less what chance gives."""
    rng = np.random.default_rng(0)
    factors = np.stack([np.arange(800) % 4, rng.integers(0, 3, 800)], axis=1)
    codes = np.stack([-2.0 * factors[:, 0], rng.normal(size=800), np.zeros(800)], axis=1)
    shared, entropies = _factors.information(codes, factors)
    assert entropies[0] == pytest.approx(np.log(4))
    assert shared[0, 0] == pytest.approx(np.log(4), rel=0.02)
    assert shared[1].tolist() == shared[2].tolist() == [0, 0]


def test_what_a_low_pass_loses_is_in_the_high_bands():
    """Waves of 2 and of 12 cycles in 32 pixels; the second is missing: its band's error is 1, the first one's 0."""
    wave = np.sin(2 * np.pi * np.outer(np.arange(32) / 32, [2, 12])).T
    slow, fast = (np.broadcast_to(one[None, :, None, None], (3, 32, 32, 1)) for one in wave)
    errors = [error for error, _ in latent.bands(slow + fast, slow)]
    assert errors[0] == pytest.approx(0, abs=1e-12)
    assert errors[3] == pytest.approx(1)


def classifier(activation: str):
    """Convolution, global mean, dense."""
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(5, 3, padding="same", activation=activation, name="maps")(pixels)
    return keras.Model(pixels, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D(name="mean")(x)), name="net")


def test_integrated_gradients_add_up_to_the_change_of_the_answer():
    """Sixteen nodes on a smooth network; and each example by itself."""
    model, x = classifier("tanh"), pictures(3, 8) / 255
    attributed = attribution.integrated(
        lambda pixels: keras.ops.sum(model(pixels)[:, 1]), x, np.zeros_like(x), steps=16
    )
    change = keras.ops.convert_to_numpy(model(x) - model(np.zeros_like(x)))[:, 1]
    assert attributed.sum(axis=(1, 2, 3)) == pytest.approx(change, abs=1e-5)
    assert attribution.completeness_gap(attributed, change) < 1e-4
    assert attribution.completeness_gap(0 * attributed, change) == 1


def test_grad_cam_is_cam_where_the_head_is_a_mean_and_a_dense_layer():
    """Zhou et al., 2016: the maps weighted by the head's weights, over the number of positions."""
    model, x = classifier("relu"), pictures(3, 8) / 255
    outputs, slopes = at_layers(model, x, ["net/maps"], lambda output, _: keras.ops.sum(output[:, 2]))
    head = model.get_layer("head").get_weights()[0][:, 2]
    found = attribution.grad_cam(outputs["net/maps"], slopes["net/maps"])
    assert found == pytest.approx(outputs["net/maps"] @ head / 64, abs=1e-6)
    entry = attribution.look(opened(model, pictures(32, 8))).pictures[""][0]
    assert "integrated gradients of the output" in entry["caption"]


def test_erasing_a_level_costs_what_the_network_makes_of_it():
    """Two levels in two channels; the head reads the first only: without it, it guesses; the second costs nothing."""
    rng = np.random.default_rng(0)
    labels, other = np.arange(128) % 2, np.arange(128) // 2 % 2
    x = rng.normal(size=(128, 4, 4, 2)).astype("float32") * 0.1
    x[..., 0] += 2 * labels[:, None, None] - 1
    x[..., 1] += 2 * other[:, None, None] - 1
    pixels = keras.Input((4, 4, 2))
    maps = layers.Conv2D(2, 1, use_bias=False, name="maps")(pixels)
    model = keras.Model(pixels, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(maps)), name="net")
    model.set_weights([np.eye(2).reshape(1, 1, 2, 2), np.array([[-1.0, 1], [0, 0]]), np.zeros(2)])
    rows = np.concatenate([x.mean(axis=(1, 2)), x.std(axis=(1, 2))], axis=1)
    gains = [SimpleNamespace(name=name, gain=np.array([0.9, 0.0])) for name in ("used", "unused")]
    strip = SimpleNamespace(
        hierarchy=SimpleNamespace(levels=gains),
        levels=[SimpleNamespace(name="used", y=labels), SimpleNamespace(name="unused", y=other)],
        rows={"used": {"net/maps": rows}, "unused": {"net/maps": rows}},
    )
    view = opened(model, x, labels=labels, strip=strip)
    (mean, matrix), rank, _ = erasure.projections(view, "used", "net/maps", x)
    left = mean + (rows[:, :2] - mean) @ matrix.T
    assert rank == 1
    assert left[labels == 0].mean(axis=0) == pytest.approx(left[labels == 1].mean(axis=0), abs=1e-9)
    table = erasure.look(view).tables[0]
    drops = {row[0]: row[2] for row in table["rows"]}
    assert drops["used"] >= 30
    assert drops["unused"] == 0
    assert [row[4] for row in table["rows"]] == [1, 1]


def test_models_without_pictures_are_passed_over():
    """Rows of numbers: no lens has anything to draw, and none fails."""
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, name="a"), layers.Dense(6, name="b")])
    x = np.zeros((40, 6), "float32")
    assert [lens.look(opened(model, x)) for lens in (patches, effective_field, attribution, erasure)] == [None] * 4
    assert footprint.look(opened(model, x, family="gan")) is None
