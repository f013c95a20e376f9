"""Convolutional variational autoencoder: new pictures can be drawn from its codes."""

from keras import layers

from dlcli.architectures.autoencoder._convolutional import decode, encode
from dlcli.architectures.autoencoder._latent import draw

OFFERS = {"pixels", "bottleneck"}
TINY = {"width": 4, "stages": 1}
SCALE = {"depth": "stages", "width": "width"}
FIT = {"optimizer": "adam", "learning_rate": 2e-3, "weight_decay": 0.0, "batch_size": 128, "epochs": 20, "steps": 600}


def build(task, *, width: int = 24, stages: int = 2, beta: float = 1.0):
    """width, stages: as in conv-autoencoder.  beta: as in vae."""
    x = layers.Flatten(name="encoder_flat")(encode(task.embed(), width, stages))
    latent = draw(x, task.code, weight=beta / task.nats)
    return task.model(decode(latent, width, task.shape, stages))
