"""What one training step of the resnet costs, by precision and by who normalises batches.

    python benchmarks/step_cost.py [WIDTH ...]

Keras writes batch normalisation out in operations; dlcli lets TensorFlow's one kernel do it (dlcli/fused.py).
Seconds of all cores for a batch of 128 pictures (32, 32, 3), the least of ten steps, and as a share of the first.
"""

import sys
import time

from dlcli import backend

BATCH, SIDE, CLASSES, STEPS = 128, 32, 10, 10


def main(widths: list[int]) -> None:
    backend.load("tensorflow")
    from keras import layers

    fused = layers.BatchNormalization.call
    for width in widths:
        first = None
        for precision in ("float32", "mixed_bfloat16"):
            for name, call in (("written out", fused.__wrapped__), ("one kernel", fused)):
                layers.BatchNormalization.call = call
                seconds = least(width, precision)
                first = first or seconds
                print(f"width {width}  {precision:14}  {name:11}  {seconds:.3f} s  {seconds / first:.2f}", flush=True)


def least(width: int, precision: str) -> float:
    import keras
    import numpy as np

    from dlcli.architectures.cnn import resnet

    keras.config.set_dtype_policy(precision)
    model = resnet.build(Pictures(), width=width)
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

        pooled = layers.GlobalAveragePooling2D()(x)
        return keras.Model(self.inputs, layers.Dense(CLASSES, dtype="float32")(pooled))


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [16, 32])
