"""A budget of time, and steps that turn out slower or faster than those that the epochs were planned by."""

import re

import keras
import numpy as np
import pytest

from dlcli import pace
from dlcli.pace import Pace

STEPS, EPOCHS, PEAK = 20, 5, 0.1
# JAX lets the schedule be changed at the end of an epoch only, which are two here.
LOW = (0.25 if keras.backend.backend() == "jax" else 0.02) * PEAK


class Slow(keras.callbacks.Callback):
    """Lets a clock go on by so many seconds in every step, and notes the rate."""

    def __init__(self, seconds, look):
        super().__init__()
        self.seconds, self.look = seconds, look
        self.now = 0.0
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.now += self.seconds

    def on_test_end(self, logs=None):
        self.now += self.look

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


@pytest.fixture
def trained(monkeypatch):
    return lambda **options: fitted(monkeypatch, **options)


def fitted(monkeypatch, *, wait, budget, first=0, accumulate=None, look=0.0, looked=0.0):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    rate = keras.optimizers.schedules.CosineDecay(PEAK, decay_steps=EPOCHS * STEPS)
    made = keras.optimizers.SGD(rate, gradient_accumulation_steps=accumulate)
    model.compile(made, "mse")
    if first:
        made.build(model.trainable_variables)
        made.iterations.assign(first)
    x = np.zeros((STEPS, 2), np.float32)
    slow = Slow(wait, look)
    monkeypatch.setattr(pace, "monotonic", lambda: slow.now)
    callbacks = [slow, Pace(budget, looked)] if budget else [slow]
    model.fit(
        x,
        x[:, :1],
        batch_size=1,
        epochs=EPOCHS,
        validation_data=(x[:2], x[:2, :1]) if look else None,
        initial_epoch=first // STEPS,
        verbose=0,
        shuffle=False,
        callbacks=callbacks,
    )
    return made, slow


@pytest.mark.parametrize("accumulate", [None, 2])
def test_slow_steps_end_with_the_schedule_and_in_time(trained, accumulate):
    _, slow = trained(wait=0.15, budget=6.0, accumulate=accumulate)  # 100 steps would take 15 s
    assert slow.now <= 6.0 + 0.15
    assert len(slow.rates) < EPOCHS
    assert slow.rates[-1] < LOW
    assert all(later < earlier for earlier, later in zip(slow.rates, slow.rates[1:], strict=False))


def test_a_training_that_time_has_cut_short_says_so(trained, capsys):
    trained(wait=0.15, budget=4.0)
    said = re.search(r"time was up after (\d+) of (\d+) planned steps", capsys.readouterr().err)
    assert int(said[1]) < int(said[2]) / 2
    assert int(said[2]) == round(100 / pace.spare())  # of those that seemed to fit
    trained(wait=0.0, budget=600.0)
    assert "time was up" not in capsys.readouterr().err


def test_without_it_the_rate_would_still_be_high(trained):
    _, slow = trained(wait=0.0, budget=None)
    assert slow.rates[1] > 0.5 * PEAK  # where the slow training above had to stop


@pytest.mark.parametrize(("budget", "look"), [(60, 15.0), (18, 6.0)], ids=["measured", "estimated"])
def test_the_last_look_at_validation_is_in_time_too(trained, budget, look):
    """Of the first look it is only known that 18 batches of it take as long as six steps."""
    _, slow = trained(wait=1.0, budget=budget, look=look, looked=18)
    assert 0.85 * budget < slow.now <= budget + 1


def test_a_training_that_is_in_time_keeps_to_its_plan(trained):
    made, slow = trained(wait=0.0, budget=600.0)
    assert int(made.iterations) == EPOCHS * STEPS
    planned = [PEAK * (1 + np.cos(np.pi * done / EPOCHS)) / 2 for done in range(1, EPOCHS + 1)]
    assert slow.rates == pytest.approx(planned, abs=1e-6)


def test_one_that_goes_on_keeps_what_it_was_ahead(trained):
    _, slow = trained(wait=0.15, budget=4.0, first=40)  # 60 more would take 9 s
    assert slow.now <= 4.0 + 0.15
    assert slow.rates[-1] < LOW
