"""Stimuli: the label is there for whoever looks at the right thing, and nowhere else."""

import re
import textwrap

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold

from dlcli.stimuli import _corpus, pictures, series, text
from tests.conftest import shared

SIZES = [(28, 28, 1), (32, 32, 3), (96, 96, 3)]
LEAK = 0.10  # chance-normalised accuracy from which the input itself would tell the label
VOCABULARY = ["the", "cat", "saw", "dog", "and", "ran", "red", "house", "man", "there", "now", "fish"]
TALE = "the cat saw a dog. a dog and the cat ran to the red house, and the man saw the dog there! "


def decoded(features, level, *, model=None) -> float:
    """Accuracy in 5-fold cross-validation, 0 at chance and 1 when always right; groups stay together."""
    group = np.arange(len(level.y)) if level.group is None else level.group
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(features, level.y, group)
    guess = np.empty(len(level.y), dtype=int)
    for known, asked in folds:
        if model is None:
            guess[asked] = ridge(features[known], level.y[known], features[asked])
        else:
            guess[asked] = model.fit(features[known], level.y[known]).predict(features[asked])
    chance = np.bincount(level.y).max() / len(level.y)
    return ((guess == level.y).mean() - chance) / (1 - chance)


def ridge(known, labels, asked):
    """Ridge regression on one-hot labels in its dual form, whose cost does not grow with the features."""
    mean, deviation = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-9)
    known, asked = (known - mean) / deviation, (asked - mean) / deviation
    kernel = known @ known.T
    targets = np.equal.outer(labels, np.unique(labels)).astype(float)
    weight = 0.01 * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
    return (asked @ known.T @ np.linalg.solve(kernel + weight, targets - targets.mean(axis=0))).argmax(axis=1)


def forest():
    return RandomForestClassifier(60, random_state=0)


def by_name(found):
    return {level.name: level for level in found}


def one_hot(values):
    return np.equal.outer(np.asarray(values), np.unique(values)).astype(float)


def pooled(x):
    """Mean and deviation per channel of pictures."""
    flat = x.reshape(len(x), -1, x.shape[-1]).astype("float32")
    return np.concatenate([flat.mean(axis=1), flat.std(axis=1)], axis=1)


def shrunk(x, side):
    """Pictures as means of side x side equal squares."""
    step = x.shape[1] // side
    x = x[:, : step * side, : step * side].astype("float32")
    return x.reshape(len(x), side, step, side, step, -1).mean(axis=(2, 4))


@pytest.fixture(scope="module")
def shown():
    return {size: by_name(pictures.levels(*size, n=400)) for size in SIZES}


@pytest.mark.parametrize("size", SIZES)
def test_pictures_do_not_tell_their_label_to_a_linear_probe_on_pixels(shown, size):
    """Not by mean and spread, nor in a small grey picture; colour alone is meant to be read."""
    for name, level in shown[size].items():
        if name == "colour":
            assert decoded(pooled(level.x), level) > 0.6
            continue
        assert decoded(pooled(level.x), level) <= LEAK, name
        assert decoded(shrunk(level.x, 8).mean(axis=-1).reshape(400, -1), level) <= LEAK, name
        assert decoded(shrunk(level.x, 28 if size[0] == 28 else 32).reshape(400, -1), level) <= LEAK, name


@pytest.mark.parametrize("size", SIZES)
def test_pictures_have_the_shape_asked_for_and_balanced_labels(shown, size):
    height, width, channels = size
    names = ["colour", "edge", "texture", "junction", "shape", "relation", "object"]
    assert list(shown[size]) == names[channels < 3 :]
    for level in shown[size].values():
        assert level.x.shape == (400, height, width, channels)
        assert level.x.dtype == np.uint8
        counts = np.bincount(level.y, minlength=len(level.names))
        assert np.ptp(counts) <= 1
        assert len(np.unique(level.control)) > 1
        assert decoded(one_hot(level.control), level) <= LEAK, level.name


def test_an_odd_size_and_a_single_picture_can_be_asked_for():
    for size in ((17, 40, 3), (16, 16, 1), (64, 20, 5), (299, 299, 2)):
        for level in pictures.levels(*size, n=9):
            assert level.x.shape == (9, *size)
            assert level.x.reshape(9, -1).std(axis=1).min() > 1, level.name
    assert all(len(level.y) == 1 for level in pictures.levels(16, 16, 3, n=1))


