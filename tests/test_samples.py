"""The procedural sets: any size from a seed, true factors, and no short cut to the class."""

import colorsys
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from dlcli import registry
from dlcli.errors import DlcliError
from dlcli.formats import builtin
from dlcli.samples import energy, linear, motions, parity, people, sentences, shapes, shuffled, tiny, waves
from dlcli.samples._draws import is_test

SETS = list(registry.entries("samples"))
ON_DISK = Path(__file__).parents[1] / "sample_data"
# One of each kind of data; the others are made when they are asked for.
SHIPPED = ["energy", "motions", "people", "sentences", "shapes"]


def files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def only_format(path: Path):
    """The one format that takes the path."""
    found = [entry for entry in registry.entries("formats").values() if entry.load().matches(path)]
    assert len(found) == 1, [entry.name for entry in found]
    return found[0]


@pytest.mark.parametrize("name", SETS)
def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(name, tmp_path):
    module = registry.find("samples", name).load()
    for folder, seed in (("first", 0), ("again", 0), ("other", 1)):
        module.write(tmp_path / folder, 60, seed=seed)
    first, again, other = (files(tmp_path / folder) for folder in ("first", "again", "other"))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", SETS)
def test_a_larger_set_begins_with_the_smaller_one(name):
    module = registry.find("samples", name).load()
    few, many = (_table(module, n) for n in (50, 120))
    for column in few:
        np.testing.assert_array_equal(np.array(many[column][:50], str), np.array(few[column], str))


def _table(module, n):
    if module is energy:
        return {"values": energy.draw(n)[1]}
    if module is people:
        return people.draw(n)
    table = module.factors(n)
    drawn = {"drawn": module.draw(table)} if hasattr(module, "draw") else {}
    return table | drawn


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_in_sample_data_are_what_the_set_makes(name, tmp_path):
    """Text files to the byte. Pictures may differ by a step of 8 where a machine rounds otherwise."""
    entry = registry.find("samples", name)
    size = 200 if name == "shapes" else entry.literal("SIZE")
    entry.load().write(tmp_path / name, size)
    made, there = files(tmp_path / name), files(ON_DISK / name)
    if name != "shapes":
        assert made == there
        return
    from PIL import Image

    for file in (file for file in made if file.endswith(".png")):
        a, b = (np.asarray(Image.open(folder / file), int) for folder in (tmp_path / name, ON_DISK / name))
        assert np.abs(a - b).max() <= 9
        assert np.mean(a != b) < 0.01
    assert there["factors.csv"].startswith(made["factors.csv"])


@pytest.mark.parametrize("name", SHIPPED)
def test_a_set_is_the_same_by_name_and_on_disk(name):
    found = only_format(ON_DISK / name)
    by_name = builtin.open(Path(name))
    options = {"target": people.TARGET} if name == "people" else {}
    on_disk = found.load().open(ON_DISK / name, **options)
    assert on_disk.kind == by_name.kind
    assert list(on_disk.splits) == list(by_name.splits)
    for split, part in on_disk.splits.items():
        assert len(part) == len(by_name.splits[split])
        if part.y is not None:
            assert sorted(part.y) == sorted(by_name.splits[split].y)


def test_sample_data_is_small():
    assert sum(len(content) for content in files(ON_DISK).values()) < 8_000_000


@pytest.mark.parametrize("module", [shapes, sentences, motions])
def test_every_class_comes_equally_often_in_both_splits(module):
    data = module.make(600)
    for part in data.splits.values():
        counts = np.unique(np.asarray(part.y), return_counts=True)[1]
        assert counts.min() == counts.max()


# ---- shapes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures():
    table = shapes.factors(600)
    return table, shapes.draw(table)


def test_colours_stand_where_the_factors_say(pictures):
    """The pixel at the centre of the loose shape and of the discs has the hue that factors.csv names."""
    table, drawn = pictures
    for name, colour in (("loose", "loose_colour"), ("disc1", "discs_colour"), ("disc2", "discs_colour")):
        right = [
            _hue(drawn[i], table[f"{name}_x"][i], table[f"{name}_y"][i]) == table[colour][i] for i in range(len(drawn))
        ]
        assert np.mean(right) > 0.97, name


def _hue(picture, x, y) -> str:
    turn, _, _ = colorsys.rgb_to_hsv(*(picture[int(y), int(x)] / 255))
    return shapes.HUES[round(turn * 6) % 6]


