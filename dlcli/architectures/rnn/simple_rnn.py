"""Simple RNN (Elman, 1990): the state is one tanh of input and last state."""

from keras import layers

from dlcli.architectures.rnn._stack import stack

OFFERS = {"tokens", "series", "forecast", "causal"}
TINY = {"units": 8, "depth": 1}
FIT = {"epochs": 20, "steps": 1500, "batch_size": 32, "learning_rate": 2e-3, "clip_norm": 1.0, "weight_decay": 1e-4}


def build(task, *, units: int = 128, depth: int = 2, dropout: float = 0.1):
    """units: size of the state.  depth: recurrent layers.  dropout: fraction of each layer's output dropped."""

    def cell(units, name):
        return layers.SimpleRNN(units, return_sequences=True, name=name)

    return stack(task, cell, units=units, depth=depth, dropout=dropout)
