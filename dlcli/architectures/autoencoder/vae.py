"""Variational autoencoder (Kingma & Welling, 2014): new examples can be drawn from its codes."""

from dlcli.architectures.autoencoder._dense import decode, encode
from dlcli.architectures.autoencoder._latent import draw

OFFERS = {"pixels", "series", "columns", "bottleneck"}
TINY = {"width": 16, "depth": 1}
SCALE = {"depth": "depth", "width": "width"}
FIT = {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0, "batch_size": 128, "epochs": 40, "steps": 600}


def build(task, *, width: int = 400, depth: int = 1, beta: float = 1.0):
    """width: of each hidden layer.  depth: hidden layers on each side.  beta: weight of the divergence; below 1 sharper,
    above 1 with more independent codes (Higgins et al., 2017)."""
    widths = [width] * depth
    latent = draw(encode(task.embed(), widths), task.code, weight=beta / task.nats)
    return task.model(decode(latent, widths, task.shape))
