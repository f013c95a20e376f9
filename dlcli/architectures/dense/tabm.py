"""Multilayer perceptrons that share their weights, for tables (Gorishniy et al., 2025, TabM).

The paper finds it the best of the deep models on its tables, with 32 members. On 30 % of training parts, learned from
the other 70 % (`dlcli train FOLDER --learning-rate …`, seed 0), it had with 1e-3 and 3e-3 (an mlp, gradient boosting):
accuracy on Adult 0.8657, 0.8656 (0.8648, 0.8669); RMSE of California's houses 47 668, 47 143 (48 711, 47 438), of hourly
air 51.9, 48.8 (53.0, 50.5), of Friedman's first function 1.111, 1.113 (1.251, 1.275); accuracy on four clusters a class
0.849, 0.862 (0.831, 0.801). With the scales behind the first layer, which is faster for wide tables, the last was 0.819.
"""

from dlcli.architectures.dense._hidden import hidden
from dlcli.members import Members

OFFERS = {"columns"}
TINY = {"width": 8, "depth": 1, "members": 2}
SCALE = {"depth": "depth", "width": "width"}
# A step takes 3 times as long as the mlp's with four members, 5 times with eight (benchmarks/step_cost.py). With four the
# numbers above were 0.8665, 47 441, 49.3, 1.133 and 0.856.
MANY = {"examples": 100_000, "options": {"members": 4}}
WITH = {"tabular-regression": {"dropout": 0.05}}
FIT = {"epochs": 30, "steps": 2000, "batch_size": 128, "learning_rate": 3e-3, "weight_decay": 0.01}


def build(task, *, width: int = 256, depth: int = 2, dropout: float = 0.2, members: int = 8):
    """width: units per layer.  depth: hidden layers.  dropout: fraction of units left out.  members: perceptrons that
    share the layers. Each sees the columns by scales of its own, answers by a head of its own and learns from its own
    error; their mean is the answer."""
    x = Members(members, name="members")(task.embed())
    return task.model(hidden(x, width=width, depth=depth, dropout=dropout), members=True)
