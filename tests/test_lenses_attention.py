"""Attention heads, against heads built by hand and closed forms."""

import base64
import io

import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

from dlcli.inspection import measuring
from dlcli.inspection.attention import Attention
from dlcli.inspection.subject import Subject
from dlcli.inspection.tap import Tap
from dlcli.lenses import _heads, heads

T = 12
STRONG = 60.0


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def of_positions(looks: list[np.ndarray], *, causal=False):
    """One-hot positions (B, T, T) -> one head for each matrix: position t looks where row t of it is 1."""
    inputs = keras.Input((T, T))
    attention = layers.MultiHeadAttention(len(looks), T, use_bias=False, name="attention")
    model = keras.Model(inputs, attention(inputs, inputs, use_causal_mask=causal), name="model")
    query = np.stack(looks, axis=1) * STRONG  # (T, heads, T)
    key = np.stack([np.eye(T)] * len(looks), axis=1)
    attention.set_weights([query, key, attention.get_weights()[2], attention.get_weights()[3]])
    return model


def maps_of(model, x) -> np.ndarray:
    (found,) = heads.observed(model, x, lambda maps, _: maps).values()
    return found


def positions(n=2):
    return np.repeat(np.eye(T, dtype="float32")[None], n, axis=0)


@pytest.mark.parametrize("causal", [False, True])
def test_heads_built_by_hand_have_their_role_with_a_score_of_one(causal):
    """Previous, self, first: 1.000 for the head that does it, and its role; an even head is "other"."""
    looks = [np.eye(T, k=-1), np.eye(T), np.eye(1, T).repeat(T, axis=0), np.zeros((T, T))]
    maps = maps_of(of_positions(looks, causal=causal), positions())
    scores = _heads.fixed(maps, None, _heads.tokens_apart(T))
    for head, name in enumerate(["prev", "self", "first"]):
        assert scores[name][head] == pytest.approx(1, abs=1e-5)
    assert _heads.roles(scores) == ["prev", "self", "first", "other"]
    assert scores["distance"][1] == pytest.approx(0, abs=1e-5)
    assert scores["distance"][2] == pytest.approx((T - 1) / 2, abs=1e-4)


@pytest.mark.parametrize("causal", [False, True])
def test_rows_sum_to_one_and_a_causal_layer_does_not_look_ahead(causal, rng):
    """Maps are distributions; the causal mask, which the fused kernel would apply, is in them."""
    model = of_positions([rng.normal(size=(T, T)) / STRONG for _ in range(3)], causal=causal)
    maps = maps_of(model, positions())
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-6)
    assert _heads.causal(maps) == causal
    assert (np.triu(maps, 1).max() == 0) == causal


@pytest.mark.parametrize("causal", [False, True])
def test_an_even_head_has_the_entropy_and_distance_of_the_closed_form(causal):
    """Over all of T: ln T and (T^2 - 1) / 3T; over those before: the mean of ln t and of (t - 1) / 2."""
    maps = maps_of(of_positions([np.zeros((T, T))], causal=causal), positions())
    scores = _heads.fixed(maps, None, _heads.tokens_apart(T))
    seen = np.arange(1, T + 1)
    entropy = np.log(seen).mean() if causal else np.log(T)
    distance = ((seen - 1) / 2).mean() if causal else (T**2 - 1) / (3 * T)
    assert scores["entropy"][0] == pytest.approx(entropy, abs=1e-5)
    assert scores["distance"][0] == pytest.approx(distance, abs=1e-4)


def of_tokens(vocabulary=T, length=T):
    """Ids -> two causal heads: the first looks at what stands behind the same token, the second at the same token."""
    ids = keras.Input((length,), dtype="int32")
    now = layers.Embedding(vocabulary, vocabulary, embeddings_initializer="identity", name="embedding")(ids)
    before = layers.Cropping1D((0, 1))(layers.ZeroPadding1D((1, 0))(now))
    both = layers.Concatenate()([now, before])
    attention = layers.MultiHeadAttention(2, vocabulary, use_bias=False, name="attention")
    out = attention(both, both, use_causal_mask=True)
    model = keras.Model(ids, layers.Dense(3, name="head")(out), name="model")
    nothing, one = np.zeros((vocabulary, vocabulary)), np.eye(vocabulary)
    query = np.stack([np.vstack([one, nothing])] * 2, axis=1) * STRONG
    key = np.stack([np.vstack([nothing, one]), np.vstack([one, nothing])], axis=1)
    attention.set_weights([query, key, *attention.get_weights()[2:]])
    return model


