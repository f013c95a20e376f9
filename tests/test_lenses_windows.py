"""Windows of texts and series that units answer to, and class tokens, against networks built by hand."""

import keras
import numpy as np
from keras import layers

from dlcli.inspection import measuring
from dlcli.inspection.subject import Subject
from dlcli.inspection.window import Window
from dlcli.lenses import class_token, windows


def view_of(model, x, *, family: str, labels=None, spell=None):
    subject = Subject(
        model=model,
        title="hand-made",
        source="tests",
        family=family,
        read=lambda rows: x[rows],
        count=len(x),
        labels=labels,
        spell=spell,
    )
    return measuring.inspect(subject, budget="fast", only=[], seed=0)[1]


def letters():
    """Texts of 30 letters (ids from 1), and a convolution of three letters that answers to "abc" alone."""
    x = np.random.default_rng(0).integers(1, 6, (64, 30))
    model = keras.Sequential(
        [keras.Input((30,), dtype="int32"), layers.Embedding(6, 6, name="letters"), layers.Conv1D(1, 3, padding="causal", activation="relu", name="abc")]
    )  # fmt: skip
    kernel = np.zeros((3, 6, 1))
    kernel[[0, 1, 2], [1, 2, 3]] = 1
    model.layers[0].set_weights([np.eye(6)])
    model.layers[1].set_weights([kernel, np.full(1, -2.0)])
    return model, x


def spell(ids) -> str:
    return "".join("_abcde"[i] for i in ids)


def test_a_unit_for_three_letters_shows_them_at_its_strongest_answers_and_others_at_the_median():
    model, x = letters()
    view = view_of(model, x, family="cnn", spell=spell)
    (table,) = windows.look(view).tables
    rows = [row for row in table["rows"] if row[0] == "abc"]
    assert [row[2].split(" 0")[0].split(" 1")[0] for row in rows] == ["top", "top", "99 %", "99 %", "95 %", "95 %", "75 %", "75 %", "median"]  # fmt: skip
    strong = [row for row in rows if row[2].endswith("1.00")]
    assert len(strong) >= 2
    # what stands before the answer, and the letter of the answer, is what the unit looks for
    assert all(row[3].partition("]")[0].replace("[", "").endswith("abc") for row in strong)
    assert not any("abc" in row[3].replace("[", "").replace("]", "") for row in rows if row[2].endswith("0.00"))


def test_padding_is_never_the_answer():
    """A unit that likes padding best is shown at a letter all the same."""
    model, x = letters()
    x = x.copy()
    x[:, 20:] = 0
    model.layers[1].set_weights([np.concatenate([np.zeros((2, 6, 1)), np.eye(6)[None, :, :1]]), np.zeros(1)])
    heights, spots = windows.answered(model, x, {f"{model.name}/abc": [0]}, 16, x)
    assert (heights[f"{model.name}/abc"] == 0).all()
    assert (spots[f"{model.name}/abc"][..., 0] < 20).all()


def test_a_window_is_the_receptive_field_or_what_came_before():
    causal = Window().slid(3, before=2)
    assert windows.window((10, 100), 100, causal) == (8, 10, 11)
    assert windows.window((0, 100), 100, causal) == (0, 0, 1)
    assert windows.window((10, 100), 100, Window().slid(3, before=1)) == (9, 10, 12)
    strided = Window().slid(4, stride=4)
    assert windows.window((2, 25), 100, strided) == (8, 10, 12)
    assert windows.window((50, 100), 100, None) == (26, 50, 59)
    assert windows.window((50, 100), 100, Window().slid(301, before=150)) == (26, 50, 59)


def test_a_unit_for_a_jump_is_drawn_where_a_series_jumps():
    """Series with one jump: the answers are there, and each place has a picture."""
    rng = np.random.default_rng(1)
    at = rng.integers(5, 35, 64)
    x = (np.arange(40)[None] >= at[:, None])[..., None] + 0.05 * rng.normal(size=(64, 40, 1))
    model = keras.Sequential([keras.Input((40, 1)), layers.Conv1D(2, 2, padding="causal", name="jump")])
    model.layers[0].set_weights([np.array([[[-1.0, 0.1]], [[1.0, 0.1]]]), np.zeros(2)])
    x = x.astype("float32")
    key = f"{model.name}/jump"
    _, spots = windows.answered(model, x, {key: [0]}, 16, None)
    assert (spots[key][:, 0, 0] == at).all()
    found = windows.look(view_of(model, x, family="cnn", labels=np.arange(64) % 2))
    assert [entry["title"] for entry in found.pictures[key]] == ["windows across answers"]


def test_a_class_token_is_probed_beside_the_patches():
    """The class is in the token alone: read off it for certain, and off the patches by chance."""
    rng = np.random.default_rng(2)
    y = np.arange(200) % 4
    x = rng.normal(size=(200, 16, 16, 3)).astype("float32")
    x[:, 0, 0] = 5 * np.eye(3)[y % 3] * (y < 3)[:, None]
    pixels = keras.Input((16, 16, 3))
    patches = layers.Reshape((16, 48), name="patches")(pixels[:, :, :, :])
    kept = layers.Dense(48, name="kept")(patches)
    token = layers.Dense(48, name="token")(layers.Flatten(name="all")(layers.Cropping2D(((0, 15), (0, 15)), name="corner")(pixels)))  # fmt: skip
    both = layers.Concatenate(axis=1, name="both")([layers.Reshape((1, 48), name="first")(token), kept])
    model = keras.Model(pixels, layers.Dense(8, name="mixed")(both))
    model.get_layer("kept").set_weights([0.1 * rng.normal(size=(48, 48)) * (np.arange(48) >= 3)[:, None], np.zeros(48)])
    found = class_token.look(view_of(model, x, family="transformer", labels=y))
    own = found.own[f"{model.name}/both"]
    assert own["class token"] > 0.98
    assert own["patches"] < 0.4
    assert class_token.has_class_token(17, (16, 16, 3))
    assert not class_token.has_class_token(16, (16, 16, 3))
    assert not class_token.has_class_token(17, (17,))
