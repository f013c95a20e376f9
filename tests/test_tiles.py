"""Pictures of any size as tiles: nothing is lost, nothing counts twice, and no border shows inside."""

import keras
import numpy as np
import pytest
from PIL import Image

from dlcli import fit, metrics
from dlcli.architectures.autoencoder import dncnn
from dlcli.baselines import non_local_means
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.images import ArrayImages, FileImages
from dlcli.outputs import outputs
from dlcli.tasks import denoising
from dlcli.tiles import Crops, Tiles, Whole, longest_side

SHAPES = [(50, 37), (16, 90), (9, 11)]


@pytest.fixture
def files(rng, tmp_path):
    """Smooth grey pictures of three sizes."""
    paths = []
    for number, (height, width) in enumerate(SHAPES):
        waves = np.sin(np.arange(height)[:, None] / 5) + np.cos(np.arange(width) / 7)
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(np.uint8(127 + 60 * waves)).save(paths[-1])
    return Examples(x=FileImages(paths), names=[path.name for path in paths])


class _Held(list):
    """Pictures as `Whole` gives them."""

    __call__ = list.__getitem__

    @property
    def shapes(self):
        return [picture.shape for picture in self]


def learned(examples, **options):
    return denoising.Task.learn(examples, Data(kind="images", splits={"train": examples}), **options)


@pytest.mark.parametrize("side", [16, 20, 33])
def test_what_is_cut_and_joined_is_the_picture(rng, side):
    pictures = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in SHAPES]
    tiles = Tiles([picture.shape for picture in pictures], side)
    padded = [tiles.padded(picture) for picture in pictures]
    cut = tiles.cut(padded.__getitem__, np.arange(len(tiles)))
    assert cut.shape[1:] == (side, side, 3)
    for found, picture in zip(tiles.joined(tiles.inside(cut)), pictures, strict=True):
        np.testing.assert_array_equal(found, picture)


def test_a_filter_gives_the_same_on_tiles_as_on_the_whole_picture(rng):
    """Its reach is no longer than the margin of 20 // 5 pixels; beyond the picture it sees a mirror."""
    picture = rng.normal(size=(50, 37, 1)).astype("float32")
    kernel = rng.normal(size=(9, 9, 1, 1)).astype("float32")

    def filtered(x, padding):
        return np.asarray(keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, padding=padding)))

    whole = filtered(np.pad(picture, [(4, 4), (4, 4), (0, 0)], mode="symmetric")[None], "valid")[0]
    tiles = Tiles([picture.shape], 20)
    padded = tiles.padded(picture)
    cut = tiles.cut(lambda number: padded, np.arange(len(tiles)))
    np.testing.assert_allclose(tiles.joined(tiles.inside(filtered(cut, "same")))[0], whole, atol=1e-4)


def test_crops_lie_inside_their_picture_and_take_turns_of_it(rng):
    picture = np.arange(40 * 30, dtype=np.int64).reshape(40, 30, 1)
    crops = Crops(_Held([picture]), 16, 1_000)
    assert len(crops) == 5  # 1 200 pixels in tiles of 256
    seen = crops.read(np.zeros(200, int), rng)
    steps = set()
    for cut in seen[..., 0]:
        across, down = int(cut[0, 1] - cut[0, 0]), int(cut[1, 0] - cut[0, 0])
        assert (np.diff(cut, axis=1) == across).all()
        assert (np.diff(cut, axis=0) == down).all()
        steps.add((across, down))
    assert steps == {(a * x, b * y) for a in (1, -1) for b in (1, -1) for x, y in ((1, 30), (30, 1))}


def test_the_score_of_noise_left_alone_is_that_of_whole_pictures(files, rng):
    task = learned(files, noise=0.1, tile=20)
    source = task.source(files, training=False)
    x, y = source.batch(np.arange(len(source)), rng)
    report = task.report(task.measure(x, y, x / 255))
    by_hand = []
    for i, (height, width) in enumerate(SHAPES):
        clean = np.asarray(Image.open(files.x.source.paths[i]), np.float32) / 255
        noise = 0.1 * np.random.default_rng([20_260, i]).standard_normal((height, width, 1), dtype=np.float32)[..., 0]
        by_hand.append(-10 * np.log10(np.mean(np.square(np.clip(clean + noise, 0, 1) - clean))))
    assert report.scores["psnr"].value == pytest.approx(np.mean(by_hand), abs=1e-3)
    assert report.scores["psnr"].n == 3
    assert "middle" not in report.formulas["psnr"]
    name, values = task.per_example(task.measure(x, y, x / 255))
    assert (name, values) == ("psnr", pytest.approx(by_hand, abs=1e-3))


def test_a_denoiser_learns_from_tiles_and_gives_back_whole_pictures(files):
    task = learned(files, noise=0.1, tile=16)
    keras.utils.set_random_seed(0)
    model = dncnn.build(task, width=8, depth=3)
    rng = np.random.default_rng(0)
    fit.compiled(model, task, fit.FitConfig(learning_rate=1e-2, jit=False), steps=60)
    source = task.source(files, training=True)
    for _ in range(60):
        model.train_on_batch(*source.batch(np.arange(8) % len(source), rng))
    report = task.report(outputs(model, task, task.source(files, training=False)))
    assert report.scores["psnr_gain"].value > 2
    answers = outputs(model, task, task.asked(files))
    assert [row["name"] for row in task.rows(files, answers)] == ["0.png", "1.png", "2.png"]
    assert [picture.shape for picture in answers["picture"]] == [(*shape, 1) for shape in SHAPES]


