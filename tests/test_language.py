"""Text classification and language models: what is learned, what is predicted, what is drawn."""

import json
from dataclasses import asdict

import keras
import numpy as np
import pytest

from dlcli import text
from dlcli.architectures.transformer import gpt
from dlcli.baselines import neighbouring_tokens
from dlcli.data import Data, Examples
from dlcli.errors import DataError, DlcliError
from dlcli.tasks import language_modeling, masked_language_modeling, text_classification

LINE = "the quick brown fox jumps over the lazy dog. "


def language(x=(LINE * 5,), **options) -> language_modeling.Task:
    train = Examples(x=list(x))
    return language_modeling.Task.learn(train, Data(kind="corpus", splits={"train": train}), **options)


def classification(train=None, **options) -> text_classification.Task:
    train = train or Examples(x=["good film", "bad film", "so good", "so bad"], y=["10", "9", "10", "9"])
    return text_classification.Task.learn(train, Data(kind="texts", splits={"train": train}), **options)


class Fixed:
    """A model that gives the same logits at every position."""

    def __init__(self, logits):
        self.logits = np.asarray(logits, np.float32)

    def predict_on_batch(self, x):
        return np.tile(self.logits, (*x.shape, 1))


# ---- classification --------------------------------------------------------------------------


def test_words_of_other_splits_stay_unknown():
    """The vocabulary is that of the training texts, whatever else the data holds."""
    task = classification()
    assert set(task.vocabulary) == {"good", "bad", "film", "so"}
    x, y = task.source(Examples(x=["good soup"]), training=False).batch(np.arange(1), np.random.default_rng(0))
    assert x[0, :3].tolist() == [2 + task.vocabulary.index("good"), text.UNKNOWN, text.PADDING]
    assert y is None


def test_classes_that_are_numbers_stand_in_their_order():
    """9 before 10; targets and one-hot rows agree."""
    task = classification()
    assert task.classes == ["9", "10"]
    examples = Examples(x=["good", "bad"], y=["10", "9"])
    assert task.targets(examples).tolist() == [1, 0]
    _, y = task.source(examples, training=False).batch(np.arange(2), np.random.default_rng(0))
    np.testing.assert_array_equal(y, [[0, 1], [1, 0]])


def test_the_length_is_what_99_percent_of_the_training_texts_need():
    """One long text among many is cut; when many are, the share is told."""
    many = Examples(x=["a b c d e f g h i j"] * 199 + ["word " * 300], y=["p", "q"] * 100)
    data = Data(kind="texts", splits={"train": many})
    assert text_classification.Task.learn(many, data).length == 10
    assert data.warnings == []
    text_classification.Task.learn(many, data, length=5)
    assert "200 of 200 training texts have more than 5 tokens" in data.warnings[0]


def test_words_are_dropped_in_training_only():
    """A share of the tokens becomes unknown; padding stays padding; the same generator, the same words."""
    train = Examples(x=["w " * 50] * 40, y=["p", "q"] * 20)
    task = classification(train, word_dropout=0.3)
    source = task.source(train, training=True)
    x, _ = source.batch(np.arange(40), np.random.default_rng(0))
    again, _ = source.batch(np.arange(40), np.random.default_rng(0))
    np.testing.assert_array_equal(x, again)
    assert (x == text.UNKNOWN).mean() == pytest.approx(0.3, abs=0.05)
    clean, _ = task.source(train, training=False).batch(np.arange(40), np.random.default_rng(0))
    assert not (clean == text.UNKNOWN).any()


def test_labels_that_cannot_be_learned_are_errors():
    """One class, and a class that training does not have."""
    with pytest.raises(DataError, match="all training texts are of class spam"):
        classification(Examples(x=["a", "b"], y=["spam", "spam"]))
    with pytest.raises(DataError, match="no training example has: 11"):
        classification().targets(Examples(x=["a"], y=["11"]))


def test_predictions_are_words():
    """One row per text with the class's name and its probability."""
    task = classification()
    rows = list(task.rows(Examples(x=["good"], names=["a.txt"]), {"p": np.array([[0.25, 0.75]])}))
    assert rows == [{"name": "a.txt", "prediction": "10", "probability": 0.75}]


# ---- language models -------------------------------------------------------------------------


@pytest.mark.parametrize(("context", "stride"), [(16, 16), (16, 5), (7, 1), (500, 500)])
def test_windows_predict_every_character_once(context, stride):
    """Whatever the stride, the targets in their order are the text, with the tokens before as input."""
    task = language(context=context, stride=stride)
    source = task.source(Examples(x=[LINE * 5]), training=False)
    x, y = source.batch(np.arange(len(source)), np.random.default_rng(0))
    assert task.tokens.decode(y[y != text.PADDING]) == LINE * 5
    ids = task.stream(Examples(x=[LINE * 5]))
    for row, targets in zip(x, y, strict=True):
        here = np.flatnonzero(targets)
        assert len(here) <= stride
        joined = np.append(row[: here[-1] + 1], targets[here[-1]])
        assert any(np.array_equal(joined, ids[i : i + len(joined)]) for i in range(len(ids)))


