"""Convolutions that halve a picture down to a code, and others that double it up again."""

import math

from keras import layers


def encode(x, width: int, stages: int):
    """(B, H, W, C) -> (B, H / 2^stages, W / 2^stages, channels), odd sides rounded up."""
    for stage in range(stages):
        name = f"encoder_stage{stage}"
        x = layers.Conv2D(width * 2**stage, 3, 2, padding="same", use_bias=False, name=f"{name}_down")(x)
        x = hidden(x, name)
    return x


def decode(x, width: int, shape: list[int], stages: int):
    """(B, Z) -> (B, *shape): the way of `encode` in reverse."""
    sizes = [tuple(shape[:2])]
    for _ in range(stages):
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    first = (*sizes[-1], width * 2 ** (stages - 1))
    x = layers.Dense(math.prod(first), use_bias=False, name="decoder_project")(x)
    x = hidden(layers.Reshape(first, name="decoder_shape")(x), "decoder_project")
    for stage in reversed(range(stages)):
        channels = shape[2] if stage == 0 else width * 2 ** (stage - 1)
        name = "decoder_values" if stage == 0 else f"decoder_stage{stage}_up"
        # 4: a multiple of the stride leaves no checkerboard (Odena et al., 2016)
        x = layers.Conv2DTranspose(channels, 4, 2, padding="same", use_bias=stage == 0, name=name)(x)
        extra = [(0, have - want) for have, want in zip(x.shape[1:3], sizes[stage], strict=True)]
        if extra != [(0, 0), (0, 0)]:
            x = layers.Cropping2D(extra, name=f"{name}_crop")(x)
        if stage:
            x = hidden(x, f"decoder_stage{stage}")
    return x


def hidden(x, name: str):
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("relu", name=f"{name}_act")(x)