def test_the_orientation_of_gratings_is_where_their_spectrum_says(shown):
    """The strongest frequency of the 2-D Fourier transform points across the stripes."""
    level = shown[96, 96, 3]["edge"]
    x = level.x.astype(float).sum(axis=-1)
    spectrum = np.abs(np.fft.fft2(x - x.mean(axis=(1, 2), keepdims=True)))
    down, across = np.unravel_index(spectrum.reshape(400, -1).argmax(axis=1), (96, 96))
    angle = np.degrees(np.arctan2((down + 48) % 96 - 48, (across + 48) % 96 - 48)) % 180
    off = (angle - 22.5 * level.y + 90) % 180 - 90
    assert (np.abs(off) < 11.25).mean() > 0.9


def test_textures_share_their_histogram(shown):
    """Skewness and kurtosis of the pixels are the same in every class."""
    level = shown[28, 28, 1]["texture"]
    x = level.x.reshape(400, -1).astype(float)
    z = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    shape = np.stack([np.abs((z**3).mean(axis=1)), (z**4).mean(axis=1)], axis=1)
    assert decoded(shape, level, model=forest()) < LEAK


def test_the_circle_lies_where_the_relation_says(shown):
    """Square and disc are told apart by how much of their bounding box they fill; then places compared."""
    from scipy.ndimage import find_objects, label

    level, right, seen = shown[96, 96, 3]["relation"], 0, 0
    for picture, answer in zip(level.x.astype(int), level.y, strict=True):
        parts, count = label(np.abs(picture - picture[0, 0]).max(axis=-1) > 20)
        if count != 2:
            continue  # one part touches the corner that was taken for the ground, or is too faint
        boxes = find_objects(parts)
        fill = [(parts[box] == i + 1).mean() for i, box in enumerate(boxes)]
        centre = [[(s.start + s.stop) / 2 for s in box] for box in boxes]
        # a disc fills pi / 4 of its box
        disc = int(np.argmin([abs(share - np.pi / 4) for share in fill]))
        down, across = np.subtract(centre[disc], centre[1 - disc])
        found = (0 if down < 0 else 1) if abs(down) > abs(across) else (2 if across < 0 else 3)
        right, seen = right + (found == answer), seen + 1
    assert seen > 300
    assert right / seen > 0.8


def test_the_same_seed_gives_the_same_stimuli_and_another_seed_others():
    makers = (
        lambda seed: pictures.levels(16, 16, 3, n=20, seed=seed),
        lambda seed: series.levels(32, 2, n=20, seed=seed),
        lambda seed: text.levels([TALE * 200], length=48, n=80, seed=seed),
    )
    for make in makers:
        for first, again, other in zip(make(0), make(0), make(1), strict=True):
            np.testing.assert_array_equal(first.x, again.x)
            np.testing.assert_array_equal(first.y, again.y)
            assert not np.array_equal(first.x, other.x), first.name


@pytest.mark.parametrize(("length", "channels"), [(8, 1), (24, 20), (96, 7), (300, 1)])
def test_series_do_not_tell_their_label_by_mean_spread_and_last_step(length, channels):
    found = by_name(series.levels(length, channels, n=400))
    assert ("season" in found) == (length >= 16)
    for name, level in found.items():
        assert level.x.shape == (400, length, channels)
        assert level.x.dtype == np.float32
        assert abs(level.x.mean()) < 1e-3
        assert abs(level.x.std() - 1) < 1e-3
        assert np.ptp(np.bincount(level.y)) <= 1
        seen = np.concatenate([level.x.mean(axis=1), level.x.std(axis=1), level.x[:, -1]], axis=1)
        assert (decoded(seen, level) <= LEAK) == (name != "step"), name


def test_what_a_series_asks_for_can_be_found_in_it():
    """Each label is read by the statistic that defines it: value, difference, line, match, spectrum."""
    found = by_name(series.levels(96, 1, n=400))
    x = {name: level.x[..., 0] for name, level in found.items()}
    at = found["step"].position
    value = x["step"][np.arange(400), at]
    assert [value[found["step"].y == k].max() < value[found["step"].y == k + 1].min() for k in range(3)] == [True] * 3
    change = x["change"][:, -1] - x["change"][:, -2]
    assert ((change > 0) == (found["change"].y >= 2)).all()
    assert abs(np.corrcoef(x["change"][:, -1], found["change"].y)[0, 1]) < 0.1
    season = np.abs(np.fft.rfft(x["season"], axis=1))
    assert decoded(season, found["season"], model=forest()) > 0.9
    assert decoded(x["trend"].reshape(400, 8, 12).mean(axis=2), found["trend"], model=forest()) > 0.9
    kernels = [np.repeat(shape, 6) for shape in series.MOTIFS.values()]
    centred = x["motif"] - x["motif"].mean(axis=1, keepdims=True)
    match = np.array([[np.correlate(row, kernel, "valid").max() for kernel in kernels] for row in centred])
    assert decoded(match, found["motif"], model=forest()) > 0.7


