"""The few layers that Keras does not have, registered so that a saved model finds them."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("dlcli")
def gelu_tanh(x):
    """GELU by its tanh formula (Hendrycks & Gimpel, 2016), as GPT-2 has it: it exports everywhere."""
    return ops.gelu(x, approximate=True)


@keras.saving.register_keras_serializable("dlcli")
def squared_relu(x):
    """max(0, x) squared: as good as GELU in the language models of So et al. (2021), by two cheap operations."""
    return ops.square(ops.relu(x))


@keras.saving.register_keras_serializable("dlcli")
class MaskedConv1D(layers.Conv1D):
    """A Conv1D, stride 1, to which masked (padding) steps are zeros, and which hands the mask on."""

    def __init__(self, filters, kernel_size, **kwargs):
        kwargs.setdefault("padding", "same")
        super().__init__(filters, kernel_size, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        return super().call(_zero_masked(inputs, mask))


@keras.saving.register_keras_serializable("dlcli")
class MaskedMaxPooling1D(layers.MaxPooling1D):
    """A MaxPooling1D, stride 1, that never takes a masked step, and hands the mask on."""

    def __init__(self, pool_size=3, **kwargs):
        kwargs |= {"strides": 1, "padding": "same"}
        super().__init__(pool_size, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        return super().call(_low_masked(inputs, mask))


@keras.saving.register_keras_serializable("dlcli")
class LargestOverTime(layers.Layer):
    """Each feature's largest value over the steps that are not masked: (B, T, C) -> (B, C); 0 where all are."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        largest = ops.max(_low_masked(x, mask), axis=1)
        if mask is None:
            return largest
        return ops.where(ops.any(mask, axis=1)[:, None], largest, ops.zeros_like(largest))

    def compute_mask(self, x, mask=None):
        return None


