"""Looking into a model changes nothing in it, sees every layer, and pools what it sees as NumPy does."""

import keras
import numpy as np
import pytest
from keras import layers

from dlcli.inspection import taps, tree
from dlcli.inspection.gradients import at_layers
from dlcli.inspection.subject import batch_size, batches
from dlcli.inspection.tap import Tap, traced
from dlcli.inspection.twin import untrained
from dlcli.inspection.watch import Watch, pooled, timed


class Tower(keras.Model):
    """Two convolutions of its own, and a sum that is no layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Conv2D(4, 3, padding="same"), layers.Conv2D(4, 3, padding="same")
        self.head = layers.Dense(3)

    def call(self, x):
        x = self.first(x)
        return self.head(keras.ops.mean(x + self.second(x), axis=(1, 2)))


class Twice(layers.Layer):
    """A layer of layers that calls one of them inside another's name scope."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(4, name="inner")

    def call(self, x):
        return self.inner(x) + self.inner(2 * x)


def flat():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="head"),
        ],
        name="flat",
    )


def nested():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu")])
    inputs = keras.Input((8, 8, 3))
    middle = keras.Model(inputs, layers.Conv2D(2, 1, name="conv")(inner(inputs)), name="middle")
    return keras.Sequential([keras.Input((8, 8, 3)), middle, layers.Flatten(), layers.Dense(2)], name="outer")


def shared():
    inputs = keras.Input((5,))
    dense = layers.Dense(5, activation="tanh", name="dense")
    return keras.Model(inputs, layers.Dense(2, name="head")(dense(dense(inputs))), name="shared")


def several():
    left, right = keras.Input((4,), name="left"), keras.Input((6,), name="right")
    both = layers.Concatenate(name="both")([layers.Dense(3, name="a")(left), layers.Dense(3, name="b")(right)])
    return keras.Model([left, right], layers.Dense(2, name="head")(both), name="several")


def named():
    """Inputs by name, not in the order of the alphabet: those of a table with numbers and words."""
    left, right = keras.Input((6,), name="numeric"), keras.Input((4,), name="marks")
    both = layers.Concatenate(name="both")([layers.Dense(3, name="a")(left), layers.Dense(3, name="b")(right)])
    return keras.Model({"numeric": left, "marks": right}, layers.Dense(2, name="head")(both), name="named")


def subclassed():
    model = Tower(name="tower")
    model(np.zeros((1, 8, 8, 3), "float32"))
    return model


def wrapped():
    inputs = keras.Input((6, 4))
    x = layers.TimeDistributed(layers.Dense(5, name="step"), name="steps")(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.GRU(4, name="gru")(x)), name="wrapped")


def layered():
    inputs = keras.Input((5,))
    return keras.Model(inputs, Twice(name="twice")(inputs), name="layered")


BUILDERS = {f.__name__: f for f in (flat, nested, shared, several, named, subclassed, wrapped, layered)}
SHAPES = {
    "flat": [(8, 8, 3)],
    "nested": [(8, 8, 3)],
    "shared": [(5,)],
    "several": [(4,), (6,)],
    "named": {"numeric": (6,), "marks": (4,)},
    "subclassed": [(8, 8, 3)],
    "wrapped": [(6, 4)],
    "layered": [(5,)],
}


