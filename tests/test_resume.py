"""Training that is killed and resumed ends, bit for bit, like training that was left alone."""

import errno
import json

import keras
import numpy as np
import pytest

from dlcli import savepoints
from dlcli.errors import MISMATCH, DlcliError
from dlcli.rundir import Run
from dlcli.task import Arrays
from tests.training import killed, killed_after, outcome, trained

# 8 batches in an epoch of two passes: kills in the first epoch, at its end, twice in one, three times.
KILLS = ((5,), (16,), (3, 4), (20, 1, 2))


def both(tmp_path, *kills, **options):
    """The outcomes of a straight and of a killed training."""
    trained(tmp_path / "straight", **options)
    killed(tmp_path / "killed", *kills, **options)
    return outcome(tmp_path / "straight"), outcome(tmp_path / "killed")


def test_dropout_statistics_and_average_resume_in_the_middle_of_an_epoch(tmp_path):
    """Three kills, two of them in one epoch; with the average of weights, gradients added up, a schedule."""
    straight, resumed = both(tmp_path, 5, 4, 13, ema=0.9, accumulate=3)
    assert resumed["finished"]
    assert resumed == straight


@pytest.mark.slow
def test_another_seed_ends_elsewhere(tmp_path):
    """The comparison can fail."""
    trained(tmp_path / "one", epochs=1)
    trained(tmp_path / "other", epochs=1, seed=1)
    assert outcome(tmp_path / "one")["digests"] != outcome(tmp_path / "other")["digests"]


@pytest.mark.slow
def test_the_best_epoch_and_patience_survive(tmp_path):
    """A rate that makes later epochs worse: the best is an early one, and training stops for want of better."""
    options = {"optimizer": "sgd", "learning_rate": 0.3, "schedule": "constant", "patience": 2, "epochs": 12}
    straight, resumed = both(tmp_path, 20, 18, **options)
    assert resumed == straight
    assert straight["keeper"]["epochs"] < 6, "it should have stopped early"
    best = [savepoints.newest(tmp_path / name / "checkpoints").digests["best"] for name in ("straight", "killed")]
    assert best[0] == best[1]


@pytest.mark.slow
def test_a_rate_that_was_lowered_on_a_plateau_stays_lowered(tmp_path):
    options = {"schedule": "plateau", "plateau": 1, "learning_rate": 0.1, "epochs": 5}
    straight, resumed = both(tmp_path, 35, 10, **options)
    assert resumed == straight
    assert straight["keeper"]["factor"] < 1


@pytest.mark.slow
def test_a_finished_training_is_not_trained_again(tmp_path):
    first = trained(tmp_path / "run", epochs=1)
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "run" / "checkpoints").rglob("*"))
    again = trained(tmp_path / "run", epochs=1)
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "run" / "checkpoints").rglob("*")) == before
    assert (again.epochs, again.steps, again.best_epoch) == (first.epochs, first.steps, first.best_epoch)
    for one, two in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_a_step_and_nothing_else(tmp_path):
    """The one before it is taken, and what comes out is the same."""
    trained(tmp_path / "straight", epochs=2)
    with killed_after(9):
        trained(tmp_path / "run", epochs=2)
    newest = savepoints.listed(tmp_path / "run" / "checkpoints")[0]
    data = bytearray((newest / savepoints.STATE).read_bytes())
    data[-5] ^= 1
    (newest / savepoints.STATE).write_bytes(bytes(data))
    trained(tmp_path / "run", epochs=2)
    assert outcome(tmp_path / "run") == outcome(tmp_path / "straight")


def test_epochs_before_the_first_checkpoint_stand_once_in_the_history(tmp_path):
    """Killed after an epoch that was not saved: it is trained again, and told once."""
    trained(tmp_path / "straight", save_every=1000.0)
    with killed_after(20):
        trained(tmp_path / "run", save_every=1000.0)
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 1
    trained(tmp_path / "run", save_every=1000.0)
    assert outcome(tmp_path / "run") == outcome(tmp_path / "straight")


