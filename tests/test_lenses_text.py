"""Cells and the logit lens, against nets built by hand and scikit-learn."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import roc_auc_score

from dlcli.inspection import measuring, tap
from dlcli.inspection.subject import Stimuli, Subject
from dlcli.lenses import _concepts, cells, logit_lens

ALPHABET = "abcdefgh .\n()\"'"
LENGTH = 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def latch(units: int = 3):
    """Characters (B, T) -> an LSTM whose unit 1 (0 of one) is set by "(", cleared by ")", and kept by all others."""
    ids = keras.Input((LENGTH,), dtype="int32")
    size = len(ALPHABET) + 1
    one_hot = layers.Embedding(size, size, embeddings_initializer="identity", name="embedding")(ids)
    lstm = layers.LSTM(units, return_sequences=True, name="lstm")
    model = keras.Model(ids, layers.Dense(size, name="head")(lstm(one_hot)), name="model")
    kernel, recurrent, bias = (np.zeros_like(weight) for weight in lstm.get_weights())
    opened, closed = (1 + ALPHABET.index(sign) for sign in "()")
    i, f, c, o = (gate * units + min(1, units - 1) for gate in range(4))
    bias[[i, f, o]] = -10, 10, 10  # nothing comes in, all is kept and shown
    kernel[opened, [i, c]] = 20, 10
    kernel[closed, f] = -20
    lstm.set_weights([kernel, recurrent, bias])
    return model


def prose(rng, n=30):
    """Sentences with brackets, half of the words inside of them."""
    words = ["abc", "dad", "egg", "fed", "bag", "head"]
    lines = []
    for _ in range(n):
        some = rng.choice(words, 8)
        lines.append(f"{some[0]} {some[1]} ({some[2]} {some[3]}) {some[4]} {some[5]}.\n")
    return ["".join(lines)]


def fed(level):
    rows = [[1 + ALPHABET.index(character) for character in text] for text in level.x]
    x = np.array([row + [0] * (LENGTH - len(row)) for row in rows], np.int32)
    return lambda chosen: x[chosen], level.position


def subject(model, texts, family="rnn"):
    codes = np.array([1 + ALPHABET.index(character) for character in texts[0]], np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(codes, LENGTH)[:64]
    made = Subject(
        model=model, title="t", source="t", family=family, read=lambda rows: windows[rows], count=len(windows)
    )
    made.stimuli = Stimuli(entry="text", make={"texts": texts, "length": LENGTH}, feed=fed)
    return made


def test_areas_are_those_of_scikit_learn(rng):
    """Ties included: rounded values have many."""
    rows, y = np.round(rng.normal(size=(60, 5)), 1), rng.integers(0, 2, 60)
    known = [roc_auc_score(y, column) for column in rows.T]
    np.testing.assert_allclose(cells.areas(rows, y), known, atol=1e-12)


def test_the_best_of_many_units_of_noise_says_nothing(rng):
    """The unit is measured where it was not chosen, so that 500 units of noise do not look like a find."""
    y = np.tile([0, 1], 100)
    found = [cells.best_unit(rng.normal(size=(200, 500)), y)[1] for _ in range(10)]
    assert abs(np.mean(found) - 0.5) < 0.06
    assert np.max(cells.areas(rng.normal(size=(100, 500)), y[:100])) > 0.65


def test_positions_inside_and_outside_hold_the_same_characters(rng):
    """What stands at a position cannot tell whether it is inside; brackets themselves are not asked about."""
    found = _concepts.positions(prose(rng), LENGTH, "inside brackets", rng)
    at = [text[i] for text, i in zip(found.texts, found.at, strict=True)]
    inside, outside = (sorted(c for c, y in zip(at, found.y, strict=True) if y == label) for label in (1, 0))
    assert inside == outside
    assert not set("()") & set(at)
    assert max(len(text) for text in found.texts) <= LENGTH
    for text, i, y in zip(found.texts, found.at, found.y, strict=True):
        assert i == len(text) - 1
        assert (text.rfind("(") > text.rfind(")")) == bool(y)


@pytest.mark.parametrize(
    ("text", "concept", "known"),
    [
        ("a(b[c]d)e", "inside brackets", "0.1.1.1.0"),
        ("a)b(c", "inside brackets", "0.0.0"),
        ("a[b)c]d", "inside brackets", "0.0.0.0"),
        ('a"b"c"d', "inside quotes", "0.1.0.0"),
        ("“a”b", "inside quotes", ".1.0"),
        ('a"b\n\nc"d', "inside quotes", "0.0000.0"),
    ],
)
def test_brackets_and_quotes_are_read_as_people_do(text, concept, known):
    """Signs that are never closed open nothing, and a paragraph's straight quotes are counted anew."""
    value, _ = _concepts._scanned(text, concept)
    assert "".join("." if v < 0 else str(v) for v in value) == known


def test_a_latch_on_brackets_is_found_with_an_area_of_one(rng):
    """The unit that "(" sets and ")" clears tells inside from outside without error, and the document says so."""
    document, _ = measuring.inspect(subject(latch(), prose(rng)), budget="standard", only=[], seed=0)
    (table,) = (table for table in document["tables"] if table["title"] == "Interpretable cells")
    row = next(row for row in table["rows"] if row[1] == "inside brackets")
    assert row[:4] == ["lstm", "inside brackets", 1, "1.00"]
    assert row[4] >= _concepts.FEWEST
    own = next(row for row in document["layers"] if row["name"] == "lstm")["own"]
    assert own["best cell"] == "inside brackets 1.00"


