"""Transformers for text: what they see, what they do not see, and how deep they can be."""

import keras
import numpy as np
import pytest

from dlcli.architectures.cnn import textcnn
from dlcli.architectures.transformer import encoder, gpt
from dlcli.data import Data, Examples
from dlcli.errors import DlcliError
from dlcli.tasks import language_modeling, text_classification

WORDS = ["red", "green", "blue", "sun", "moon", "rain"]
TEXT = "the quick brown fox jumps over the lazy dog " * 4


def classification(length: int = 8) -> text_classification.Task:
    train = Examples(x=[" ".join(WORDS)] * 2, y=["a", "b"])
    data = Data(kind="texts", splits={"train": train})
    return text_classification.Task.learn(train, data, length=length)


def language(context: int = 12) -> language_modeling.Task:
    train = Examples(x=[TEXT])
    data = Data(kind="corpus", splits={"train": train})
    return language_modeling.Task.learn(train, data, context=context)


def batch(task: language_modeling.Task) -> tuple:
    """Eight windows, x and y."""
    source = task.source(Examples(x=[TEXT]), training=True)
    return source.batch(np.arange(8), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        (encoder, {"width": 16, "depth": 2, "heads": 2}),
        (gpt, {"width": 16, "depth": 2, "heads": 2}),
        (textcnn, {"width": 16, "filters": 5}),
    ],
    ids=["encoder", "gpt", "textcnn"],
)
def test_padding_changes_nothing(arch, options):
    """The same text in a longer model with the same weights has the same probabilities."""
    short, long = (arch.build(classification(length), **options) for length in (8, 21))
    weights = short.get_weights()
    for i, (ours, theirs) in enumerate(zip(short.weights, long.weights, strict=True)):
        if ours.shape != theirs.shape:  # positions (T, C): what is behind the text must not matter
            weights[i] = np.concatenate([weights[i], np.full((13, ours.shape[1]), 7.0)])
    long.set_weights(weights)
    x = np.array([[2, 3, 4, 5, 6, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0, 0]], np.int32)
    longer = np.pad(x, ((0, 0), (0, 13)))
    np.testing.assert_allclose(short.predict_on_batch(x), long.predict_on_batch(longer), atol=1e-5)


def test_the_encoder_reads_the_order_of_words():
    """Positions reach the output: without them the mean over attention could not tell."""
    keras.utils.set_random_seed(0)
    model = encoder.build(classification(), width=16, depth=1, heads=2)
    x = np.array([[2, 3, 4, 0, 0, 0, 0, 0], [4, 3, 2, 0, 0, 0, 0, 0]], np.int32)
    p = model.predict_on_batch(x)
    assert np.abs(p[0] - p[1]).max() > 1e-5


def test_gpt_never_sees_what_comes_later():
    """Another token at position t changes no output before t, to the last bit, and the one at t."""
    task = language()
    model = gpt.build(task, width=16, depth=2, heads=2)
    rng = np.random.default_rng(0)
    x = rng.integers(2, task.tokens.size, (1, 12)).astype(np.int32)
    before = model.predict_on_batch(x)
    for t in range(12):
        changed = x.copy()
        changed[0, t] = 2 + (x[0, t] - 1) % (task.tokens.size - 2)
        after = model.predict_on_batch(changed)
        np.testing.assert_array_equal(after[0, :t], before[0, :t])
        assert np.abs(after[0, t] - before[0, t]).max() > 0


def test_gpt_has_as_many_parameters_as_the_formula_says():
    """Embedding V d, convolution over k (k d + 1) d, positions T d, blocks 12 d^2 + 13 d each, last norm 2 d, head (d + 1) V."""
    task = language(context=12)
    V, d, T, L = task.tokens.size, 16, 12, 3
    model = gpt.build(task, width=d, depth=L, heads=4, neighbours=4)
    assert model.count_params() == V * d + (4 * d + 1) * d + T * d + L * (12 * d**2 + 13 * d) + 2 * d + (d + 1) * V


def test_a_hundred_blocks_do_not_grow():
    """What 100 blocks add at first stays of the size of what one block adds to."""
    keras.utils.set_random_seed(0)
    task = language()
    model = gpt.build(task, width=8, depth=100, heads=2)
    ends = [model.get_layer(f"block{i}_mlp_add").output for i in (0, 99)]
    inside = keras.Model(model.input, ends)
    first, last = (keras.ops.convert_to_numpy(one) for one in inside(batch(task)[0]))
    assert last.std() < 1.5
    assert last.std() > first.std()


@pytest.mark.slow
def test_a_hundred_blocks_train():
    """The loss of a stack of 100 blocks falls from ln V to below half of it on one batch."""
    keras.utils.set_random_seed(0)
    task = language()
    x, y = batch(task)
    model = gpt.build(task, width=32, depth=100, heads=2)
    # without XLA, which takes minutes to compile 100 blocks
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=1.0), task.loss(), jit_compile=False)
    losses = [float(model.train_on_batch(x, y)) for _ in range(60)]
    assert losses[0] == pytest.approx(np.log(task.tokens.size), abs=0.2)
    assert losses[-1] < losses[0] / 2


def test_heads_must_share_the_width():
    """The error gives both numbers."""
    with pytest.raises(DlcliError, match=r"10 .* 4 heads"):
        encoder.build(classification(), width=10, heads=4)


def test_a_transformer_in_bfloat16_gives_float32():
    """Mixed precision: probabilities and logits leave in float32 and are finite."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for task, arch in ((classification(), encoder), (language(), gpt)):
            model = arch.build(task, width=16, depth=1, heads=2)
            x = np.full((2, model.input_shape[1]), 2, np.int32)
            x[:, 5:] = 0
            y = np.asarray(model.predict_on_batch(x))
            assert y.dtype == np.float32
            assert np.isfinite(y).all()
    finally:
        keras.config.set_dtype_policy("float32")
