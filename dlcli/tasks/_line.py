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
    """Forecast by the mean of the network and the best map, unless the validation loss is clearly lower without the map,
    or there is none: of few windows the map may be a bad one. Equal shares are hard to beat (Smith and Wallis, 2009).

    Trained on half of the training part, chosen by the next eighth, scored on the last (`dlcli train D/ETTh1.csv --set
    data.parts=5760,1440,1440`, of exchange rates 3540,885,886; patchtst with 336 steps of history; ratio to the map's error
    alone, geometric means over columns): 336 ahead ETTh1 0.995 by the network, 0.994 by the mean,
    ETTh2 0.987 and 0.951; 96 ahead ETTh2 1.004 and 0.976; patchtst, 96 steps of exchange rates, 336 ahead, 0.996 and
    0.993; lstm, 336 steps, 96 ahead, 0.963 and 0.974. On the eighth that chose the mean was better in four, by up to 10 %,
    and 0.1 % worse in the second. On that of M4's hours it was 2.5 % worse (patchtst), and is not taken.
    """
    found = [layer for layer in model.layers if layer.name == COMBINED and np.any(layer.kernel)]
    if not found or loss is None:
        return
    share = found[0].share
    share.assign(0.0)
    alone = loss()
    share.assign(0.5)
    if (both := loss()) < _CLEARLY * alone:
        console.note(
            f"forecasts are the mean of the network's and a linear map's: validation loss {both:.4g}, not {alone:.4g}"
        )
    else:
        share.assign(0.0)


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