def test_a_torn_line_of_the_history_is_whole_in_the_end(tmp_path, monkeypatch):
    """A disk that was full for a moment took half a line."""
    honest, seen = Run.append, []

    def torn(self, name, value):
        seen.append(value)
        if len(seen) == 1:
            (self.path / name).write_text('{"epoch": 1, "lo')
            raise OSError(errno.ENOSPC, "No space left on device")
        honest(self, name, value)

    monkeypatch.setattr(Run, "append", torn)
    trained(tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert len(rows) == len(seen) > 1
    assert [row["epoch"] for row in rows] == sorted({row["epoch"] for row in rows})


def test_variables_that_were_not_restored_are_noticed(tmp_path, monkeypatch):
    """A loader that leaves one out, as a library might: no training goes on from half random weights."""
    from dlcli import backend

    with killed_after(5):
        trained(tmp_path / "run")
    honest = backend.assign
    monkeypatch.setattr(backend, "assign", lambda v, a: True if v.path.endswith("hidden/kernel") else honest(v, a))
    with pytest.raises(DlcliError) as caught:
        trained(tmp_path / "run")
    assert caught.value.code == MISMATCH
    assert "hidden/kernel" in caught.value.message


def test_another_architecture_is_refused_with_the_variable(tmp_path):
    with killed_after(5):
        trained(tmp_path / "run")

    def other():
        inputs = keras.Input((8,), name="x")
        return keras.Model(inputs, keras.layers.Dense(1, name="line")(inputs))

    with pytest.raises(DlcliError) as caught:
        trained(tmp_path / "run", make=other)
    assert caught.value.code == MISMATCH


def test_a_history_that_cannot_be_written_is_one_warning(tmp_path, monkeypatch, capsys):
    """And the rows are there again when the training is resumed: the checkpoints hold them."""

    def full(self, name, value):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, killed_after(30):
        patched.setattr(Run, "append", full)
        trained(tmp_path / "run")
    assert capsys.readouterr().err.count("history.jsonl could not be written: No space left on device") == 1
    trained(tmp_path / "run")
    rows = [json.loads(line)["epoch"] for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert rows == sorted(set(rows))
    assert rows == [2, 4]


@pytest.mark.slow
@pytest.mark.parametrize("kills", KILLS, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": 0.95},
        {"accumulate": 3},
        {"ema": 0.95, "accumulate": 2, "optimizer": "sgd", "learning_rate": 0.05},
        {"optimizer": "muon"},
        {"schedule": "plateau", "plateau": 1, "learning_rate": 0.05},
        {"patience": 1, "learning_rate": 0.2},
    ],
    ids=str,
)
def test_exact_for_every_setting(tmp_path, options, kills):
    straight, resumed = both(tmp_path, *kills, **options)
    assert resumed == straight


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_exact_in_mixed_precision(tmp_path, policy):
    """float16 has a loss scale, which is part of the optimizer's state."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        straight, resumed = both(tmp_path, 5, 14, ema=0.95)
    finally:
        keras.config.set_dtype_policy(before)
    assert resumed == straight


FAMILIES = [
    ("image-classification", "images", "resnet", {"mixup": 0.2, "ema": 0.9}),
    ("image-classification", "images", "vit", {}),
    ("tabular-classification", "table", "mlp", {"label_smoothing": 0.1}),
    ("text-classification", "texts", "lstm", {"accumulate": 2}),
    ("language-modeling", "corpus", "gpt", {"ema": 0.9}),
    ("forecasting", "series", "patchtst", {}),
    ("image-generation", "images", "dcgan", {"ema": 0.9}),
    ("image-generation", "images", "dcgan", {"r1": 1.0}),
    ("reconstruction", "images", "conv-vae", {}),
    ("denoising", "images", "dncnn", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "kind", "arch", "options"), FAMILIES, ids=lambda value: str(value))
def test_exact_for_every_family(tmp_path, task, kind, arch, options):
    """Augmentation, tokens, windows, two networks against each other: four kills each."""
    from dlcli import registry
    from tests.test_contract import _learned

    learned, parts = _learned(registry.find("tasks", task), kind)
    entry = registry.find("architectures", arch)
    own = {name: value for name, value in options.items() if name in entry.options}
    rest = {name: value for name, value in options.items() if name not in own}
    classes = len(getattr(learned, "classes", ()) or ())
    given = {
        "make": lambda: entry.load().build(learned, **entry.literal("TINY", {}), **own),
        "learn": learned,
        "train": learned.source(parts.splits["train"], training=True),
        "val": learned.source(parts.splits["val"], training=False),
        "classes": classes,
        "batch_size": 4,
        "epochs": 12,
        **rest,
    }
    straight, resumed = both(tmp_path, 5, 3, 9, 1, **given)
    assert resumed == straight


def test_any_batch_of_a_divided_one_is_a_slice_of_the_whole():
    """Memory that is short changes how a batch is computed, not what is in it."""
    from dlcli.batches import Batches

    x = np.arange(40)
    whole, divided = (Batches(Arrays(x, {"y": x, "z": x}), batch_size=8, seed=3, parts=parts) for parts in (1, 4))
    assert len(divided) == 4 * len(whole)
    for i in range(len(whole)):
        joined = [divided[4 * i + part] for part in range(4)]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in joined]), whole[i][0])
        np.testing.assert_array_equal(np.concatenate([y["z"] for _, y in joined]), whole[i][1]["z"])