def test_an_induction_head_built_by_hand_has_a_score_of_one(rng):
    """On tokens said twice it looks behind the first saying, always; a head for equal tokens halves with itself."""
    tokens = np.tile(rng.permuted(np.tile(np.arange(T // 2), (3, 1)), axis=1), (1, 2))
    scores = _heads.of_tokens(maps_of(of_tokens(), tokens), tokens)
    assert scores["induct"][0] == pytest.approx(1, abs=1e-5)
    assert scores["dup"] == pytest.approx([0, 0.5], abs=1e-5)
    assert scores["induct"][1] == pytest.approx(0, abs=1e-5)


def test_padding_counts_for_nothing(rng):
    """Scores of padded sequences are those of the sequences cut short."""
    maps = rng.dirichlet(np.ones(5), (2, 3, 5))
    padded = np.zeros((2, 3, T, T))
    padded[:, :, :5, :5] = maps
    padded[:, :, 5:, 0] = 1
    mask = np.arange(T)[None].repeat(2, axis=0) < 5
    short = _heads.fixed(maps, None, _heads.tokens_apart(5))
    for name, values in _heads.fixed(padded, mask, _heads.tokens_apart(T)).items():
        np.testing.assert_allclose(values, short[name], atol=1e-12)


def test_distances_between_patches_are_in_pixels():
    """A grid of 2 × 3 patches of 8 pixels, with and without a class token; what is no grid has none."""
    apart = _heads.pixels_apart(6, 16, 24)
    assert apart[0, 1] == 8
    assert apart[0, 3] == 8
    assert apart[0, 5] == pytest.approx(8 * np.hypot(1, 2))
    with_class = _heads.pixels_apart(7, 16, 24)
    np.testing.assert_array_equal(with_class[1:, 1:], apart)
    assert np.isnan(with_class[0]).all()
    assert _heads.pixels_apart(9, 16, 24) is None
    even = np.full((1, 1, 7, 7), 1 / 7)
    assert _heads.fixed(even, None, with_class)["distance"][0] == pytest.approx(apart.mean())


class Own(layers.MultiHeadAttention):
    """Somebody's own attention, with the arguments of an older Keras."""

    def _compute_attention(self, query, key, value, attention_mask=None, training=None, return_attention_scores=False):
        return super()._compute_attention(query, key, value, attention_mask, training, return_attention_scores)


MADE = {
    "multi-head": lambda: layers.MultiHeadAttention(2, 4),
    "multi-head with dropout": lambda: layers.MultiHeadAttention(2, 4, dropout=0.3),
    "grouped": lambda: layers.GroupQueryAttention(4, 4, 2),
    "somebody's own": lambda: Own(2, 4),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MADE)
def test_looking_at_maps_leaves_the_output_as_it_was(name, causal, rng):
    """Within 5e-7, and Keras is as it was afterwards; the maps times the values are the output."""
    inputs = keras.Input((6, 8))
    layer = MADE[name]()
    model = keras.Model(inputs, layer(inputs, inputs, use_causal_mask=causal))
    x = rng.normal(size=(3, 6, 8)).astype("float32")
    own = {cls: cls.__dict__["_compute_attention"] for cls in (layers.MultiHeadAttention, layers.GroupQueryAttention)}
    before = ops.convert_to_numpy(model(x))
    with Attention() as attention, Tap() as visits:
        during = ops.convert_to_numpy(model(x))
        maps = ops.convert_to_numpy(attention.taken(layer))
        assert attention.taken(layer) is None
    np.testing.assert_allclose(during, before, atol=5e-7)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(x)), before)
    assert all(cls.__dict__["_compute_attention"] is kept for cls, kept in own.items())

    value = ops.convert_to_numpy(next(visit.output for visit in visits if visit.layer.name == "value"))
    value = np.repeat(value, maps.shape[1] // value.shape[2], axis=2)  # shared by the heads of a group
    mixed = np.einsum("bhts,bshd->bthd", maps, value)
    np.testing.assert_allclose(ops.convert_to_numpy(layer._output_dense(mixed)), before, atol=1e-6)


def test_keras_is_as_it_was_after_an_error():
    """A model that fails while it is looked at leaves no trace."""
    own = layers.MultiHeadAttention.__dict__["_compute_attention"]
    with pytest.raises(RuntimeError), Attention():
        raise RuntimeError
    assert layers.MultiHeadAttention.__dict__["_compute_attention"] is own


def test_heads_are_in_the_document_of_a_model(rng):
    """The fast budget gives roles, distance, one table and one small picture per layer; induction from ids said twice."""
    ids = rng.integers(1, 40, (40, 40)).astype("int32")
    model = of_tokens(vocabulary=40, length=40)
    subject = Subject(model=model, title="t", source="t", family="transformer", read=lambda rows: ids[rows], count=40)
    document, _ = measuring.inspect(subject, budget="fast", only=[], seed=0)
    row = next(row for row in document["layers"] if row["name"] == "attention")
    assert row["own"]["heads"] == "1 induct 1 self"  # of a token that never came before, the second sees itself alone
    (table,) = (table for table in document["tables"] if table["title"] == "Attention heads")
    first, second = (dict(zip(table["columns"], line, strict=True)) for line in table["rows"])
    assert (first["role"], first["induction"]) == ("induct", "1.00")
    assert (second["role"], second["duplicate"]) == ("self", "0.50")
    near, far = sorted(float(line["distance (tokens)"]) for line in (first, second))
    low, middle, high = map(float, row["own"]["quartiles"].split())
    # of two heads the quartiles lie a quarter of the way in; all are told to a tenth
    assert middle == pytest.approx((near + far) / 2, abs=0.11)
    assert (low, high) == pytest.approx((near + (far - near) / 4, far - (far - near) / 4), abs=0.11)
    assert low < high
    (picture,) = row["pictures"]
    assert len(picture["png"]) < 60_000
    drawn = Image.open(io.BytesIO(base64.b64decode(picture["png"])))
    assert drawn.size == (2 * 128 + 4, 128)
