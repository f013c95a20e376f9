"""LSTM (Hochreiter & Schmidhuber, 1997): gates decide what the state keeps."""

from keras import layers

from dlcli.architectures.rnn._stack import stack

OFFERS = {"tokens", "series", "forecast", "causal"}
TINY = {"units": 8, "depth": 1}
SCALE = {"depth": "depth", "width": "units"}
# jit: on a CPU XLA was slow to start on the loop over steps and no faster after it; on a GPU it forgoes cuDNN.
# 3e-3: of a third of the training parts of Adiac, FaceAll and OSULeaf (UCR) 0.51, 0.93 and 0.86 were right then, and 0.34,
# 0.90 and 0.82 with 1e-3.
FIT = {"steps": 1500, "batch_size": 32, "learning_rate": 3e-3, "patience": 5, "patience_steps": 400, "jit": False}

# With 60 % of the training parts, 64 units and the mean alone of the others 0.944, 0.894, 0.689 and 0.541 were right
# (JapaneseVowels in two draws, SwedishLeaf, MedicalImages, Adiac); so 0.972, 0.919, 0.709 and 0.643; the largest without more
# units made four sets better and three worse.
TASK = {"pool": "mean-largest"}
WITH = {"sequence-classification": {"units": 128}}


def build(task, *, units: int = 64, depth: int = 2, dropout: float = 0.1):
    """units: size of the state.  depth: recurrent layers.  dropout: fraction of each layer's output dropped."""

    def cell(units, name):
        return layers.LSTM(units, return_sequences=True, name=name)

    return stack(task, cell, units=units, depth=depth, dropout=dropout)
