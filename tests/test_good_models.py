"""Honest model files load as they always did: with the very outputs, and without a refusal."""

import importlib
import inspect
import pkgutil
import zipfile

import keras
import numpy as np
import pytest

from dlcli import finished, registry
from dlcli.safety import classes, preflight
from tests import good_models
from tests import test_contract as contract

APPLICATIONS = [
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "DenseNet121",
    "ResNet50",
    "ResNet50V2",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "NASNetMobile",
    "Xception",
    "InceptionV3",
    "ConvNeXtTiny",
    "VGG16",
]


# The others are no other for a reader, and slow to build.
QUICK = {
    "dense",
    "normalized",
    "convolutional",
    "shared",
    "operations",
    "initialized",
    "halves",
    "lookup",
    "no_weights",
}


def parts(builders):
    """One test for each; those that are not quick are marked so."""
    return [
        pytest.param(one, id=one.__name__, marks=[] if one.__name__ in QUICK else pytest.mark.slow) for one in builders
    ]


def same(path):
    """The outputs are those of Keras' own reading, to the bit."""
    expected = good_models.outputs(keras.saving.load_model(path, compile=False))
    found = good_models.outputs(finished.model(path))
    assert len(found) == len(expected)
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("build", parts(good_models.ALL))
def test_a_good_model_loads_as_keras_loads_it(build, tmp_path):
    """Nested, shared, recurrent, with operations, vocabularies, states of optimizers, every precision."""
    build().save(tmp_path / "model.keras")
    same(tmp_path / "model.keras")


@pytest.mark.parametrize("build", parts(good_models.OLDER))
def test_a_good_model_in_hdf5_loads_as_keras_loads_it(build, tmp_path):
    """The layout of Keras 2, with the optimizer's weights beside."""
    build().save(tmp_path / "model.h5")
    same(tmp_path / "model.h5")


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_applications_of_keras_load(name, tmp_path):
    """Without weights of others, at the smallest pictures that they take."""
    side = {"InceptionV3": 75, "Xception": 71}.get(name, 32)
    size = (side, side, 3)
    getattr(keras.applications, name)(weights=None, input_shape=size, include_top=name == "NASNetMobile", **(
        {"classes": 3} if name == "NASNetMobile" else {"pooling": "avg"})).save(tmp_path / "model.keras")  # fmt: skip
    same(tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(registry.entries("architectures")))
def test_every_architecture_of_dlcli_loads(name, tmp_path):
    """Built at TINY for the first task that it fits, saved as a run's model is."""
    case = next(case for case in contract._pairs() if case.values[2].name == name)
    task, kind, arch = case.values
    learned, _ = contract._learned(task, kind)
    arch.load().build(learned, **arch.literal("TINY", {})).save(tmp_path / "model.keras")
    same(tmp_path / "model.keras")


def test_the_layers_that_applications_bring_along_are_known():
    """They stand in no public module of Keras."""
    for info in pkgutil.iter_modules(importlib.import_module("keras.src.applications").__path__):
        name = f"keras.src.applications.{info.name}"
        if not name.endswith("_test"):
            own = {
                key
                for key, one in vars(importlib.import_module(name)).items()
                if inspect.isclass(one) and issubclass(one, keras.layers.Layer) and one.__module__ == name
            }
            assert own == classes.CLASSES.get(name, set()), name


def test_a_packed_archive_loads(tmp_path):
    """Keras does not pack; whoever packs a model again for a download has changed nothing."""
    good_models.dense().save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(
        tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED
    ) as packed:  # fmt: skip
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    same(tmp_path / "model.keras")


def test_the_lists_name_everything_that_keras_has():
    """A layer of a newer Keras is either allowed or known as code: this fails the day it appears."""
    for module, known in classes.CLASSES.items():
        if module.startswith("keras.src") or module in ("keras", "keras.models"):
            continue
        space = keras
        for part in module.split(".")[1:]:
            space = getattr(space, part)
        there = {name for name, one in vars(space).items() if inspect.isclass(one) and name[0].isupper()}
        assert known <= there, module
        assert there - known <= set(classes.CODE) | {"GPTQConfig", "AWQConfig", "OptimizerMap"}, module
    functions = {
        name
        for space in (keras.activations, keras.losses, keras.metrics)
        for name, one in vars(space).items()
        if inspect.isfunction(one)
    }
    assert set(classes.FUNCTIONS.split()) == functions - {"get", "serialize", "deserialize"}
    for module in classes.OPERATIONS:
        for name, one in vars(importlib.import_module(module)).items():
            if inspect.isclass(one) and issubclass(one, keras.Operation) and not name.startswith("_"):
                assert one.__module__ in classes.OPERATIONS | {"keras.src.ops.operation", "keras.src.ops.core"}, name


def test_reading_first_costs_little(tmp_path):
    """Looking at a file that was judged starts no second process."""
    good_models.dense().save(tmp_path / "model.keras")
    first = preflight.check(tmp_path / "model.keras")
    assert preflight.check(tmp_path / "model.keras") is first
    assert (first.values, first.arrays, first.layers, first.unfinite) == (26, 4, 3, [])
