"""CIFAR ResNet (He et al., 2015, section 4.2): 6n + 2 layers, shortcuts without weights; n = 3 is ResNet-20."""

from keras import layers

from dlcli.layers import ZeroChannels

OFFERS = {"pixels"}
TINY = {"width": 4, "depth": 1}
SCALE = {"depth": "depth", "width": "width"}
FIT = {"epochs": 15, "steps": 2000, "batch_size": 128, "learning_rate": 5e-3, "weight_decay": 0.02}


def build(task, *, width: int = 16, depth: int = 3):
    """width: filters of the first stage, twice as many in each of the next two.  depth: blocks per stage:
    3, 5, 7, 9 for ResNet-20, 32, 44, 56.

    Convolution, norm, activation, as in 2015, and padded evenly on all sides as in PyTorch: published
    weights of that network give the same answers here.
    """
    x = _convolution(task.embed(), "stem_conv", width)  # (B, H, W, width)
    x = layers.ReLU(name="stem_relu")(_norm(x, "stem_norm"))
    for stage in range(3):
        for i in range(depth):
            stride = 2 if stage and i == 0 else 1
            x = _residual(x, f"stage{stage}_block{i}", filters=width * 2**stage, stride=stride)
    return task.model(x)


def _residual(x, name: str, *, filters: int, stride: int):
    """Two convolutions, added to their input.  (B, H, W, C) -> (B, H/stride, W/stride, filters)

    The shortcut is the paper's option A: every second row and column, new channels zero.
    """
    y = _convolution(x, f"{name}_conv0", filters, stride)
    y = layers.ReLU(name=f"{name}_relu0")(_norm(y, f"{name}_norm0"))
    y = _norm(_convolution(y, f"{name}_conv1", filters), f"{name}_norm1")
    if stride > 1:
        x = layers.AveragePooling2D(1, stride, name=f"{name}_shortcut_pick")(x)
    if x.shape[-1] != filters:
        x = ZeroChannels(filters, name=f"{name}_shortcut_widen")(x)
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.ReLU(name=f"{name}_relu1")(x)


def _convolution(x, name: str, filters: int, stride: int = 1):
    if stride > 1:
        # "same" would add a row below and none above
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.Conv2D(
        filters,
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def _norm(x, name: str):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
