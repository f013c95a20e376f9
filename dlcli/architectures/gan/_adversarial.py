"""A generator that is trained by a discriminator, with one loss and Keras' own training step.

What this form asks of whoever changes it:

1. Losses are `keras.losses` objects: they know how many replicas share the batch, `ops.mean` does not.
2. Both networks are updated at once, each against the other of the step before. Adam with beta_1
   of 0.5 and an average of the weights keep that stable.
3. One step of the discriminator per step of the generator. Penalties on the gradient of the inputs
   need a second derivative that Keras has no name for; R1 is taken by a finite difference instead.
4. Names of layers begin with "generator_" or "discriminator_", so that an optimizer can tell them
   apart by the paths of their variables.
5. The loss says nothing of the pictures: the task keeps the last weights, not the "best".
6. Noise comes with the batch; the generator itself holds no random state.
"""

import keras
from keras import ops

_SIGMA = 0.05  # of the noise that R1 looks along, in pictures of [-1, 1]


@keras.saving.register_keras_serializable("dlcli")
class Adversarial(keras.Model):
    """The graph is the generator's, so that predict, export and evaluate need no special case.

    x: noise (B, Z), or a dict with it and "label" (B,).  y: real pictures (B, H, W, C) in [-1, 1].
    y_pred: generated pictures, alike.  loss: "non-saturating" (Goodfellow et al., 2014) or "hinge"
    (Lim & Ye, 2017).  r1: weight of the squared gradient at real pictures (Mescheder et al., 2018).
    """

    def __init__(self, generator, discriminator, *, loss="non-saturating", r1=0.0, **kwargs):
        super().__init__(generator.input, generator.output, **kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.form = loss
        self.r1 = r1
        judge, fool = {"non-saturating": ("softplus", "softplus"), "hinge": ("relu", "linear")}[loss]
        self.judge_loss, self.fool_loss = Margin(judge), Margin(fool)
        self.slope_loss = keras.losses.MeanSquaredError()
        self.seeds = keras.random.SeedGenerator(0)
        self.d_loss = keras.metrics.Mean("d_loss")
        self.g_loss = keras.metrics.Mean("g_loss")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        discriminator = self.discriminator
        labelled = len(discriminator.inputs) == 2

        def seen(pictures):
            return [pictures, x["label"]] if labelled else pictures

        y_pred = ops.cast(y_pred, "float32")
        real = discriminator(seen(y), training=training)  # (B, 1) logits
        fake = discriminator(seen(ops.stop_gradient(y_pred)), training=training)
        d_loss = self.judge_loss(ops.ones_like(real), real) + self.judge_loss(-ops.ones_like(fake), fake)
        if self.r1 and training:
            noise = keras.random.normal(ops.shape(y), seed=self.seeds)
            beside = discriminator(seen(y + _SIGMA * noise), training=training)
            # E[(noise . gradient)^2] is the squared length of the gradient
            d_loss = d_loss + self.r1 / 2 * self.slope_loss(real, beside) / _SIGMA**2

        # The generator learns through a frozen copy; what that pass would do to the moving
        # statistics is dropped, as the pass before has seen the same pictures.
        frozen = [ops.stop_gradient(v.value) for v in discriminator.trainable_variables]
        state = [v.value for v in discriminator.non_trainable_variables]
        fooled, _ = discriminator.stateless_call(frozen, state, seen(y_pred), training=training)
        g_loss = self.fool_loss(ops.ones_like(fooled), fooled)

        self.d_loss.update_state(d_loss)
        self.g_loss.update_state(g_loss)
        return d_loss + g_loss

    def get_config(self):
        return {
            "name": self.name,
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "loss": self.form,
            "r1": self.r1,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            part: keras.saving.deserialize_keras_object(config.pop(part), custom_objects)
            for part in ("generator", "discriminator")
        }
        return cls(**parts, **config)


@keras.saving.register_keras_serializable("dlcli")
class Margin(keras.losses.Loss):
    """f(-sign * logit), its "relu" with a margin of 1.  y_true: +1 for "real", -1 for "generated"."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, y_true, y_pred):
        margin = y_true * y_pred
        if self.function == "softplus":
            losses = ops.softplus(-margin)
        elif self.function == "relu":
            losses = ops.relu(1.0 - margin)
        else:
            losses = -margin
        return ops.mean(losses, axis=-1)

    def get_config(self):
        return {**super().get_config(), "function": self.function}
