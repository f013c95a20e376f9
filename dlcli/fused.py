"""Batch normalisation by the one kernel that TensorFlow has for it.

Keras writes it out: moments, differences and products, each a pass over the whole batch and back again, and in half
precision all of them in float32. A fourth to more than a half of a step of the resnet went there (benchmarks/step_cost.py).
"""

import functools


def install() -> None:
    """Let every batch normalisation of Keras over the last of three or four axes use that kernel, on TensorFlow."""
    import tensorflow as tf
    from keras import layers

    written_out = layers.BatchNormalization.call
    if hasattr(written_out, "__wrapped__"):
        return

    @functools.wraps(written_out)
    def call(self, inputs, training=None, mask=None):
        rank = len(inputs.shape)
        last = self.axis in (-1, rank - 1)
        if rank not in (3, 4) or not last or mask is not None or self.renorm or self.synchronized:
            return written_out(self, inputs, training=training, mask=mask)
        x = inputs if rank == 4 else tf.expand_dims(inputs, 1)
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones_like(self.moving_mean)
        shift = tf.convert_to_tensor(self.beta) if self.center else tf.zeros_like(self.moving_mean)
        kernel = functools.partial(tf.raw_ops.FusedBatchNormV3, x=x, scale=scale, offset=shift, epsilon=self.epsilon)
        if training and self.trainable:
            y, mean, variance, *_ = kernel(mean=[], variance=[], is_training=True)
            # the kernel's variance is that of a sample: divided by n - 1
            n = tf.cast(tf.size(x) // tf.shape(x)[-1], variance.dtype)
            _follow(self.moving_mean, mean, self.momentum)
            _follow(self.moving_variance, variance * (n - 1) / n, self.momentum)
        else:
            mean, variance = tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
            y, *_ = kernel(mean=mean, variance=variance, is_training=False)
        return y if rank == 4 else tf.squeeze(y, 1)

    layers.BatchNormalization.call = call


def _follow(moving, value, momentum: float) -> None:
    moving.assign(moving * momentum + value * (1 - momentum))
