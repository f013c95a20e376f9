"""What one training step costs: of the resnet by precision and by who normalises batches, of the vit by precision,
heads and activation, of inception-time by precision, of dense networks for tables by how many members they have.

    python benchmarks/step_cost.py

Keras writes batch normalisation out in operations; dlcli lets TensorFlow's one kernel do it (dlcli/fused.py).
Seconds of all cores for a batch of 128 pictures (32, 32, 3), of 16 series (steps, 1), or of 128 rows of 350 numbers; the least of ten steps, and as a share
of the first of its kind.
"""

import time

from dlcli import backend

PICTURES, ROWS, CLASSES, STEPS = (128, 32, 32, 3), (128, 350), 10, 10


def main() -> None:
    backend.load("tensorflow")
    from keras import layers

    from dlcli.architectures.cnn import inception_time, resnet
    from dlcli.architectures.dense import mlp, tabm
    from dlcli.architectures.transformer import vit

    fused = layers.BatchNormalization.call
    for width in (16, 32):
        first = None
        for precision in ("float32", "mixed_bfloat16"):
            for name, call in (("written out", fused.__wrapped__), ("one kernel", fused)):
                layers.BatchNormalization.call = call
                first = said(f"resnet width {width} {name}", resnet, precision, first, width=width)
    first = None
    for precision in ("float32", "mixed_bfloat16"):
        for heads, activation in ((4, "gelu"), (2, "gelu"), (2, "squared_relu")):
            name = f"vit {heads} heads {activation}"
            first = said(name, vit, precision, first, heads=heads, activation=activation, dropout=0.0)
    for steps in (128, 500):
        first = None
        for precision in ("float32", "mixed_bfloat16"):
            first = said(f"inception-time {steps} steps", inception_time, precision, first, shape=(16, steps, 1))
    first = said("mlp", mlp, "float32", None, shape=ROWS)
    for members in (4, 8):
        said(f"tabm {members} members", tabm, "float32", first, shape=ROWS, members=members)


def said(name: str, architecture, precision: str, first: float | None, shape=PICTURES, **options) -> float:
    """Print the seconds of a step, and return those of the first of its kind."""
    seconds = least(architecture, precision, shape, options)
    first = first or seconds
    print(f"{name:26} {precision:14} {seconds:.3f} s  {seconds / first:.2f}", flush=True)
    return first


def least(architecture, precision: str, shape: tuple[int, ...], options: dict) -> float:
    import keras
    import numpy as np

    keras.config.set_dtype_policy(precision)
    model = architecture.build(Classes(shape[1:]), **options)
    model.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    rng = np.random.default_rng(0)
    x = rng.random(shape, np.float32)
    y = rng.integers(0, CLASSES, shape[0])
    model.train_on_batch(x, y)
    taken = []
    for _ in range(STEPS):
        begun = time.process_time()
        model.train_on_batch(x, y)
        taken.append(time.process_time() - begun)
    return min(taken)


class Classes:
    """As much of a task as a classifier of pictures, series or rows asks for."""

    NEEDS = frozenset()

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def embed(self, width=None):
        import keras

        self.inputs = keras.Input(self.shape)
        return self.inputs

    def model(self, x, members: bool = False):
        import keras
        from keras import layers

        from dlcli.members import heads

        if members:
            return keras.Model(self.inputs, heads(x, CLASSES, "logits"))
        if len(x.shape) == 2:
            return keras.Model(self.inputs, layers.Dense(CLASSES, dtype="float32")(x))
        pool = layers.GlobalAveragePooling2D() if len(x.shape) == 4 else layers.GlobalAveragePooling1D()
        return keras.Model(self.inputs, layers.Dense(CLASSES, dtype="float32")(pool(x)))


if __name__ == "__main__":
    main()
