"""Plain convolutional network: `depth` equal 3 x 3 convolutions, so that depth can be compared with nothing else changed."""

from keras import initializers, layers

OFFERS = {"pixels"}
TINY = {"width": 4, "depth": 2}
SCALE = {"depth": "depth", "width": "width"}
FIT = {"epochs": 15, "steps": 2000, "batch_size": 128, "learning_rate": 5e-3, "weight_decay": 0.02}


def build(task, *, width: int = 32, depth: int = 6, smallest: int = 4):
    """width: filters of every layer.  depth: convolutions; 1 is the shallow network, whose filters see
    3 x 3 pixels.  smallest: pictures are halved between the layers, at even steps, as long as the
    shorter side keeps so many pixels.  From the second layer on, each is added to its input (He et
    al., 2016), or the deep ones would not learn."""
    x = task.embed()  # (B, H, W, C)
    halvings = 0
    while min(x.shape[1:3]) >> (halvings + 1) >= smallest:
        halvings += 1
    halvings = min(halvings, depth - 1)
    # after these layers a pooling follows
    pooled = {round(depth * (i + 1) / (halvings + 1)) - 1 for i in range(halvings)}
    for i in range(depth):
        y = x
        if i:
            y = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"layer{i}_norm")(y)
            y = layers.ReLU(name=f"layer{i}_relu")(y)
        # all branches together begin with the size of what they are added to
        gain = 2.0 / (depth - 1) if i else 1.0
        start = initializers.VarianceScaling(gain, "fan_in", "truncated_normal")
        name = f"layer{i}_conv"
        y = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer=start, name=name)(y)
        x = layers.Add(name=f"layer{i}_add")([x, y]) if i else y
        if i in pooled:
            x = layers.MaxPooling2D(2, name=f"layer{i}_pool")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")(x)
    return task.model(layers.ReLU(name="relu")(x))