def test_the_grating_has_the_angle_that_the_factors_say():
    """Found anew in the pixels of the ground that nothing covers."""
    table = shapes.factors(300)
    clear = np.flatnonzero(table["grating_contrast"] > 0.1)
    drawn = shapes.draw(table)[clear].astype(float).mean(axis=-1)
    y, x = np.mgrid[0:32, 0:32] + 0.5
    right = 0
    for picture, i in zip(drawn, clear, strict=True):
        # where neither the object nor the mark nor the loose shape is, waves at 8 angles are fitted
        away = np.hypot(x - table["x"][i], y - table["y"][i]) > 11.5
        for name in ("mark", "loose"):
            away &= np.hypot(x - table[f"{name}_x"][i], y - table[f"{name}_y"][i]) > 5
        values = picture[away] - picture[away].mean()
        power = []
        for angle in np.radians(np.arange(8) * 22.5):
            u = (x[away] - 16) * np.cos(angle) + (y[away] - 16) * np.sin(angle)
            power.append(abs(np.sum(values * np.exp(2j * np.pi * u / table["grating_period"][i]))))
        right += np.argmax(power) * 22.5 == table["grating_angle"][i]
    assert right / len(clear) > 0.9


def test_every_object_is_made_of_the_same_parts(pictures):
    """No mean, spread or colour tells the class: a linear rule on them does little better than chance."""
    table, drawn = pictures
    cues = np.concatenate([drawn.mean(axis=(1, 2)), drawn.std(axis=(1, 2))], axis=1) / 255
    test = is_test(len(drawn), len(shapes.CLASSES))
    model = LogisticRegression(max_iter=500).fit(cues[~test], table["object"][~test])
    assert model.score(cues[test], table["object"][test]) < 0.25


def test_factors_of_different_levels_are_independent(pictures):
    table, _ = pictures
    columns = [column for names in shapes.LEVELS.values() for column in names]
    for column in columns[:-1]:
        values = np.unique(table[column])
        own = [table[column][table["object"] == name] for name in shapes.CLASSES]
        counts = np.array([[np.sum(cells == value) for value in values] for cells in own])
        expected = counts.sum(0) * counts.sum(1)[:, None] / counts.sum()
        freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
        assert ((counts - expected) ** 2 / expected).sum() < freedom + 4.5 * np.sqrt(2 * freedom), column


# ---- texts, sequences, tables, series --------------------------------------------------------


def test_a_bag_of_words_knows_nothing_of_the_sentences():
    """Single words: chance. Pairs of words: far from all."""
    table = sentences.factors(2000)
    test = is_test(2000, 4)
    for ngrams, limit in (((1, 1), 0.32), ((1, 2), 0.6)):
        vectors = TfidfVectorizer(ngram_range=ngrams, token_pattern=r"\S+").fit_transform(table["text"])
        model = LogisticRegression(max_iter=300).fit(vectors[~test], table["holder"][~test])
        assert model.score(vectors[test], table["holder"][test]) < limit


@pytest.mark.parametrize("kind", ["give", "take"])
def test_the_holder_follows_from_the_sentence(kind):
    """Sentences read anew, by the words alone: the animal after "to" or "from", and the negation."""
    table = sentences.factors(800)
    spelled = {form: name for name, plural in sentences.PLURALS.items() for form in (name, plural)}
    some = (table["verb_kind"] == kind) & np.isin(table["form"], ["active", "passive"])
    assert some.sum() > 150
    for text, holder in zip(table["text"][some], table["holder"][some], strict=True):
        after = text.split(f" {sentences.PREPOSITIONS[kind]} ", 1)[1]
        other = next(spelled[word] for word in after.split() if word in spelled)
        negated = bool(set(text.split()) & set(sentences.NEGATIONS))
        assert (holder == other) == ((kind == "give") != negated), text


def test_means_and_spectra_know_nothing_of_the_motions():
    table = motions.factors(900)
    series = motions.draw(table)
    test = is_test(900, 6)
    spectrum = np.abs(np.fft.rfft(series, axis=1))[:, :20].reshape(900, -1)
    cues = np.concatenate([series.mean(axis=1), series.std(axis=1), spectrum], axis=1)
    model = LogisticRegression(max_iter=2000, C=0.1).fit(cues[~test], table["order"][~test])
    assert model.score(cues[test], table["order"][test]) < 0.27


def test_energy_has_days_weeks_and_gaps():
    times, values = energy.draw(24 * 7 * 8)
    assert (np.diff(times) == np.timedelta64(60, "m")).all()
    assert 0 < np.isnan(values).mean() < 0.05
    assert np.isnan(values).all(axis=1).any()
    offices = values[:, energy.COLUMNS.index("offices")].reshape(-1, 7, 24)
    by_hour = np.nanmean(offices, axis=0)
    assert by_hour[:5, 12].mean() > 1.8 * by_hour[5:, 12].mean()
    assert by_hour[:5, 12].mean() > 2 * by_hour[:5, 3].mean()