def shaken(model):
    """The model with weights that no initialiser gives: biases too."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(np.abs(rng.normal(size=weight.shape)) if "variance" in weight.path else rng.normal(size=weight.shape) * 0.5)  # fmt: skip
    return model


def example(name: str, n: int = 5):
    rng = np.random.default_rng(2)
    if isinstance(SHAPES[name], dict):
        return {key: rng.normal(size=(n, *shape)).astype("float32") for key, shape in SHAPES[name].items()}
    many = [rng.normal(size=(n, *shape)).astype("float32") for shape in SHAPES[name]]
    return many if len(many) > 1 else many[0]


@pytest.fixture(scope="module")
def models():
    return {name: shaken(build()) for name, build in BUILDERS.items()}


def numbers(x) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x))


@pytest.mark.parametrize("name", BUILDERS)
def test_a_tap_changes_no_bit_and_sees_every_layer(name, models):
    """The output is the same to the bit, and each layer that is not inside a recurrent one is visited."""
    model, x = models[name], example(name)
    before = numbers(model(x))
    with Tap() as visits:
        after = numbers(model(x))
    assert np.array_equal(before, after)
    every = list(model._flatten_layers())
    unused = {id(layer.cell) for layer in every if isinstance(layer, layers.RNN)}
    # a TimeDistributed runs what its layer computes, and does not call the layer
    unused |= {id(layer.layer) for layer in every if isinstance(layer, layers.TimeDistributed)}
    unused |= {id(layer) for layer in every if isinstance(layer, layers.InputLayer)}
    expected = {id(layer) for layer in every} - unused
    seen = {id(visit.layer) for visit in visits if isinstance(visit.layer, layers.Layer)}
    assert seen == expected
    assert np.array_equal(numbers(model(x)), before)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_visit_holds_what_the_layer_gave(name, models):
    """The last visit is the model's own, and no key comes twice."""
    model, x = models[name], example(name)
    with Tap() as visits:
        after = model(x)
    assert visits[-1].layer is model
    assert visits[-1].path == model.name
    assert np.array_equal(numbers(visits[-1].output), numbers(after))
    keys = [visit.key for visit in visits]
    assert len(set(keys)) == len(keys)


def test_a_shared_layer_is_visited_once_for_each_call(models):
    """Calls 0 and 1, and the second reads what the first gave."""
    with Tap() as visits:
        models["shared"](example("shared"))
    first, second = (visit for visit in visits if visit.layer.name == "dense")
    assert (first.key, second.key) == ("shared/dense", "shared/dense#1")
    assert (first.call, second.call) == (0, 1)
    assert second.inputs[0] is first.output


def test_equal_names_in_different_models_have_different_paths(models):
    """A name alone would take one convolution for the other."""
    with Tap() as visits:
        models["nested"](example("nested"))
    paths = [visit.path for visit in visits if visit.layer.name == "conv"]
    assert len(paths) == 2
    assert len(set(paths)) == 2
    assert all(path.startswith("outer/middle/") for path in paths)


def test_a_layer_called_twice_in_a_layer_is_visited_twice(models):
    """Being the innermost layer a moment ago does not hide the second call."""
    with Tap() as visits:
        models["layered"](example("layered"))
    assert [visit.key for visit in visits if visit.layer.name == "inner"] == [
        "layered/twice/inner",
        "layered/twice/inner#1",
    ]


def test_cells_of_recurrent_layers_are_not_visited(models):
    """A cell runs once for every step, in loops that no value may leave."""
    with Tap() as visits:
        models["wrapped"](example("wrapped"))
    kinds = [type(visit.layer).__name__ for visit in visits]
    assert kinds.count("LSTM") == 2
    assert kinds.count("GRU") == 1
    assert not [kind for kind in kinds if kind.endswith("Cell")]
    inside = [v.path for v in visits if any(f"/{name}/" in f"{v.path}/" for name in ("gru/gru_cell", "lstm_cell"))]
    assert not inside


def test_calls_are_restored_also_after_an_exception(models):
    """Whatever happens inside, Keras is afterwards what it was, and a new tap works."""

    class Broken(Exception):
        pass

    def fails(visit):
        if visit.layer.name == "relu":
            raise Broken

    before = (keras.layers.Layer.__call__, keras.Operation.__call__)
    with pytest.raises(Broken), Tap(change=fails) as visits:
        models["flat"](example("flat"))
    assert (keras.layers.Layer.__call__, keras.Operation.__call__) == before
    assert [visit.layer.name for visit in visits] == ["conv", "norm", "relu"]
    with Tap() as again:
        models["flat"](example("flat"))
    assert [visit.path for visit in again][-1] == "flat"
    assert (keras.layers.Layer.__call__, keras.Operation.__call__) == before


