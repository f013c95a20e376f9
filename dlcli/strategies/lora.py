"""The body frozen but for small matrices of low rank beside its kernels (LoRA, Hu et al., 2021)."""

from dataclasses import replace

import keras
from keras import layers

from dlcli import rundir
from dlcli.errors import DlcliError
from dlcli.transfer import states
from dlcli.transfer.work import Adapted, Work, adapted

FEATURES = True
ORDER = 50
RATE = 0.3


def adapt(work: Work, *, rank: int = 8) -> Adapted:
    """rank: of the matrices. They are added to the kernels at the end: the model is an ordinary one."""

    def build():
        model = work.start()
        enable(model, rank)
        return model

    result = adapted(work.fit(build, rate=RATE))
    plain = work.origin.make()
    merge(result.fitted.model, plain)
    for target in (work.run.model, work.run.last):
        rundir.keep(target, plain)
    return replace(result, fitted=replace(result.fitted, model=plain), more={"rank": rank})


def enable(model: keras.Model, rank: int) -> None:
    """Freeze the body, and set matrices of this rank beside every kernel that can have them.

    Raises: DlcliError when none can.
    """
    found = [layer for layer in states.body(model) if _can(layer, rank)]
    if not found:
        raise DlcliError(
            "no layer of the body takes LoRA: it is for dense layers, embeddings and ordinary convolutions.",
            "use --strategy gradual.",
        )
    states.freeze(model)
    for layer in found:
        layer.trainable = True
        layer.enable_lora(rank)
        if getattr(layer, "bias", None) is not None:
            layer.bias.trainable = False


def _can(layer, rank: int) -> bool:
    weight = (
        getattr(layer, "embeddings", None) if isinstance(layer, layers.Embedding) else getattr(layer, "kernel", None)
    )
    return hasattr(layer, "enable_lora") and weight is not None and min(weight.shape[-2:]) > rank


def merge(trained: keras.Model, plain: keras.Model) -> None:
    """Give `plain` the weights of a model of the same layers, each kernel with its matrices added."""
    for source, target in zip(states.weighted(trained), states.weighted(plain), strict=True):
        if getattr(source, "lora_enabled", False):
            name = "embeddings" if isinstance(source, layers.Embedding) else "kernel"
            getattr(target, name).assign(getattr(source, name))
            if getattr(target, "bias", None) is not None:
                target.bias.assign(source.bias)
        else:
            for theirs, ours in zip(states.own(source), states.own(target), strict=True):
                ours.assign(theirs)
