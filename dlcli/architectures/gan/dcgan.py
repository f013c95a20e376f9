"""DCGAN (Radford et al., 2016): transposed convolutions against convolutions."""

from dlcli.architectures.gan._adversarial import Adversarial
from dlcli.architectures.gan._convolutional import discriminator, generate

OFFERS = {"generator"}
TINY = {"width": 4}
SCALE = {"width": "width"}
FIT = {
    "optimizer": "adam",
    "learning_rate": 5e-4,
    "beta_1": 0.5,  # not 0.9: Radford et al. found it to oscillate
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
    """width: channels at half the picture's size; they double with every halving.
    loss: non-saturating or hinge.  spectral: spectral instead of batch normalization in the
    discriminator.  r1: weight of its gradient penalty."""
    generator = task.wrap(generate(task.embed(), task.image, width))
    judge = discriminator(task.image, width, classes=0, spectral=spectral, exact=spectral or r1 > 0)
    return Adversarial(generator, judge, loss=loss, r1=r1, name="model")