def test_seasons_do_not_differ_in_their_correlation_from_step_to_step():
    level = by_name(series.levels(96, 1, n=400))["season"]
    x = level.x[..., 0] - level.x[..., 0].mean(axis=1, keepdims=True)
    correlation = (x[:, 1:] * x[:, :-1]).sum(axis=1) / (x**2).sum(axis=1)
    assert decoded(correlation[:, None], level) <= LEAK


def words_at(level):
    return [_corpus.WORD.findall(x[: p + 1])[-1].casefold() for x, p in zip(level.x, level.position, strict=True)]


@pytest.mark.parametrize("length", [64])
def test_text_does_not_tell_its_label_by_the_character_or_word_that_is_read(length):
    found = by_name(text.levels([shared("tinyshakespeare/input.txt").read_text()], length=length, letters=True))
    assert list(found) == ["character", "word", "place", "ending", "class", "previous", "line", "sentence", "topic"]
    for name, level in found.items():
        assert max(map(len, level.x)) <= length
        assert np.ptp(np.bincount(level.y, minlength=len(level.names))) <= 1
        characters = [x[p] for x, p in zip(level.x, level.position, strict=True)]
        if name in ("character", "word"):
            assert decoded(one_hot(characters), level) > 0.4
            continue
        assert decoded(one_hot(characters), level) <= LEAK, name
        # in the middle of a word what was read of it is a part of the answer
        assert name in ("place", "ending") or decoded(one_hot(words_at(level)), level) <= LEAK, name
        assert decoded(one_hot(level.position), level) <= LEAK, name


def between(name: str) -> tuple[int, int]:
    """ "4–7" -> (4, 7)"""
    low, _, high = name.replace(" and more", "–999").partition("–")
    return int(low), int(high)


def test_labels_of_text_are_what_stands_there():
    """Character, word, places in word, line and sentence, its ending and the previous word, counted again by hand."""
    rng = np.random.default_rng(0)
    words = rng.choice([*VOCABULARY, "banana", "ananas", "panama", "natant", "manna"], size=6000)
    told = " ".join(word + "." * (rng.random() < 0.1) for word in words)
    told = "\n".join(textwrap.wrap(told, 40))
    found = by_name(text.levels([told], length=80, n=80, letters=True))
    assert {"character", "word", "place", "ending", "previous", "line", "sentence"} <= set(found)
    for x, p, y in zip(found["place"].x, found["place"].position, found["place"].y, strict=True):
        assert len(re.search(r"[a-z]*$", x[: p + 1])[0]) == y + 1
        assert x[p + 1].isalpha()
    ending = found["ending"]
    for x, p, y in zip(ending.x, ending.position, ending.y, strict=True):
        assert x[p + 1 : p + 2].isalpha() == (y == 0)
    line = found["line"]
    for x, p, y in zip(line.x, line.position, line.y, strict=True):
        low, high = between(line.names[y])
        assert low <= len(x[: p + 1].rpartition("\n")[2]) <= high
    for x, p, y in zip(found["character"].x, found["character"].position, found["character"].y, strict=True):
        assert x[p] == found["character"].names[y]
    assert words_at(found["word"]) == [found["word"].names[y] for y in found["word"].y]
    previous = found["previous"]
    for x, p, y in zip(previous.x, previous.position, previous.y, strict=True):
        assert x[: p + 1].split()[-2] == previous.names[y]
    sentence = found["sentence"]
    for x, p, y in zip(sentence.x, sentence.position, sentence.y, strict=True):
        since = len(x[: p + 1].replace("!", ".").rpartition(".")[2].split())
        low, high = between(sentence.names[y])
        assert low <= since <= high


def test_the_topic_is_the_class_of_the_document_where_there_are_classes():
    texts = [f"the sea and the {fish} in the water of the bay " * 4 for fish in ("cod", "eel") for _ in range(40)]
    level = by_name(text.levels(texts, length=60, n=80, labels=["cod"] * 40 + ["eel"] * 40))["topic"]
    for x, y in zip(level.x, level.y, strict=True):
        assert level.names[y] in x or len(x) < 20
    assert set(words_at(level)) <= {"the", "sea", "and", "in", "water", "of", "bay", "cod", "eel"}
    assert len(set(level.group)) > 10


def test_text_too_small_or_without_words_leaves_levels_out():
    assert text.levels([], length=64) == []
    assert text.levels(["", "one word"], length=64) == []
    chinese = by_name(text.levels(["天地玄黄宇宙洪荒日月盈昃辰宿列张" * 100], length=64, n=80))
    assert "class" not in chinese
    shuffled = np.random.default_rng(0).permutation((TALE * 400).split())
    assert "topic" not in by_name(text.levels([" ".join(shuffled)], length=64, n=80))