def test_a_stride_gives_every_prediction_some_context():
    """With stride s, all but the first window's targets have context - s tokens before their window's part."""
    task = language(context=16, stride=4)
    source = task.source(Examples(x=[LINE * 5]), training=False)
    _, y = source.batch(np.arange(4, len(source) - 1), np.random.default_rng(0))
    assert (y[:, :12] == text.PADDING).all()
    assert (y[:, 12:] != text.PADDING).all()


def test_training_windows_are_drawn_by_the_generator():
    """Targets are the inputs moved by one; the same generator gives the same windows; all of the text is reached."""
    task = language(context=8)
    source = task.source(Examples(x=[LINE * 5]), training=True)
    x, y = source.batch(np.arange(len(source)), np.random.default_rng(1))
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    again, _ = source.batch(np.arange(len(source)), np.random.default_rng(1))
    other, _ = source.batch(np.arange(len(source)), np.random.default_rng(2))
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, other)
    assert not (y == text.PADDING).any()


def test_a_model_that_knows_nothing_has_the_loss_ln_v():
    """Uniform logits: ln V nats per token in the loss and in the report; padding counts in neither."""
    task = language(context=16)
    V = task.tokens.size
    source = task.source(Examples(x=[LINE * 5]), training=False)
    x, y = source.batch(np.arange(len(source)), np.random.default_rng(0))
    assert (y == text.PADDING).any()
    logits = np.full((*y.shape, V), 3.0, np.float32)
    assert float(task.loss()(y, logits)) == pytest.approx(np.log(V), abs=1e-5)
    measures = task.measure(x, y, logits)
    assert measures["characters"].sum() == len(LINE) * 5
    scores = task.report(measures).scores
    assert scores["nats_per_character"].value == pytest.approx(np.log(V), abs=1e-5)
    assert scores["perplexity"].value == pytest.approx(V, rel=1e-5)


def test_byte_pairs_are_scored_per_character():
    """Tokens are fewer than characters; the sum is divided by the characters of the text."""
    one = "häuser und bäume " * 20
    task = language([one], tokenizer="byte-pair", vocabulary=300, context=8)
    source = task.source(Examples(x=[one]), training=False)
    x, y = source.batch(np.arange(len(source)), np.random.default_rng(0))
    measures = task.measure(x, y, np.zeros((*y.shape, task.tokens.size), np.float32))
    assert measures["characters"].sum() == len(one)
    assert measures["tokens"].sum() < len(one) / 2


def test_documents_are_kept_apart_by_an_end():
    """The end of a document is predicted as a token, and is no character."""
    task = language(["ab", "ba"], context=8)
    assert task.stream(Examples(x=["ab", "ba"])).tolist()[0::3] == [task.end, task.end]
    x, y = task.source(Examples(x=["ab", "ba"]), training=False).batch(np.arange(1), np.random.default_rng(0))
    measures = task.measure(x, y, np.zeros((1, 8, task.tokens.size), np.float32))
    assert (measures["tokens"][0], measures["characters"][0]) == (5, 4)


def test_what_is_drawn_depends_on_the_seed_only():
    """The same seed, the same texts; another seed, others. A prompt is gone on from."""
    keras.utils.set_random_seed(0)
    task = language(context=8)
    model = gpt.build(task, width=8, depth=1, heads=2)
    first = task.generate(model, n=2, length=20, prompt="the ", seed=3)
    assert first == task.generate(model, n=2, length=20, prompt="the ", seed=3)
    assert first != task.generate(model, n=2, length=20, prompt="the ", seed=4)
    assert first[0] != first[1]
    assert all(one.startswith("the ") for one in first)
    assert "\ufffd" not in first[0]


