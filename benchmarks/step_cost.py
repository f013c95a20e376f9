"""What one training step costs: of the resnet by precision and by who normalises batches, of the vit by precision,
heads and activation.

    python benchmarks/step_cost.py

Keras writes batch normalisation out in operations; dlcli lets TensorFlow's one kernel do it (dlcli/fused.py).
Seconds of all cores for a batch of 128 pictures (32, 32, 3), the least of ten steps, and as a share of the first of its kind.
"""

import time

from dlcli import backend

BATCH, SIDE, CLASSES, STEPS = 128, 32, 10, 10


def main() -> None:
    backend.load("tensorflow")
    from keras import layers

    from dlcli.architectures.cnn import resnet
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


def said(name: str, architecture, precision: str, first: float | None, **options) -> float:
    """Print the seconds of a step, and return those of the first of its kind."""
    seconds = least(architecture, precision, options)
    first = first or seconds
    print(f"{name:26} {precision:14} {seconds:.3f} s  {seconds / first:.2f}", flush=True)
    return first


def least(architecture, precision: str, options: dict) -> float:
    import keras
    import numpy as np

    keras.config.set_dtype_policy(precision)
    model = architecture.build(Pictures(), **options)
    model.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    rng = np.random.default_rng(0)
    x = rng.random((BATCH, SIDE, SIDE, 3), np.float32)
    y = rng.integers(0, CLASSES, BATCH)
    model.train_on_batch(x, y)
    taken = []
    for _ in range(STEPS):
        begun = time.process_time()
        model.train_on_batch(x, y)
        taken.append(time.process_time() - begun)
    return min(taken)


class Pictures:
    """As much of a task as a classifier of pictures asks for."""

    def embed(self):
        import keras

        self.inputs = keras.Input((SIDE, SIDE, 3))
        return self.inputs

    def model(self, x):
        import keras
        from keras import layers

        pool = layers.GlobalAveragePooling2D() if len(x.shape) == 4 else layers.GlobalAveragePooling1D()
        return keras.Model(self.inputs, layers.Dense(CLASSES, dtype="float32")(pool(x)))


if __name__ == "__main__":
    main()