def test_a_changed_output_is_what_the_rest_sees(models):
    """The head of a network whose features are set to 0 answers with its bias."""
    head = models["flat"].get_layer("head")
    with Tap(change=lambda visit: visit.output * 0 if visit.layer.name == "pool" else None):
        answer = numbers(models["flat"](example("flat")))
    assert answer == pytest.approx(np.tile(numbers(head.bias), (5, 1)), abs=1e-6)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_compiled_pass_gives_the_rows_of_an_eager_one(name, models):
    """Rows of all places, compiled and eagerly, differ by rounding alone."""
    model, x = models[name], example(name)
    # what a TimeDistributed calls may be called once for every step, or once for all
    places = [v.key for v in _visits(model, x) if isinstance(v.layer, layers.Layer) and "/steps/" not in v.path]
    eager = {}

    def look(visit):
        if visit.key in places:
            eager[visit.key] = numbers(pooled(visit.output))

    with Tap(change=look):
        model(x, training=False)
    rows = Watch(model, places).rows(x, None, 5)
    assert set(rows) == set(places)
    for key in places:
        assert rows[key] == pytest.approx(eager[key], abs=1e-4)
        assert rows[key].shape == eager[key].shape


def _visits(model, x):
    with Tap() as visits:
        model(x)
    return visits


def test_the_rows_of_batches_are_the_rows_of_all(models):
    """A last batch that was filled up adds no rows."""
    x = example("flat", 11)
    watch = Watch(models["flat"], ["flat/relu", "flat/head"])
    whole = watch.gathered(batches(lambda rows: x[rows], 11, None, 11))
    parts = watch.gathered(batches(lambda rows: x[rows], 11, None, 4))
    for key, values in whole.items():
        assert len(values) == 11
        assert parts[key] == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "subclassed"])
def test_a_trace_without_data_gives_shapes(name, models):
    """Keys and shapes are those of a call with data; nothing has values."""
    model = models[name]
    with Tap() as visits:
        model(example(name, 1))
    known = {v.key: tuple(v.output.shape) for v in visits if hasattr(v.output, "shape")}
    trace = {v.key: tuple(v.output.shape) for v in traced(model) if hasattr(v.output, "shape")}
    layers_only = {v.key for v in visits if isinstance(v.layer, layers.Layer)}
    # the steps of TimeDistributed may be traced in another number than they are run
    several_times = {key for key in layers_only if "#" in key and "/steps/" in key}
    assert {key: known[key] for key in layers_only - several_times} == {
        key: trace[key] for key in layers_only - several_times
    }


def test_a_trace_needs_no_more_than_an_open_size():
    """Sides that a model leaves open are None in the table and in the choice of a batch size, on both backends."""
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(inputs)))
    visits = traced(model)
    row = next(row for row in tree.layers(model, visits) if row.name == "conv")
    assert row.output_shape == (None, None, None, 4)
    assert (row.flops, row.memory_bytes, row.parameters) == (None, None, 112)
    assert 8 <= batch_size(visits) <= 128


def test_every_layer_has_a_time(models):
    """A model takes at least as long as the longest layer inside it."""
    times = timed(models["flat"], example("flat"))
    assert set(times) >= {"flat", "flat/conv", "flat/head"}
    assert times["flat"] >= max(value for key, value in times.items() if key != "flat")


# What is worth measuring


def places_of(model, inputs=None) -> dict[str, str]:
    """Name of the reported layer -> name of the layer whose output is looked at."""
    cut = len(model.name) + 1
    return {place.name[cut:]: place.key[cut:] for place in taps.chosen(traced(model, inputs))}


def test_convolution_norm_and_activation_are_one_place(models):
    """Named after the convolution, looked at behind the activation."""
    assert places_of(models["flat"]) == {"conv": "relu", "head": "head"}


