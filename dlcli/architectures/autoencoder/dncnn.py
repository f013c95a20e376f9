"""DnCNN (Zhang et al., 2017): plain convolutions that learn the noise and take it away."""

from keras import initializers, layers

OFFERS = {"pixels", "denoiser"}
TINY = {"width": 4, "depth": 3}
SCALE = {"depth": "depth", "width": "width"}
FIT = {"optimizer": "adam", "learning_rate": 2e-3, "weight_decay": 0.0, "batch_size": 32, "epochs": 20, "steps": 600}


def build(task, *, width: int = 32, depth: int = 8):
    """width: channels of each convolution but the last.  depth: convolutions in all; each sees one pixel further."""
    pictures = task.embed()
    x = layers.Conv2D(width, 3, padding="same", activation="relu", name="body_block0_conv")(pictures)
    for i in range(1, depth - 1):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"body_block{i}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"body_block{i}_norm")(x)
        x = layers.Activation("relu", name=f"body_block{i}_act")(x)
    # It begins by taking almost nothing away, and so with the error of the noise alone.
    little = initializers.VarianceScaling(1e-4)
    noise = layers.Conv2D(task.shape[2], 3, padding="same", kernel_initializer=little, name="body_noise")(x)
    return task.model(layers.Subtract(name="body_subtract")([pictures, noise]))
