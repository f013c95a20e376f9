"""Simple RNN (Elman, 1990): the state is one tanh of input and last state."""

from keras import layers

from dlcli.architectures.rnn._stack import stack

OFFERS = {"tokens", "series", "forecast", "causal"}
TINY = {"units": 8, "depth": 1}
SCALE = {"depth": "depth", "width": "units"}
# jit: on a CPU XLA was slow to start on the loop over steps and no faster after it; on a GPU it forgoes cuDNN.
FIT = {"steps": 1500, "batch_size": 32, "learning_rate": 1e-3, "patience": 5, "patience_steps": 400, "jit": False}

# As for the lstm. With 60 % of the training parts of Adiac, JapaneseVowels, SwedishLeaf and MedicalImages
# 0.318, 0.935, 0.793 and 0.583 of the others were right with 64 units and the mean alone, and 0.433, 0.954, 0.894 and 0.596 so.
TASK = {"pool": "mean-largest"}
WITH = {"sequence-classification": {"units": 128}}


def build(task, *, units: int = 64, depth: int = 2, dropout: float = 0.1):
    """units: size of the state.  depth: recurrent layers.  dropout: fraction of each layer's output dropped."""

    def cell(units, name):
        return layers.SimpleRNN(units, return_sequences=True, name=name)

    return stack(task, cell, units=units, depth=depth, dropout=dropout)