def test_drawing_follows_the_probabilities():
    """Shares as softmax(logits / temperature); 0 takes the best; top_k and top_p cut the rest off."""
    task = language(["abcd"])
    logits = np.full(task.tokens.size, -np.inf)
    p = {"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05}
    for letter, share in p.items():
        logits[task.tokens.encode(letter)] = np.log(share)
    logits[text.PADDING] = logits[text.UNKNOWN] = 9.0  # never drawn, however probable
    drawn = "".join(task.generate(Fixed(logits), n=50, length=80, temperature=1.0))
    for letter, share in p.items():
        assert drawn.count(letter) / len(drawn) == pytest.approx(share, abs=0.03)
    assert set("".join(task.generate(Fixed(logits), n=5, length=9, temperature=0.0))) == {"a"}
    assert set("".join(task.generate(Fixed(logits), n=9, length=50, top_k=2, temperature=1.0))) == {"a", "b"}
    assert set("".join(task.generate(Fixed(logits), n=9, length=50, top_p=0.9, temperature=1.0))) == {"a", "b", "c"}


def test_a_text_stops_at_its_end():
    """Drawing the end token ends that text and leaves the others alone."""
    task = language(["abcd"])
    logits = np.full(task.tokens.size, -np.inf)
    logits[task.end] = 0.0
    assert task.generate(Fixed(logits), n=2, prompt="ab") == ["ab", "ab"]


def test_impossible_drawing_is_an_error():
    """The values are in the message."""
    with pytest.raises(DlcliError, match="temperature -1"):
        language().generate(Fixed([0.0]), temperature=-1)


def test_tasks_survive_json():
    """What a run directory holds gives the same task."""
    for task in (language(tokenizer="byte-pair", vocabulary=280), classification()):
        again = type(task)(**json.loads(json.dumps(asdict(task))))
        assert again == task
        assert again.tokens.encode("the dog").tolist() == task.tokens.encode("the dog").tolist()


# ---- masked language models --------------------------------------------------------------------


def cloze(x, **options) -> masked_language_modeling.Task:
    train = Examples(x=list(x))
    return masked_language_modeling.Task.learn(train, Data(kind="texts", splits={"train": train}), **options)


def test_what_is_hidden_is_asked_for_and_nothing_else():
    """x with the answers put back is the text; a share of the known tokens is hidden, one at least."""
    texts = ["one two three four five six seven eight nine ten"] * 3 + ["one"] * 3
    task = cloze(texts * 2, hidden=0.3)
    source = task.source(Examples(x=[*texts, "nobody knows one"]), training=True)
    x, y = source.batch(np.arange(7), np.random.default_rng(0))
    asked = y != text.PADDING
    np.testing.assert_array_equal(np.where(asked, y, x), source.ids)
    assert (x[asked] == text.UNKNOWN).all()
    assert asked.sum(axis=1).tolist() == [3, 3, 3, 1, 1, 1, 1]


def test_evaluation_hides_the_same_tokens_every_time_and_training_others():
    task = cloze(["a b c d e f g h"] * 4)
    examples, rows = Examples(x=["a b c d e f g h"] * 4), np.arange(4)
    first, again = (task.source(examples, training=False).batch(rows, np.random.default_rng(i))[0] for i in (0, 1))
    np.testing.assert_array_equal(first, again)
    source = task.source(examples, training=True)
    first, again = (source.batch(rows, np.random.default_rng(i))[0] for i in (0, 1))
    assert not np.array_equal(first, again)


def test_a_frequent_token_is_hidden_as_seldom_as_its_weight_says():
    """ "the" is 99 of 100 tokens, its weight sqrt(0.01 / 0.99) = 0.1005: of "the end" it is hidden with
    0.1005 / 1.1005 = 0.0913."""
    task = cloze(["the " * 99 + "end"] * 2, frequent=0.01)
    source = task.source(Examples(x=["the end"] * 20_000), training=True)
    _, y = source.batch(np.arange(20_000), np.random.default_rng(0))
    assert (y[:, 0] != text.PADDING).mean() == pytest.approx(0.0913, abs=0.006)


def test_guesses_are_scored_by_hand():
    """Two hidden tokens with p = 1/2 and 1/4: 1.0397 nats each, one of them the best guess."""
    task = cloze(["a b c"] * 2, hidden=0.6)
    ids = [text.FIRST + task.vocabulary.index(token) for token in "abc"]
    p = np.full((1, 8, task.tokens.size), 1e-9)
    p[0, 0, ids[0]], p[0, 0, ids[1]] = 0.5, 0.5 - 1e-6
    p[0, 1, ids[1]], p[0, 1, ids[2]] = 0.25, 0.75
    y = np.zeros((1, 8), np.int32)
    y[0, :2] = ids[:2]
    measures = task.measure(None, y, np.log(p))
    report = task.report({name: np.repeat(value, 3) for name, value in measures.items()})
    assert report.scores["nats_per_token"].value == pytest.approx((np.log(2) + np.log(4)) / 2, abs=1e-4)
    assert report.scores["accuracy"].value == 0.5


def test_the_baseline_reads_the_tokens_on_both_sides():
    """Between a and c stands b, and d between a and e: one side alone leaves two guesses."""
    lines = ["a b c", "a d e"] * 20
    task = cloze(lines, hidden=0.01, frequent=1.0)
    measured = neighbouring_tokens.fit(task, Examples(x=lines))
    middle = ["a b c", "a d e"]
    hidden = masked_language_modeling.Hidden(
        ids=text.padded([task.tokens.encode(line) for line in middle], task.length),
        share=0.01,
        weights=np.array([0, 0, *(1e9 if token in "bd" else 1.0 for token in task.vocabulary)]),
        anew=False,
    )
    task.source = lambda examples, training: hidden
    measures = measured(Examples(x=middle))
    assert measures["right"].tolist() == [1, 1]
    # 20.5 / 122.5 is the share of each; a, c and e get next to nothing
    share = 20.5 / 122.5
    after_a = 40 / 42 * 20 / 40 + 2 / 42 * share
    b, d = after_a * (20 / 21 + share / 21), after_a * share / 21
    assert np.exp(-measures["nll"][0]) == pytest.approx(b / (b + d), abs=0.002)