def test_larger_pictures_keep_their_pixels_and_small_ones_need_no_tiles(rng):
    def pictures(side):
        return Examples(x=ArrayImages(rng.integers(0, 256, (2, side, side - 8), np.uint8)))

    assert (learned(pictures(129)).tile, learned(pictures(129)).shape) == (40, [40, 40, 1])
    assert "2 images in tiles of 40x40x1, noise 0.3" in learned(pictures(129)).describe()
    assert learned(pictures(128)).tile == 0
    assert "2 images of 128x120x1, noise 0.3" in learned(pictures(128)).describe()
    for options in ({"tile": 0}, {"size": 64}):
        task = learned(pictures(256), **options)
        assert (task.tile, max(task.shape)) == (0, options.get("size", 128))


def test_a_pass_takes_so_many_tiles_and_something_of_every_picture(files):
    fitting = [max(1, round(height * width / 256)) for height, width in SHAPES]
    assert len(Crops(Whole(files.x, 1), 16, 1_000)) == sum(fitting)
    few = Crops(Whole(files.x, 1), 16, 6)
    assert np.bincount(few._of).tolist() == [3, 3, 1]  # of 7.2, 5.6 and 0.4 that fit
    task = learned(files, noise=0.1, tile=16, per_pass=8)
    assert len(task.watched(files)) == 2


def test_pictures_that_do_not_fit_into_memory_are_read_again(files, monkeypatch):
    monkeypatch.setenv("DLCLI_IMAGE_MEMORY", str(50 * 37))
    pictures = Whole(files.x, 1)
    for number, (height, width) in enumerate(SHAPES):
        for _ in range(2):
            assert pictures(number).shape == (height, width, 1)
            np.testing.assert_array_equal(
                pictures(number)[..., 0], np.asarray(Image.open(files.x.source.paths[number]))
            )
    assert list(pictures._kept) == [0]


def test_of_many_large_pictures_the_middle_is_scored_and_all_is_denoised(files, rng, monkeypatch):
    monkeypatch.setattr(denoising, "_SCORED", 17)
    monkeypatch.setattr(denoising.pixels, "LONGEST", 16)
    task = learned(files, noise=0.1, tile=16)  # of which 10 x 10 are a tile's own
    source = task.source(files, training=False)
    assert source.tiles.shapes == [(30, 30), (16, 30), (9, 11)]
    assert len(source) == 9 + 6 + 2
    picture = np.asarray(Image.open(files.x.source.paths[0]))
    np.testing.assert_array_equal(source.pictures(0)[..., 0], picture[10:40, 3:33])
    x, y = source.batch(np.arange(len(source)), rng)
    assert np.isfinite(y).sum() == 30 * 30 + 16 * 30 + 9 * 11
    assert "30 x 30 the middle" in task.report(task.measure(x, y, x / 255)).formulas["psnr"]
    assert task.asked(files).tiles.shapes == SHAPES


def test_published_pictures_are_scored_whole():
    """Set12 and BSD68, of tiles of 40 with 24 x 24 of their own."""
    set12 = [(256, 256)] * 7 + [(512, 512)] * 5
    assert longest_side(set12, 40, denoising._SCORED) >= 512
    assert longest_side([(321, 481), (481, 321)] * 34, 40, denoising._SCORED) >= 481
    assert longest_side([(48, 480)], 40, 9) == 96  # two rows of four; of 120 pixels there would be ten
    assert longest_side([(48, 480)], 40, 1) == 24


def test_what_is_watched_has_a_loss(files, rng):
    task = learned(files, noise=0.1, tile=16)
    _, y = task.watched(files).batch(np.arange(3), rng)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("options", [{"tile": 8}, {"tile": 32, "size": 64}])
def test_tiles_that_cannot_be_are_refused(files, options):
    with pytest.raises(DataError, match="tile"):
        learned(files, **options)


def test_non_local_means_by_hand(rng):
    """Every weight from its definition, pixel by pixel."""
    x, noise, patch, reach = rng.random((1, 9, 8, 1)).astype("float32"), 0.2, 3, 2
    found = non_local_means.means(x, noise, patch=patch, reach=reach, strength=0.6)
    picture = x[0, ..., 0].astype("float64")
    mirrored = np.pad(picture, reach, mode="symmetric")
    expected = np.empty_like(picture)
    h, w = picture.shape
    around = {}
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            square = (picture - mirrored[down : down + h, right : right + w]) ** 2
            square = np.pad(square, patch // 2, mode="symmetric")
            around[down, right] = np.lib.stride_tricks.sliding_window_view(square, (patch, patch)).mean(axis=(2, 3))
    for i in range(h):
        for j in range(w):
            weights = {at: np.exp(-max(d[i, j] - 2 * noise**2, 0) / (0.6 * noise) ** 2) for at, d in around.items()}
            values = {at: mirrored[i + at[0], j + at[1]] for at in around}
            expected[i, j] = sum(weights[at] * values[at] for at in around) / sum(weights.values())
    np.testing.assert_allclose(found[0, ..., 0], expected, atol=1e-4)


def test_non_local_means_takes_noise_out_of_what_repeats(rng):
    clean = np.tile(np.array([[60, 180], [180, 60]], np.uint8).repeat(4, 0).repeat(4, 1), (1, 4, 4))[..., None]
    examples = Examples(x=ArrayImages(clean))
    task = learned(examples, noise=0.1)
    report = task.report(non_local_means.fit(task, examples)(examples))
    assert report.scores["psnr_gain"].value > 10 * np.log10(2)  # more than half of the noise's power
    with pytest.raises(ValueError, match="minutes"):
        non_local_means.fit(task, examples, most=100)(examples)
    assert metrics.reconstruction(np.array([0.01])).scores["psnr"].value == pytest.approx(20)
