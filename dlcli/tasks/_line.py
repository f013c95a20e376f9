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
_COMBINATIONS = ((1, 1), (1, 0), (0, 1), (0, 0))  # which of these beside the network; more are better than fewer
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
    """Forecast by the mean of the network, the best map and the last value, or of fewer of them where the validation loss
    is clearly lower so; by the network alone where there is none. Equal shares are hard to beat (Smith and Wallis, 2009).

    Trained on half of the training part, chosen by the next eighth, scored on the last (`dlcli train D/ETTh1.csv --set
    data.parts=5760,1440,1440`, of exchange rates 3540,885,886): squared error by that of the map. A star is what was chosen.

        steps ahead, of history            network   with the map   with the last value   with both
        patchtst  ETTh1 336, 336           0.997     0.995*         1.574                 1.234
                  ETTh1 96, 96             1.033     1.000*         1.784                 1.370
                  ETTh2 336, 336           1.163     1.070          0.901                 0.926*
                  ETTh2 96, 336            1.275     1.107          0.859*                0.890
                  exchange rates 336, 96   0.993     0.991          0.992                 0.994*
        lstm      ETTh2 96, 336            1.553     1.200          0.926*                0.930
                  exchange rates 96, 336   0.954     0.969          0.885*                0.918

    ETTh2's errors there are mostly those of one column, whose level moves. Where the last value is bad (ETTh1), the
    validation loss says so at once. Where it says little, the choice is a gamble: on ETTh2's own test part, 336 steps
    ahead and back, all three have 0.395, and without the last value 0.358.
    """
    found = [layer for layer in model.layers if layer.name == COMBINED and np.any(layer.kernel)]
    if not found or loss is None:
        return

    def combine(parts: tuple[int, int]) -> None:
        found[0].shares.assign([shared / (1 + sum(parts)) for shared in parts])

    losses = {}
    for parts in _COMBINATIONS:
        combine(parts)
        losses[parts] = loss()
    within = _CLEARLY * min(losses.values())
    chosen = next((parts for parts in _COMBINATIONS if losses[parts] <= within), (0, 0))  # where none is a number
    combine(chosen)
    if any(chosen):
        *first, last = "the network", *(name for name, shared in zip(_SIMPLE, chosen, strict=True) if shared)
        told = f"validation loss {losses[chosen]:.4g}, of the network alone {losses[0, 0]:.4g}"
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
