"""Honest models of many kinds, small: what must load as it always did."""

import keras
import numpy as np
from keras import layers, ops


def dense():
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(2)])


def normalized():
    x = keras.Input((3,))
    return keras.Model(x, layers.Dense(1)(layers.Normalization(mean=[0.0, 1.0, 2.0], variance=[1.0, 2.0, 3.0])(x)))


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(size=(50, 3)))
    return keras.Sequential([keras.Input((3,)), layer, layers.Dense(1)])


def convolutional():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.RandomFlip(),
            layers.Conv2D(4, 3, kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.SeparableConv2D(4, 3, depth_multiplier=2),
            layers.SpatialDropout2D(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, kernel_constraint="max_norm"),
        ]
    )


def recurrent():
    return keras.Sequential(
        [
            keras.Input((6, 2)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(3)),
            layers.RNN(layers.StackedRNNCells([layers.GRUCell(3), layers.LSTMCell(2)]), return_sequences=True),
            layers.GRU(4),
        ]
    )


def stateful():
    return keras.Sequential([keras.Input(batch_shape=(2, 5, 3)), layers.LSTM(4, stateful=True), layers.Dense(1)])


def attention():
    x = keras.Input((5, 8))
    y = layers.MultiHeadAttention(2, 4)(x, x)
    return keras.Model(x, layers.LayerNormalization()(x + y * 0.5))


def grouped_attention():
    x = keras.Input((5, 8))
    return keras.Model(x, layers.RMSNormalization()(layers.GroupQueryAttention(4, 4, 2)(x, x)))


def embedding():
    return keras.Sequential(
        [keras.Input((7,), dtype="int32"), layers.Embedding(50, 6, mask_zero=True), layers.LSTM(3), layers.Dense(1)]
    )


def shared():
    tower = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Activation("gelu")], name="tower")
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    return keras.Model([left, right], layers.Dot(1)([tower(left), tower(right)]))


def nested():
    x = inner = keras.Input((4,))
    for depth in range(4):
        inner = keras.Model(x, layers.Dense(4, name=f"d{depth}")(inner), name=f"m{depth}")(x)
    return keras.Model(x, inner)


def many_outputs():
    x = keras.Input((4,))
    trunk = layers.Dense(3)(x)
    return keras.Model(x, {"a": layers.Dense(1, name="a")(trunk), "b": layers.Dense(2, name="b")(trunk)})


def operations():
    x = keras.Input((4, 4))
    y = ops.reshape(ops.relu(ops.matmul(x, ops.transpose(x, (0, 2, 1)))), (-1, 16))
    return keras.Model(x, ops.concatenate([y, ops.sum(x, axis=-1) / 2.0], axis=-1) + np.ones(20, "float32"))


def einsum():
    x = keras.Input((4, 6))
    return keras.Model(x, layers.EinsumDense("abc,cd->abd", (4, 8), bias_axes="d")(x))


def initialized():
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(
                4,
                kernel_initializer=keras.initializers.Constant(0.5),
                bias_initializer=keras.initializers.RandomNormal(seed=1),
                activation=keras.activations.leaky_relu,
                activity_regularizer=keras.regularizers.L1L2(1e-4, 1e-4),
            ),
        ]
    )


def functions():
    """Activations as functions."""
    x = keras.Input((3,))
    return keras.Model(
        x, layers.Dense(2, activation=keras.activations.tanh)(layers.Activation(keras.activations.mish)(x))
    )


def mixed():
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, dtype="mixed_bfloat16"), layers.Dense(2, dtype="float32")]
    )


def halves():
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, dtype="bfloat16"), layers.Dense(2, dtype="float16")])


def compiled():
    """With an optimizer's state, a schedule, losses and metrics."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(8), layers.Dropout(0.1, seed=1), layers.Dense(1)])
    rate = keras.optimizers.schedules.CosineDecay(1e-3, 100)
    model.compile(keras.optimizers.AdamW(rate, use_ema=True), loss="mse", metrics=["mae", keras.metrics.R2Score()])
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 3)), rng.normal(size=(8, 1)), verbose=0)
    return model


def frozen():
    model = convolutional()
    model.layers[1].trainable = False
    model.trainable = False
    return model


def transposed():
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(32),
            layers.Reshape((4, 4, 2)),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
            layers.UpSampling2D(2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.GroupNormalization(3),
        ]
    )


def lookup():
    """Words are looked up in a vocabulary of its own, which lies in the archive."""
    layer = layers.TextVectorization(output_sequence_length=4)
    layer.adapt(["the red sun", "a blue moon", "http://example.org is a word"])
    return keras.Sequential([keras.Input((1,), dtype="string"), layer, layers.Embedding(12, 3), layers.Flatten()])


def discretized():
    return keras.Sequential(
        [keras.Input((2,)), layers.Discretization([0.0, 0.5]), layers.CategoryEncoding(4, output_mode="multi_hot")]
    )


def spectral():
    return keras.Sequential([keras.Input((3,)), layers.SpectralNormalization(layers.Dense(4))])


def large_bias():
    return keras.Sequential([keras.Input((1,)), layers.Dense(300_000), layers.Reshape((300, 1000))])


def no_weights():
    return keras.Sequential([keras.Input((4, 4, 1)), layers.MaxPooling2D(2), layers.Flatten()])


def quantized():
    model = dense()
    model.quantize("int8")
    return model


ALL = (
    dense, normalized, adapted, convolutional, recurrent, stateful, attention, grouped_attention, embedding, shared,
    nested, many_outputs, operations, einsum, initialized, functions, mixed, halves, compiled, frozen, transposed,
    lookup, discretized, spectral, large_bias, no_weights, quantized,
)  # fmt: skip
# What HDF5 files of the older layout can hold.
OLDER = (dense, convolutional, recurrent, einsum, shared, embedding, compiled)


def inputs(model, seed: int = 0):
    """Two random examples of the model's own input."""
    rng = np.random.default_rng(seed)
    made = []
    for one in model.inputs:
        shape = (2, *(side or 4 for side in one.shape[1:]))
        if one.dtype == "string":
            import tensorflow

            made.append(tensorflow.constant([["the blue sun"], ["moon"]]))
        elif "int" in one.dtype:
            made.append(rng.integers(0, 9, shape).astype(one.dtype))
        else:
            made.append(rng.random(shape).astype("float32"))
    return made[0] if len(made) == 1 else made


def outputs(model) -> list[np.ndarray]:
    """What it makes of them, one array per output."""
    found = model(inputs(model), training=False)
    return [np.asarray(keras.ops.convert_to_numpy(one)) for one in keras.tree.flatten(found)]
