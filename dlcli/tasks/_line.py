"""The linear map of a window beside a forecasting network (as the autoregressive part of Lai et al., 2018)."""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from dlcli import console, least_squares
from dlcli.layers import CombinedForecast
from dlcli.windows import Windows

LEARNED = 20_000  # windows at most, evenly from all
COMBINED = "head_combined"
_SIMPLE = ("the best linear map", "the last value")
_COUNTS = (2, 1, 0)  # so many of these beside the network; more are better than fewer
_CLEARLY = 1.01


def added(outputs, window, best: np.ndarray | None, *, begin: bool):
    """outputs (B, F, C), window (B, L, C) -> their sum with a trained map that all columns share, and the place where
    the best map may be combined with it (`settle`).

    best: map (L, F), None where it is not known.  begin: what is trained is the best one before training; otherwise, or
    where that is not known, the mean of the window (1/L, as in LTSF-Linear).
    """
    even = keras.initializers.Constant(1.0 / window.shape[1])
    line = layers.Permute((2, 1), name="head_linear_in")(window)
    dense = layers.Dense(outputs.shape[1], kernel_initializer=even, name="head_linear")
    line = layers.Permute((2, 1), name="head_linear_out")(dense(line))
    combined = CombinedForecast(name=COMBINED)
    outputs = combined([layers.Add(name="head_add")([outputs, line]), window])
    if best is not None:
        combined.kernel.assign(best)
        if begin:
            dense.kernel.assign(best)
    return outputs


def settle(model: keras.Model, loss: Callable[[], float] | None) -> None:
    """Forecast by the mean of the network, the best map and the last value, by that of the first two, or by the network
    alone: with fewer parts where the validation loss is clearly lower so. Equal shares are hard to beat (Smith and Wallis,
    2009), and the last value by far where a level moves.

    On 18 sets, none of them the test part of a forecast in the README (the hourly and weekly series of M4 without their
    last horizons; the first 7 200 training rows of ETTh1 and ETTh2 and 4 500 of the exchange rates, six times; two
    stretches of an air-quality table, five series of NAB, sunspots, temperatures, influenza; patchtst, seed 0, as in `dlcli
    train D/ETTh1.csv --arch patchtst --horizon 96 --set task.lookback=336 --set data.parts=4320,1440,1440`, with every
    combination scored after training), geometric mean of squared error by that of the map:

        network 1.021   with the map 0.994   with the last value 1.312   with both 1.146   the last value alone 2.019
        chosen by validation loss: network or with the map 1.004, or with both 0.992, or with the last value alone too 0.999

    All three were chosen four times, twice to the better (0.86 for 0.92, 0.984 for 0.988) and twice not (0.97 for 0.95,
    1.17 for 1.14). Of the airline passengers, left out above, the network alone had 0.10, and the choice was the mean with
    the map, 0.34: five validation windows favoured it. On ETTh2's own test part, 336 steps ahead with 336 of history, the
    choice is a bad one: 0.395, and with the map alone 0.358.
    """
    found = [layer for layer in model.layers if layer.name == COMBINED and np.any(layer.kernel)]
    if not found or loss is None:
        return

    def combine(count: int) -> None:
        found[0].shares.assign([1 / (1 + count) if i < count else 0 for i in range(len(_SIMPLE))])

    losses = {}
    for count in _COUNTS:
        combine(count)
        losses[count] = loss()
    within = _CLEARLY * min(losses.values())
    chosen = next((count for count in _COUNTS if losses[count] <= within), 0)  # where none is a number
    combine(chosen)
    if chosen:
        *first, last = "the network", *_SIMPLE[:chosen]
        told = f"validation loss {losses[chosen]:.4g}, of the network alone {losses[0]:.4g}"
        console.note(f"forecasts are the mean of {', '.join(first)} and {last}: {told}")


def best(windows: Windows, mode: str) -> np.ndarray | None:
    """The map that is best on the windows in closed form, so that a network adds to it and does not have to find it;
    None where too little is known.

    An lstm with 336 steps of history, trained on the first 3 540 days of the exchange rates, had on the next 1 771 (96 ahead)
    0.264 (MSE after the first pass) where it began so, and 0.274 where it began with the mean; the map alone 0.270
    (`dlcli train D/exchange_rate/exchange_rate.csv --horizon 96 --arch lstm --set task.lookback=336
    --set data.parts=3540,1771,0`, stopped after three passes). Not so patchtst, whose own
    head is large at the start: on the last third of ETTh1's training part 0.570 with the mean, and never below 0.585 so.
    """
    some = windows.some(least_squares.enough(LEARNED, windows.x.shape[1]))
    try:
        return least_squares.fitted(some, np.arange(len(some)), mode=mode, penalty=1e-3)
    except ValueError:
        return None
