"""Networks for pictures: as large as their papers say, trainable at any depth."""

import keras
import numpy as np
import pytest

from dlcli import registry
from dlcli.tasks.image_classification import Task

NETWORKS = ("mlp", "lenet", "alexnet", "vgg", "resnet", "convnext", "vit")


def task(image, classes: int = 10) -> Task:
    """A task on pictures of a size, as if learned."""
    channels = image[2]
    return Task(
        classes=[str(i) for i in range(classes)],
        image=list(image),
        mean=[0.5] * channels,
        deviation=[0.25] * channels,
        augment=[],
        count=1,
    )


def build(name: str, image, classes: int = 10, **options) -> keras.Model:
    return registry.find("architectures", name).load().build(task(image, classes), **options)


def trainable(model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def of_type(model, kind) -> list:
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("image", [(28, 28, 1), (32, 32, 1)])
def test_lenet_has_the_weights_of_the_paper(image):
    """61,706: 156 + 2,416 + 48,120 + 10,164 + 850 (C3 fully connected)."""
    assert trainable(build("lenet", image)) == 61_706


def test_alexnet_has_the_weights_of_the_paper():
    """62,378,344 when the two groups are joined, for 227 x 227 and 1000 classes; counted here without
    the dense layers, which hold 58,631,144 of them."""
    model = build("alexnet", (227, 227, 3), 1000, width=96, dense=8)
    filters = [(11, 3, 96), (5, 96, 256), (3, 256, 384), (3, 384, 384), (3, 384, 256)]
    expected = [(k * k * i + 1) * o for k, i, o in filters]
    assert [layer.count_params() for layer in of_type(model, keras.layers.Conv2D)] == expected
    assert model.get_layer("flatten").output.shape[1] == 6 * 6 * 256
    assert sum(expected) + 9217 * 4096 + 4097 * 4096 + 4097 * 1000 == 62_378_344


@pytest.mark.parametrize(("depth", "count", "weights"), [(11, 8, 9_220_480), (16, 13, 14_714_688)])
def test_vgg_has_the_convolutions_of_the_paper(depth, count, weights):
    """VGG-16 without its dense layers has 14,714,688 weights, VGG-11 has 9,220,480."""
    model = build("vgg", (32, 32, 3), width=64, depth=depth, dense=0, norm=False)
    convolutions = of_type(model, keras.layers.Conv2D)
    assert len(convolutions) == count
    assert sum(layer.count_params() for layer in convolutions) == weights


@pytest.mark.parametrize("depth", [3, 5])
def test_resnet_has_the_depth_and_weights_of_the_paper(depth):
    """6n+2 layers; 0.27 and 0.46 million weights beside the shortcuts (He et al., 2015, table 6)."""
    model = build("resnet", (32, 32, 3), width=16, depth=depth)
    convolutions = of_type(model, keras.layers.Conv2D)
    shortcuts = [c for c in convolutions if c.name.endswith("shortcut")]
    assert len(convolutions) - len(shortcuts) + 1 == 6 * depth + 2
    assert sum(c.count_params() for c in shortcuts) == 16 * 32 + 32 * 64
    assert round((trainable(model) - 16 * 32 - 32 * 64) / 1e6, 2) == {3: 0.27, 5: 0.46}[depth]


def test_a_resnet_without_shortcuts_is_the_plain_network_of_the_same_depth():
    plain, residual = (build("resnet", (16, 16, 1), width=4, depth=5, shortcut=kind) for kind in ("none", "add"))
    assert not [layer.name for layer in plain.layers if isinstance(layer, keras.layers.Add)]

    def convolutions(model):
        return [layer.kernel.shape for layer in model.layers if "conv" in layer.name and hasattr(layer, "kernel")]

    assert convolutions(plain) == convolutions(residual)
    assert len(convolutions(plain)) == 31  # 32 layers with weights, the head being the last


def test_resnet_18_halves_large_pictures_five_times():
    """7 x 7 stem, pooling and four stages: 224 pixels -> 7, about 11.2 million weights without the head."""
    model = build("resnet", (224, 224, 3), 2, width=64, depth=2)
    assert model.get_layer("features").output.shape == (None, 7, 7, 512)
    assert abs(trainable(model) - 11.17e6) < 0.03e6


@pytest.mark.parametrize(("depth", "expected"), [(0, 7850), (1, 784 * 16 + 16 + 170), (2, 784 * 16 + 16 + 272 + 170)])
def test_mlp_counts(depth, expected):
    """depth=0 is the linear model, depth=1 the shallow network."""
    assert trainable(build("mlp", (28, 28, 1), width=16, depth=depth)) == expected


@pytest.mark.parametrize("image", [(5, 7, 1), (33, 20, 3), (130, 129, 3)])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_size_of_picture_fits(name, image, rng):
    """Odd, oblong, tiny and large pictures give finite probabilities."""
    tiny = registry.find("architectures", name).literal("TINY")
    model = build(name, image, 3, **tiny)
    p = np.asarray(model(rng.integers(0, 256, (2, *image)).astype("uint8")))
    assert p.shape == (2, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("option", [{"block": "bottleneck"}, {"dropout": 0.1}])
def test_resnet_options(option):
    assert build("resnet", (16, 16, 1), width=4, **option).output_shape == (None, 10)


def test_local_response_is_the_formula_of_the_paper(rng):
    """Against a loop in NumPy."""
    from dlcli.architectures.cnn.alexnet import LocalResponse

    x = rng.normal(0, 50, (1, 2, 2, 7)).astype("float32")
    expected = np.empty_like(x)
    for c in range(7):
        total = (x[..., max(0, c - 2) : c + 3] ** 2).sum(axis=-1)
        expected[..., c] = x[..., c] / (2 + 1e-4 * total) ** 0.75
    np.testing.assert_allclose(np.asarray(LocalResponse()(x)), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "options"), [("resnet", {"width": 4, "depth": 17}), ("mlp", {"width": 16, "depth": 100})]
)
def test_a_hundred_layers_learn(name, options, rng):
    """The loss falls at once: nothing vanishes or explodes on the way."""
    keras.utils.set_random_seed(0)
    model = build(name, (8, 8, 1), 2, **options)
    kind = keras.layers.Conv2D if name == "resnet" else keras.layers.Dense
    assert len(of_type(model, kind)) > 100
    x = rng.integers(0, 100, (16, 8, 8, 1)).astype("uint8")
    y = np.eye(2, dtype="float32")[np.arange(16) % 2]
    x[y[:, 1] == 1, :4] += 100
    losses = steps(model, x, y, 4, learning_rate=5e-3, eagerly=True)  # to compile it would take longer
    assert losses[0] < 3
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lenet", {}),
        ("resnet", {"width": 8}),
        pytest.param("convnext", {"width": 16, "depth": 1}, marks=pytest.mark.slow),
        pytest.param("vit", {"width": 16, "depth": 1}, marks=pytest.mark.slow),
    ],
)
def test_32_pictures_are_learned_by_heart(name, options, rng):
    """Pictures of noise with random classes."""
    keras.utils.set_random_seed(0)
    model = build(name, (12, 12, 1), 4, **options)
    x = rng.integers(0, 256, (32, 12, 12, 1)).astype("uint8")
    y = np.eye(4, dtype="float32")[rng.integers(0, 4, 32)]
    assert steps(model, x, y, 100, learning_rate=5e-3)[-1] < 0.1


def steps(model, x, y, count: int, *, learning_rate: float, eagerly: bool = False) -> list[float]:
    """Losses of so many steps on one batch."""
    model.compile(
        keras.optimizers.Adam(learning_rate), "categorical_crossentropy", jit_compile=False, run_eagerly=eagerly
    )
    return [float(np.asarray(model.train_on_batch(x, y))) for _ in range(count)]