def test_the_forget_gate_of_a_latch_is_open_but_where_it_is_cleared(rng):
    """One unit that keeps: open at every step but at ")", and shut there; the document says so of the layer."""
    made = subject(latch(units=1), prose(rng))
    opened, closed = (1 + ALPHABET.index(sign) for sign in "()")
    document, _ = measuring.inspect(made, budget="standard", only=[], seed=0)
    (table,) = (table for table in document["tables"] if table["title"] == "Gates")
    rows = {row[2]: row for row in table["rows"]}
    x = made.read(np.arange(made.count))
    closing = 100 * (x == closed).mean()
    opening = 100 * (x == opened).mean()
    assert float(rows["forget"][3].rstrip(" %")) == pytest.approx(closing, abs=0.06)
    assert float(rows["forget"][4].rstrip(" %")) == pytest.approx(100 - closing, abs=0.06)
    assert float(rows["input"][4].rstrip(" %")) == pytest.approx(opening, abs=0.06)
    assert rows["output"][4] == "100.0 %"
    (cells_,) = (table for table in document["tables"] if table["title"] == "Interpretable cells")
    assert next(row for row in cells_["rows"] if row[1] == "inside brackets")[2:4] == [0, "1.00"]


def language_model(rng, *, blocks=2, probabilities=False):
    ids = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(len(ALPHABET) + 1, 8, name="embedding")(ids)
    for i in range(blocks):
        y = layers.LayerNormalization(name=f"norm{i}")(x)
        y = layers.Dense(8, activation="tanh", name=f"dense{i}")(y)
        x = layers.Add(name=f"add{i}")([x, y])
    x = layers.LayerNormalization(name="last_norm")(x)
    x = layers.Dense(len(ALPHABET) + 1, name="head", activation="softmax" if probabilities else None)(x)
    model = keras.Model(ids, x, name="model")
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


@pytest.mark.parametrize("probabilities", [False, True])
def test_the_lens_after_the_last_block_is_the_model_itself(probabilities, rng):
    """KL is 0 there and the final choice is first; before it, both are those of a computation by hand."""
    model = language_model(rng, probabilities=probabilities)
    sums, tail = logit_lens.stream(tap.traced(model))
    assert [key.rpartition("/")[2] for key in sums] == ["add0", "add1"]
    assert [layer.name for layer in tail] == ["last_norm", "head"]
    x = rng.integers(0, len(ALPHABET), (2, LENGTH)).astype("int32")
    lens = logit_lens.looked(model, x, sums, tail, rng)
    assert lens[sums[1]][0] < 1e-9
    assert lens[sums[1]][1:] == (1, 2 * LENGTH)

    states = keras.Model(model.input, model.get_layer("add0").output)(x)
    early = np.asarray(model.get_layer("head")(model.get_layer("last_norm")(states)), np.float64).reshape(
        2 * LENGTH, -1
    )
    late = np.asarray(model(x), np.float64).reshape(2 * LENGTH, -1)
    p, q = ((v if probabilities else np.exp(v) / np.exp(v).sum(-1, keepdims=True)) for v in (late, early))
    assert lens[sums[0]][0] == pytest.approx((p * np.log(p / q)).sum(-1).mean(), rel=1e-4)
    ranks = [1 + sorted(-row).index(-row[best]) for row, best in zip(early, late.argmax(-1), strict=True)]
    assert lens[sums[0]][1] == np.median(ranks)


def test_a_block_that_adds_nothing_changes_nothing(rng):
    """With the second block at zero the lens after the first one has arrived."""
    model = language_model(rng)
    for weight in model.get_layer("dense1").weights:
        weight.assign(weight * 0)
    sums, tail = logit_lens.stream(tap.traced(model))
    lens = logit_lens.looked(model, rng.integers(0, 9, (2, LENGTH)).astype("int32"), sums, tail, rng)
    assert lens[sums[0]][0] < 1e-9


def test_a_model_without_a_chain_from_sum_to_scores_has_no_lens(rng):
    """A head that pools over positions, or none at all, gives None and no number."""
    ids = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(9, 8)(ids)
    added = layers.Add()([x, layers.Dense(8)(x)])
    pooled = keras.Model(ids, layers.Dense(3)(layers.GlobalAveragePooling1D()(added)))
    assert logit_lens.stream(tap.traced(pooled)) == ([], [])
    assert logit_lens.stream(tap.traced(keras.Model(ids, added))) == ([], [])
    mixed = keras.Model(ids, layers.Dense(5)(layers.Conv1D(8, 3, padding="same")(added)))
    sums, tail = logit_lens.stream(tap.traced(mixed))
    assert logit_lens.looked(mixed, rng.integers(0, 9, (2, LENGTH)).astype("int32"), sums, tail, rng) is None


def test_the_logit_lens_is_in_the_document_of_a_language_model(rng):
    """The standard budget gives each sum its two columns."""
    document, _ = measuring.inspect(subject(language_model(rng), prose(rng)), budget="standard", only=[], seed=0)
    rows = {row["name"]: row.get("own", {}) for row in document["layers"]}
    assert rows["add1"] | {"lens KL": 0.0, "lens rank": 1.0} == rows["add1"]
    assert rows["add0"]["lens KL"] > 0.01
