"""The one training: every optimiser learns, the average of weights is what is kept, the best epoch is restored."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from dlcli import fit, optimize, progress, task
from dlcli.classification import Classification
from dlcli.config import FitConfig
from dlcli.keeper import Keeper
from dlcli.rundir import Run
from dlcli.task import Arrays


class Line(task.Task):
    """y = 2 x0 - x1, to be found by one linear layer."""

    def loss(self):
        return keras.losses.MeanSquaredError()


def data(n=256, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype("float32")
    return Arrays(x, (2 * x[:, :1] - x[:, 1:]).astype("float32"))


def build():
    inputs = keras.Input((2,), name="x")
    return keras.Model(inputs, layers.Dense(1, name="line")(inputs))


def trained(tmp_path, **settings):
    return fit.train(
        build,
        Line(),
        FitConfig(**{"epochs": 12, "batch_size": 32, "weight_decay": 0.0, "warmup": 0.0, **settings}),
        train=data(),
        val=data(64, seed=1),
        labels=None,
        classes=0,
        run=Run(tmp_path),
        seed=0,
    )


def val_losses(tmp_path):
    return [json.loads(line)["val_loss"] for line in (tmp_path / "history.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "rate"),
    [("adamw", 0.1), ("adam", 0.1), ("sgd", 0.1), ("lion", 0.03), ("muon", 0.1), ("rmsprop", 0.05), ("adadelta", 30.0)],
)
def test_every_optimiser_learns_with_and_without_decay(name, rate, tmp_path):
    trained(tmp_path, optimizer=name, learning_rate=rate, weight_decay=1e-4)
    losses = val_losses(tmp_path)
    assert losses[-1] < 0.5 * losses[0]


def test_accumulated_batches_are_one_large_batch(tmp_path):
    """Four batches of 8 in one step of SGD are one batch of 32, as the mean of means."""
    kept = {}
    for name, settings in {"large": {"batch_size": 32}, "small": {"batch_size": 8, "accumulate": 4}}.items():
        (tmp_path / name).mkdir()
        done = trained(
            tmp_path / name, optimizer="sgd", beta_1=0.0, clip_norm=None, schedule="constant", epochs=2, **settings
        )
        kept[name] = done.model.get_weights()[0]
    np.testing.assert_allclose(kept["large"], kept["small"], rtol=1e-4)


def test_the_averaged_weights_are_what_is_kept(tmp_path):
    done = trained(tmp_path, optimizer="sgd", learning_rate=0.05, ema=0.9)
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded.get_weights()[0], done.model.get_weights()[0])
    x, y = data(64, seed=1).x, data(64, seed=1).y
    loss = float(np.mean((loaded.predict_on_batch(x) - y) ** 2))
    assert loss == pytest.approx(min(val_losses(tmp_path)), rel=1e-3)


def test_the_best_epoch_is_restored_when_later_ones_are_worse(tmp_path):
    """A rate that explodes after a good start."""
    done = trained(
        tmp_path, optimizer="sgd", learning_rate=0.9, clip_norm=None, schedule="constant", patience=2, epochs=40
    )
    losses = val_losses(tmp_path)
    x, y = data(64, seed=1).x, data(64, seed=1).y
    kept = float(np.mean((done.model.predict_on_batch(x) - y) ** 2))
    assert kept == pytest.approx(min(losses), rel=1e-3)


@pytest.mark.parametrize(("asked", "trained_for"), [(5, 5), (16, 16), (20, 20), (17, 18), (40, 42)])
def test_as_many_passes_are_trained_as_were_asked_for_where_a_pass_is_one_batch(tmp_path, asked, trained_for):
    """Of those several are one epoch of Keras, and all of these are of one length: one or two passes may come on top."""
    assert trained(tmp_path, batch_size=512, epochs=asked).epochs == trained_for


@pytest.mark.parametrize(("steps", "waits"), [(0, 2), (30, 2), (160, 10)])
def test_patience_lasts_as_many_steps_as_were_asked_for(tmp_path, steps, waits):
    """An epoch of 16 steps: 160 of them are ten epochs, which a patience of two does not cut short."""
    settings = {"optimizer": "sgd", "learning_rate": 0.9, "clip_norm": None, "schedule": "constant", "epochs": 60}
    done = trained(tmp_path, patience=2, patience_steps=steps, **settings)
    assert (done.epochs - done.best_epoch) // 2 == waits  # two passes over the data make an epoch
    assert done.epochs < 60


@pytest.mark.parametrize(
    ("logs", "best"),
    [
        ([(0.8, 0.5), (0.9, 0.9), (0.85, 0.4)], 2),  # more right, though less well calibrated
        ([(0.9, 0.5), (0.9, 0.4), (0.9, 0.6)], 2),  # as many right: the loss decides
        ([(0.9, float("nan")), (0.9, 0.7), (0.8, 0.1)], 2),
        ([(float("nan"), float("nan")), (0.1, 2.0), (0.1, 2.5)], 2),
    ],
)
def test_the_best_epoch_of_a_classifier_is_right_most_often_and_then_has_the_least_loss(tmp_path, logs, best):
    class Judge:
        monitor = Classification.monitor

    keeper = Keeper(Judge, Run(tmp_path))
    keeper.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    for epoch, (accuracy, loss) in enumerate(logs):
        keeper.on_epoch_begin(epoch)
        keeper.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
    assert keeper.best_epoch == best
    json.dumps(keeper.state()["best"], allow_nan=False)


@pytest.mark.parametrize(
    ("warmup", "steps", "expected"), [(0.05, 400, 20), (0.05, 60, 10), (0.0, 20, 6), (0.05, 31, 9)]
)
def test_a_short_training_warms_up_for_ten_steps_or_three_tenths(warmup, steps, expected):
    rate = optimize.schedule(FitConfig(learning_rate=1.0, warmup=warmup, warmup_steps=10), steps)
    assert int(np.argmax([float(rate(step)) for step in range(steps)])) == expected


def test_the_schedule_warms_up_and_ends_at_its_final_rate():
    """Linear to the peak over a tenth, then half a cosine (Loshchilov & Hutter, 2017)."""
    rate = optimize.schedule(FitConfig(learning_rate=1.0, warmup=0.1, final=0.1), 100)
    values = np.array([float(rate(step)) for step in range(101)])
    assert np.all(np.diff(values[:10]) > 0)
    assert values[10] == pytest.approx(1.0, abs=1e-5)
    expected = 0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * (np.arange(10, 101) - 10) / 90))
    np.testing.assert_allclose(values[10:], expected, atol=1e-4)


def test_the_schedule_lasts_to_the_end_where_gradients_are_added_up():
    """Keras asks it by batches, not by steps of the optimizer: it would be over after a quarter of training."""
    model = build()
    fit.compiled(model, Line(), FitConfig(learning_rate=1.0, warmup=0.0, accumulate=4), steps=80)
    for done, rate in ((0, 1.0), (40, 0.5), (80, 0.0)):
        model.optimizer._iterations.assign(done)
        assert float(model.optimizer.learning_rate) == pytest.approx(rate, abs=1e-4)


def test_a_line_of_progress_counts_passes_over_the_data(monkeypatch, capsys):
    """Several passes may be one epoch of Keras."""
    monkeypatch.setattr(progress, "_EVERY", 1e-9)
    monkeypatch.setattr(progress, "_PLAIN", 1e-9)
    watch = progress.Watch(batch_size=8, passes=3)
    watch.set_params({"epochs": 2, "steps": 6})
    watch.on_train_begin()
    for epoch in range(2):
        watch.on_epoch_begin(epoch)
        for batch in range(6):
            watch.on_train_batch_end(batch, {"loss": 1.0})
        watch.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 2.5})
    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert [(line[1], line[3]) for line in lines] == [(f"{(step + 1) // 2}/6", f"{step}/12") for step in range(2, 13)]
    assert [" ".join(line[4:8]) for line in lines[5:]] == ["loss 1.000 (val 2.500)"] * 6