def test_an_activation_inside_a_layer_and_a_dropout_do_not_matter():
    """Dropout, reshaping, pooling and identity pass on: no place is named after them."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.Dropout(0.5, name="dropped"),
            layers.Identity(name="same"),
            layers.MaxPooling2D(name="less"),
            layers.Conv2D(4, 3, name="second"),
            layers.Dropout(0.5, name="dropped_too"),
            layers.BatchNormalization(name="norm"),
            layers.Identity(name="same_too"),
            layers.Activation("relu", name="relu"),
            layers.Flatten(name="flat"),
            layers.Dense(2, name="head"),
        ],
        name="m",
    )
    assert places_of(model) == {"first": "first", "second": "relu", "head": "head"}


class Handing(layers.Layer):
    """Hands on the very tensor it is given, as some custom layers do at inference."""

    def call(self, x):
        return x


def test_a_layer_that_returns_its_very_input_does_not_hang():
    """One in a row of such layers, before and behind norms and activations, is as if it were not there."""
    inputs = keras.Input((6,))
    x = Handing(name="one")(inputs)
    x = layers.Dense(4, name="dense")(Handing(name="two")(x))
    x = layers.ReLU(name="relu")(Handing(name="four")(layers.BatchNormalization(name="norm")(Handing(name="three")(x))))
    model = keras.Model(inputs, layers.Dense(2, name="head")(Handing(name="five")(x)), name="m")
    assert places_of(model) == {"dense": "relu", "head": "head"}


def residual() -> keras.Model:
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(layers.Rescaling(1 / 255, name="scaled")(inputs))
    y = layers.Conv2D(4, 3, padding="same", name="one")(x)
    y = layers.ReLU(name="relu_one")(layers.BatchNormalization(name="norm_one")(y))
    y = layers.BatchNormalization(name="norm_two")(layers.Conv2D(4, 3, padding="same", name="two")(y))
    x = layers.ReLU(name="relu_sum")(layers.Add(name="sum")([x, y]))
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x)), name="m")


def test_the_sum_of_a_residual_block_is_a_place():
    """The stem, what is inside the block, the sum behind its activation; not the branch that only goes into the sum."""
    assert places_of(residual()) == {"stem": "stem", "one": "relu_one", "sum": "relu_sum", "head": "head"}


def test_what_a_skip_reads_behind_a_pool_is_a_place_of_its_own():
    """Pool -> norm -> relu does not stand for the sum before the pool, which would then be told twice."""
    x = layers.Input((8, 8, 3), name="image")
    y = layers.Add(name="sum")([layers.Conv2D(4, 3, padding="same", name="one")(x), layers.Conv2D(4, 1, name="two")(x)])
    pooled = layers.MaxPooling2D(name="pool")(y)
    z = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(pooled))
    out = layers.Add(name="next")([pooled, layers.Conv2D(4, 3, padding="same", name="three")(z)])
    model = keras.Model(x, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(out)))
    names = [place.name.rpartition("/")[2] for place in taps.chosen(traced(model))]
    assert names == ["sum", "relu", "next", "head"]


def test_what_prepares_the_input_is_no_place():
    """Scaling, padding and reshaping before the first weights are the input still."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, name="conv"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(2, name="head"),
        ],
        name="m",
    )
    assert list(places_of(model)) == ["conv", "head"]


def test_wholes_are_one_place(models):
    """Attention, recurrent layers and wrappers are not taken apart."""
    inputs = keras.Input((6, 8))
    x = layers.LayerNormalization(name="before")(inputs)
    x = layers.Add(name="sum")([inputs, layers.MultiHeadAttention(2, 4, name="attention")(x, x)])
    model = keras.Model(inputs, layers.Dense(2, name="head")(x), name="m")
    assert [name for name in places_of(model) if name.startswith("attention/")] == []
    assert {"sum", "head"} <= set(places_of(model))
    assert list(places_of(models["wrapped"])) == ["steps", "both", "gru", "head"]


def test_the_sum_of_a_subclassed_block_is_a_place():
    """A sum by + inside a layer's call is an operation and no layer, and is seen all the same."""

    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.conv = layers.Conv2D(4, 3, padding="same", name="conv")

        def call(self, x):
            return x + self.conv(x)

    inputs = keras.Input((8, 8, 3))
    x = Block(name="block")(layers.Conv2D(4, 1, name="stem")(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x)), name="m")
    found = places_of(model)
    assert {"stem", "block", "head"} <= set(found)


# Gradients


def test_the_gradient_at_the_features_of_a_linear_head_is_its_weights(rng):
    """A zero added to a layer's output has the gradient of the output: of one logit, the head's own column, to the bit."""
    inputs = keras.Input((6,))
    features = layers.Dense(5, activation="tanh", name="features")(inputs)
    model = shaken(keras.Model(inputs, layers.Dense(3, name="head")(features), name="m"))
    x = rng.normal(size=(4, 6)).astype("float32")
    outputs, slopes = at_layers(model, x, ["m/features"], lambda output, _: keras.ops.sum(output[:, 1]))
    column = numbers(model.get_layer("head").kernel)[:, 1]
    assert np.array_equal(slopes["m/features"], np.tile(column, (4, 1)))
    first = model.get_layer("features")
    assert outputs["m/features"] == pytest.approx(np.tanh(x @ numbers(first.kernel) + numbers(first.bias)), abs=1e-6)