def test_people_hold_every_kind_of_column_and_gaps():
    data = builtin.open(Path("people"))
    assert set(data.about["columns"].values()) == {"time", "numeric", "category", "text"}
    numbers = builtin.open(Path("people"), target="spend")
    assert numbers.about["target_kind"] == "numbers"
    share = np.mean(np.asarray(data.splits["all"].y) == "yes")
    assert 0.4 < share < 0.7


# ---- names and the command -------------------------------------------------------------------


def test_names_are_taken_only_where_no_file_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert all(builtin.matches(Path(name)) for name in ("shapes", "shapes:70", "digits"))
    assert not any(builtin.matches(Path(name)) for name in ("shapez", "shapes:many", "a/shapes"))
    (tmp_path / "shapes").mkdir()
    assert not builtin.matches(Path("shapes"))


def test_a_number_after_the_name_is_the_size():
    assert sum(len(part) for part in builtin.open(Path("shapes:70")).splits.values()) == 70
    assert len(builtin.open(Path("digits")).splits["all"]) == 1797
    assert len(builtin.open(Path("digits:100")).splits["all"]) == 100


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("shapes:0", {}, "0 examples"),
        ("digits:5000", {}, "1797"),
        ("shapez", {}, "shapez"),
        ("shapes", {"target": "object"}, "object"),
    ],
)
def test_what_cannot_be_made_is_said_with_the_value(name, options, words):
    with pytest.raises(DlcliError, match=words):
        builtin.open(Path(name), **options)


def test_digits_use_the_whole_range_of_grey():
    images = builtin.open(Path("digits")).splits["all"].x.prepare(8, 8, 1)
    pixels = images.read(np.arange(200))
    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_the_command_writes_a_folder_and_overwrites_none(tmp_path):
    from typer.testing import CliRunner

    from dlcli.cli import app

    folder = tmp_path / "new"
    result = CliRunner().invoke(app, ["sample", "shapes", str(folder), "--n", "60"])
    assert result.exit_code == 0
    assert len(list(folder.rglob("*.png"))) == 60
    result = CliRunner().invoke(app, ["sample", "shapes", str(folder)])
    assert isinstance(result.exception, DlcliError)


# ---- sets on which deep learning is the wrong tool -------------------------------------------


def test_no_bit_of_parity_tells_anything():
    """Every bit, and every pair of bits, is independent of the class."""
    table = parity.factors(4000)
    odd = table["parity"] == "odd"
    bits = np.stack([table[f"b{i + 1}"] for i in range(parity.BITS)], axis=1)
    assert abs(odd.mean() - 0.5) < 0.03
    for i in range(parity.BITS):
        for j in range(i):
            assert abs((bits[:, i] ^ bits[:, j])[odd].mean() - (bits[:, i] ^ bits[:, j])[~odd].mean()) < 0.08


def test_the_waves_go_on_beyond_training():
    data = waves.make(500)
    train, test = (data.splits[part].x["position"].cast(float).to_numpy() for part in ("train", "test"))
    assert train.max() <= waves.SEEN <= test.min()
    height = np.asarray(data.splits["test"].y, float)
    assert np.abs(height - np.sin(2 * np.pi * test)).std() < 2 * waves.NOISE


def test_a_linear_model_tells_the_linear_set_as_well_as_its_own_weights():
    """What a logistic regression reaches is what the true weights reach: nothing is left to find."""
    n = 6000
    table = linear.factors(n)
    x = np.stack([table[f"x{i + 1}"] for i in range(linear.NUMBERS)], axis=1)
    weights = np.random.default_rng([0, 1 << 40]).standard_normal((linear.NUMBERS, 3)) / linear.NUMBERS**0.5
    best = np.mean(np.asarray(linear.CLASSES)[(x @ weights).argmax(axis=1)] == table["class"])
    found = LogisticRegression(max_iter=500).fit(x[:4000], table["class"][:4000]).score(x[4000:], table["class"][4000:])
    assert best > 0.5
    assert abs(found - best) < 0.03


def test_shuffled_classes_do_not_depend_on_the_measurements():
    from sklearn.ensemble import RandomForestClassifier

    table = shuffled.factors(2000)
    x = np.stack([table[name] for name in ("length", "width", "weight")], axis=1)
    model = RandomForestClassifier(50, random_state=0).fit(x[:1000], table["class"][:1000])
    assert model.score(x[1000:], table["class"][1000:]) < 0.38


def test_tiny_has_four_pictures_of_each_object():
    data = tiny.make(140)
    assert np.unique(data.splits["train"].y, return_counts=True)[1].tolist() == [4] * 10
    assert np.unique(data.splits["test"].y, return_counts=True)[1].tolist() == [10] * 10
