"""The two networks of a DCGAN, for pictures of any size, with or without labels."""

import contextlib

import keras
from keras import layers

_SMALLEST = 7  # side from which the generator begins to double: 28 -> 14 -> 7, 32 -> 16 -> 8 -> 4
_KERNEL = 4  # a multiple of the stride leaves no checkerboard (Odena et al., 2016)


def sides(height: int, width: int) -> list[tuple[int, int]]:
    """(height, width) of every stage, the picture first; odd sides are rounded up."""
    found = [(height, width)]
    while max(found[-1]) > _SMALLEST:
        found.append(tuple((side + 1) // 2 for side in found[-1]))
    return found


def generate(x, shape: list[int], width: int):
    """Latent (B, Z) -> pictures in [-1, 1] (B, *shape); `width` channels in the last hidden stage."""
    sizes = sides(*shape[:2])
    stages = len(sizes) - 1
    (height, across), channels = sizes[-1], width * 2 ** max(stages - 1, 0)
    x = layers.Dense(height * across * channels, use_bias=False, name="generator_project")(x)
    x = layers.Reshape((height, across, channels), name="generator_reshape")(x)
    x = _hidden(x, "generator_stage0")
    for stage in range(1, stages):
        name = f"generator_stage{stage}"
        x = _doubled(x, channels // 2**stage, sizes[-1 - stage], use_bias=False, name=f"{name}_up")
        x = _hidden(x, name)
    x = layers.Identity(name="features")(x)
    if stages:
        x = _doubled(x, shape[2], sizes[0], name="head_up")
    else:
        x = layers.Conv2D(shape[2], 3, padding="same", name="head_up")(x)
    return layers.Activation("tanh", dtype="float32", name="head_pixels")(x)


def discriminator(shape: list[int], width: int, *, classes: int, spectral: bool, exact: bool) -> keras.Model:
    """Pictures (B, *shape), and labels where there are `classes`, -> logits (B, 1), above 0 for "real".

    spectral: spectral normalization (Miyato et al., 2018) instead of batch normalization.
    exact: in float32 whatever the precision of the rest. Keras' spectral normalization writes the
    kernel back in the compute type: in bfloat16, small updates would be lost.
    """
    with _policy("float32") if exact else contextlib.nullcontext():
        return _discriminator(shape, width, classes, spectral)


def _discriminator(shape, width, classes, spectral):
    def normed(layer):
        return layers.SpectralNormalization(layer, name=layer.name) if spectral else layer

    pictures = keras.Input(shape, name="discriminator_pictures")
    x = pictures
    for stage in range(len(sides(*shape[:2])) - 1):
        name = f"discriminator_stage{stage}"
        batch = stage > 0 and not spectral  # not on the first: Radford et al. found it to oscillate
        convolve = layers.Conv2D(width * 2**stage, _KERNEL, 2, padding="same", use_bias=not batch, name=f"{name}_down")
        x = normed(convolve)(x)
        if batch:
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_act")(x)
    x = layers.Flatten(name="discriminator_flat")(x)
    if not classes:
        x = normed(layers.Dense(1, name="discriminator_dense"))(x)
        return keras.Model(pictures, _logits(x), name="discriminator")
    # Projection (Miyato & Koyama, 2018): how real it is, plus how well it goes with the label.
    label = keras.Input((), dtype="int32", name="discriminator_label")
    x = normed(layers.Dense(4 * width, name="discriminator_hidden"))(x)
    x = layers.LeakyReLU(0.2, name="discriminator_hidden_act")(x)
    # not an Embedding: spectral normalization leaves that one without a gradient on TensorFlow
    known = layers.CategoryEncoding(classes, output_mode="one_hot", name="discriminator_one_hot")(label)
    known = normed(layers.Dense(4 * width, use_bias=False, name="discriminator_classes"))(known)
    match = layers.Dot(axes=1, name="discriminator_match")([x, known])
    real = normed(layers.Dense(1, name="discriminator_dense"))(x)
    logits = _logits(layers.Add(name="discriminator_sum")([real, match]))
    return keras.Model([pictures, label], logits, name="discriminator")


def _doubled(x, channels: int, size: tuple[int, int], *, name: str, use_bias: bool = True):
    """Twice the side, cut to the size asked for."""
    x = layers.Conv2DTranspose(channels, _KERNEL, 2, padding="same", use_bias=use_bias, name=name)(x)
    extra = [(0, have - want) for have, want in zip(x.shape[1:3], size, strict=True)]
    return layers.Cropping2D(extra, name=f"{name}_crop")(x) if extra != [(0, 0), (0, 0)] else x


def _hidden(x, name: str):
    # 0.9: the moving statistics then follow the weights' average closely enough to go with it
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_act")(x)


def _logits(x):
    return layers.Activation("linear", dtype="float32", name="discriminator_logits")(x)


@contextlib.contextmanager
def _policy(name: str):
    """Layers made in here have this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