# The untrained twin


def all_values(model) -> list[np.ndarray]:
    return [numbers(variable).copy() for variable in model.variables]


def test_the_twin_has_other_weights_and_the_model_gets_its_own_back(models):
    """Inside every kernel differs; behind, every variable is what it was to the bit."""
    model, x = models["flat"], example("flat", 32)
    before = all_values(model)
    with untrained(model, x, seed=0) as twin:
        inside = all_values(twin)
        kernels = [i for i, variable in enumerate(model.variables) if variable.path.endswith("kernel")]
        assert kernels
        for i in kernels:
            assert not np.isclose(inside[i], before[i]).any()
    for one, other in zip(before, all_values(model), strict=True):
        assert np.array_equal(one, other)


def test_weights_come_back_after_an_exception(models):
    """Also when what was measured on the twin fails, and when the batch does not fit."""
    model = models["flat"]
    before = all_values(model)
    with pytest.raises(ZeroDivisionError), untrained(model, example("flat"), seed=0):
        _ = 1 / 0
    assert all(np.array_equal(a, b) for a, b in zip(before, all_values(model), strict=True))
    with pytest.raises(Exception, match=r".+"), untrained(model, np.zeros((2, 3), "float32"), seed=0):
        pass
    assert all(np.array_equal(a, b) for a, b in zip(before, all_values(model), strict=True))
    norm = model.get_layer("norm")
    assert (norm.momentum, norm.trainable) == (0.99, True)


def test_the_twins_statistics_are_those_of_its_own_activations(models):
    """Each batch normalisation has mean and variance of what reaches it, also behind another one, also frozen."""
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="norm_one")(layers.Conv2D(4, 3, name="one")(inputs))
    x = layers.BatchNormalization(name="norm_two", trainable=False)(layers.Conv2D(5, 3, name="two")(layers.ReLU()(x)))
    model = shaken(keras.Model(inputs, x, name="m"))
    batch = 3 + 2 * example("flat", 16)
    with untrained(model, batch, seed=3) as twin:
        with Tap() as visits:
            twin(batch, training=False)
        for name in ("norm_one", "norm_two"):
            reaches = numbers(next(v for v in visits if v.layer.name == name).inputs[0])
            norm = model.get_layer(name)
            assert numbers(norm.moving_mean) == pytest.approx(reaches.mean(axis=(0, 1, 2)), abs=1e-4)
            assert numbers(norm.moving_variance) == pytest.approx(reaches.var(axis=(0, 1, 2)), rel=1e-3, abs=1e-5)
            out = numbers(next(v for v in visits if v.layer.name == name).output)
            assert out.mean(axis=(0, 1, 2)) == pytest.approx(0, abs=1e-3)
    assert model.get_layer("norm_two").trainable is False