@keras.saving.register_keras_serializable("dlcli")
class PatchEmbedding(layers.Conv1D):
    """Cut a series into (overlapping) patches and see each through one linear map: (B, T, C) -> (B, N, filters).

    No step is dropped: `fill` says where steps are added so that whole patches fit: "after"
    (zeros behind the end), "before" (zeros, so that the last patch ends with the series) or
    "repeat" (the last value, `strides` more times: Nie et al., 2023). A patch counts as masked
    when its first step is.
    """

    def __init__(self, filters, kernel_size, *, fill="after", **kwargs):
        kwargs["padding"] = "valid"
        super().__init__(filters, kernel_size, **kwargs)
        self.fill = fill
        self.supports_masking = True

    def _added(self, steps):
        size, stride = self.kernel_size[0], self.strides[0]
        if self.fill == "repeat":
            return stride
        # ceil(T / stride) patches, one from every stride-th step: as many as a longer padding leaves unmasked
        return (-(-steps // stride) - 1) * stride + size - steps

    def call(self, inputs, mask=None):
        x = _zero_masked(inputs, mask)
        count = self._added(x.shape[1])
        if self.fill == "repeat":
            x = ops.concatenate([x, ops.repeat(x[:, -1:], count, axis=1)], axis=1)
        elif count:
            before = count if self.fill == "before" else 0
            x = ops.pad(x, [[0, 0], [before, count - before], [0, 0]])
        return super().call(x)

    def compute_mask(self, inputs, mask=None):
        if mask is None:
            return None
        return mask[:, :: self.strides[0]]

    def compute_output_shape(self, input_shape):
        steps = input_shape[1] + self._added(input_shape[1])
        return super().compute_output_shape((input_shape[0], steps, input_shape[2]))

    def get_config(self):
        config = super().get_config()
        del config["padding"]
        return {**config, "fill": self.fill}


@keras.saving.register_keras_serializable("dlcli")
class InstanceStandardize(layers.Layer):
    """Take a window's own level (and spread) out of it: RevIN without its affine part (Kim et al., 2022).

    (B, T, C) -> [the same standardised, level (B, 1, C), spread (B, 1, C)]. mode "revin": mean and
    standard deviation; "last": last value and 1 (NLinear, Zeng et al., 2023); "none": 0 and 1.
    """

    def __init__(self, mode="revin", **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)  # levels may be large: no bfloat16 here
        self.mode = mode

    def call(self, inputs):
        if self.mode == "revin":
            level = ops.mean(inputs, axis=1, keepdims=True)
            # 1e-5: the paper's guard against constant windows
            spread = ops.sqrt(ops.var(inputs, axis=1, keepdims=True) + 1e-5)
        else:
            level = inputs[:, -1:] if self.mode == "last" else ops.zeros_like(inputs[:, -1:])
            spread = ops.ones_like(level)
        return [(inputs - level) / spread, level, spread]

    def compute_output_shape(self, input_shape):
        one = (input_shape[0], 1, input_shape[2])
        return [input_shape, one, one]

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable("dlcli")
class InstanceRestore(layers.Layer):
    """Undo InstanceStandardize: [(B, F, C), level, spread] -> (B, F, C)."""

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)

    def call(self, inputs):
        x, level, spread = inputs
        return ops.cast(x, "float32") * spread + level

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable("dlcli")
class SeasonalRepeat(layers.Layer):
    """The last season of a window, over and over: (B, T, C) -> (B, horizon, C). A season of 1: the last value."""

    def __init__(self, season, horizon, **kwargs):
        super().__init__(**kwargs)
        self.season = season
        self.horizon = horizon

    def call(self, inputs):
        times = -(-self.horizon // self.season)
        return ops.tile(inputs[:, -self.season :], (1, times, 1))[:, : self.horizon]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.horizon, input_shape[2])

    def get_config(self):
        return {**super().get_config(), "season": self.season, "horizon": self.horizon}


@keras.saving.register_keras_serializable("dlcli")
class CombinedForecast(layers.Layer):
    """A network's forecast in training; otherwise two simple ones may have their shares in it: a linear map that is not
    trained, and the window's last value.

    Combinations of forecasts are better than most of their parts (Bates and Granger, 1969), more so where these err
    for different reasons. [(B, F, C), window (B, T, C)] -> (B, F, C). Without shares nothing is changed.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)

    def build(self, input_shape):
        outputs, window = input_shape
        self.kernel = self._kept("kernel", (window[1], outputs[1]))  # (T, F)
        self.shares = self._kept("shares", (2,))  # of the map, of the last value

    def _kept(self, name, shape):
        return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

    def call(self, inputs, training=False):
        outputs, window = inputs
        if training:
            return outputs
        straight = ops.transpose(ops.matmul(ops.transpose(window, (0, 2, 1)), self.kernel), (0, 2, 1))
        return outputs + (straight - outputs) * self.shares[0] + (window[:, -1:] - outputs) * self.shares[1]

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable("dlcli")
class ChannelsApart(layers.Layer):
    """Make every channel a series of its own: (B, T, C) -> (B * C, T, 1)."""

    def call(self, inputs):
        x = ops.transpose(inputs, (0, 2, 1))
        return ops.reshape(x, (-1, inputs.shape[1], 1))

    def compute_output_shape(self, input_shape):
        return (None, input_shape[1], 1)


@keras.saving.register_keras_serializable("dlcli")
class ChannelsTogether(layers.Layer):
    """Undo ChannelsApart for forecasts: (B * C, F) -> (B, F, C)."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, inputs):
        x = ops.reshape(inputs, (-1, self.channels, inputs.shape[1]))
        return ops.transpose(x, (0, 2, 1))

    def compute_output_shape(self, input_shape):
        return (None, input_shape[1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable("dlcli")
class ZeroChannels(layers.Layer):
    """Put channels of zeros evenly before and behind: (B, H, W, C) -> (B, H, W, channels)."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, inputs):
        more = self.channels - inputs.shape[-1]
        return ops.pad(inputs, [[0, 0], [0, 0], [0, 0], [more // 2, more - more // 2]])

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


def _zero_masked(x, mask):
    return x if mask is None else x * ops.cast(mask[..., None], x.dtype)


def _low_masked(x, mask):
    # -1e4 and not the lowest number: it must survive float16
    return x if mask is None else ops.where(mask[..., None], x, ops.cast(-1e4, x.dtype))
