"""Conditional DCGAN with a projection discriminator (Miyato & Koyama, 2018): draws the class asked for."""

from dlcli.architectures.gan._adversarial import Adversarial
from dlcli.architectures.gan._convolutional import discriminator, generate

OFFERS = {"generator", "labels"}
TINY = {"width": 4}
SCALE = {"width": "width"}
FIT = {
    "optimizer": "adam",
    "learning_rate": 5e-4,
    "beta_1": 0.5,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup": 0.0,
    "clip_norm": None,
    "ema": 0.999,
    "batch_size": 64,
    "epochs": 20,
    "steps": 3_000,
}


def build(task, *, width: int = 48, loss: str = "non-saturating", spectral: bool = False, r1: float = 0.0):
    """width, loss, spectral, r1: as in dcgan.

    Labels go into the generator beside the noise (Mirza & Osindero, 2014);
    for pictures without classes it is a dcgan."""
    generator = task.wrap(generate(task.embed(task.latent), task.image, width))
    judge = discriminator(task.image, width, classes=len(task.classes), spectral=spectral, exact=spectral or r1 > 0)
    return Adversarial(generator, judge, loss=loss, r1=r1, name="model")