def test_the_same_seed_gives_the_same_twin(models):
    """And another seed another."""
    model, x = models["flat"], example("flat", 8)

    def twin(seed):
        with untrained(model, x, seed=seed) as found:
            return all_values(found)

    first, again, other = twin(5), twin(5), twin(6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.isclose(first[0], other[0]).any()


def test_a_table_that_was_computed_stays_what_it_is():
    """Waves for places, say: nobody learned them, so an untrained network has them too."""

    class Waves(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(name="table", shape=(6, shape[-1]), trainable=False)
            self.table.assign(np.sin(np.arange(6)[:, None] / (1 + np.arange(shape[-1])[None])))

        def call(self, x):
            return x + self.table

    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, layers.Dense(3, name="head")(Waves(name="waves")(inputs)))
    before = numbers(model.get_layer("waves").table).copy()
    with untrained(model, np.zeros((4, 6, 4), "float32"), seed=0) as twin:
        assert np.array_equal(numbers(twin.get_layer("waves").table), before)


def test_weights_without_an_initialiser_are_the_same_values_in_another_order():
    """What nobody knows how to draw is permuted; what was learned of the data's scale stays."""

    class Own(layers.Layer):
        def build(self, shape):
            self.factors = self.add_weight(name="factors", shape=(shape[-1], 7))

        def call(self, x):
            return keras.ops.matmul(x, self.factors)

    scale = layers.Normalization()
    scale.adapt(np.arange(40, dtype="float32").reshape(8, 5))
    model = keras.Sequential([keras.Input((5,)), scale, Own()])
    shaken_values = np.arange(35, dtype="float32").reshape(5, 7)
    model.layers[1].factors.assign(shaken_values)
    mean = numbers(scale.mean).copy()
    with untrained(model, example("shared"), seed=0):
        inside = numbers(model.layers[1].factors)
        assert not np.array_equal(inside, shaken_values)
        assert np.array_equal(np.sort(inside.ravel()), shaken_values.ravel())
        assert np.array_equal(numbers(scale.mean), mean)


# Pooling


def test_pooled_features_are_means_and_deviations(rng):
    """(B, C) as it is; (B, ..., C) mean and deviation over all positions, of the population."""
    flat_rows, picture, volume = (
        rng.normal(size=(3, 5)),
        rng.normal(size=(3, 4, 6, 5)),
        rng.normal(size=(2, 3, 4, 2, 5)),
    )
    assert numbers(pooled(flat_rows.astype("float32"))) == pytest.approx(flat_rows, abs=1e-6)
    for values in (picture, volume):
        axes = tuple(range(1, values.ndim - 1))
        expected = np.concatenate([values.mean(axis=axes), values.std(axis=axes)], axis=1)
        assert numbers(pooled(values.astype("float32"))) == pytest.approx(expected, abs=1e-5)


def test_pooled_sequences_have_their_last_step_too(rng):
    """(B, T, C): mean, deviation, last; or the values at one step."""
    x = rng.normal(size=(4, 9, 3))
    expected = np.concatenate([x.mean(axis=1), x.std(axis=1), x[:, -1]], axis=1)
    assert numbers(pooled(keras.ops.convert_to_tensor(x.astype("float32")))) == pytest.approx(expected, abs=1e-5)
    at = np.array([0, 3, 8, 5])
    share = ((at + 0.5) / 9).astype("float32")
    taken = numbers(pooled(keras.ops.convert_to_tensor(x.astype("float32")), keras.ops.convert_to_tensor(share)))
    assert taken == pytest.approx(x[np.arange(4), at], abs=1e-6)


def test_positions_are_read_as_shares_where_a_layer_has_fewer_steps(rng):
    """Step 5 of 8 is step 2 behind a pooling by 2; every step of the input reads its own step where none is lost."""
    inputs = keras.Input((8, 3))
    model = keras.Model(
        inputs, layers.AveragePooling1D(2, name="pool")(layers.Dense(4, name="dense")(inputs)), name="m"
    )
    x = rng.normal(size=(8, 8, 3)).astype("float32")
    at = np.arange(8)
    rows = Watch(model, ["m/dense", "m/pool"]).rows(x, at, 8)
    dense = numbers(model.get_layer("dense")(x))
    assert rows["m/dense"] == pytest.approx(dense[np.arange(8), at], abs=1e-5)
    assert rows["m/pool"] == pytest.approx(numbers(model(x))[np.arange(8), at // 2], abs=1e-5)


@pytest.mark.parametrize("compiled", [True, False])
def test_masked_steps_are_not_counted(rng, compiled):
    """Mean, deviation and last step are those of the steps that are there, compiled and eagerly."""
    inputs = keras.Input((7, 3))
    masked = layers.Masking(name="masked")(inputs)
    model = keras.Model(inputs, layers.LSTM(4, return_sequences=True, name="lstm")(masked), name="m")
    x = rng.normal(size=(4, 7, 3)).astype("float32")
    lengths = [7, 4, 1, 6]
    for row, length in zip(x, lengths, strict=True):
        row[length:] = 0
    out = numbers(model(x))
    expected = [np.concatenate([v[:n].mean(axis=0), v[:n].std(axis=0), v[n - 1]]) for v, n in zip(out, lengths, strict=True)]  # fmt: skip
    if compiled:
        found = Watch(model, ["m/lstm"]).rows(x, None, 4)["m/lstm"]
    else:
        kept = {}
        with Tap(change=lambda visit: kept.update({visit.key: pooled(visit.output)})):
            model(x)
        found = numbers(kept["m/lstm"])
    assert found == pytest.approx(np.stack(expected), abs=2e-4)
