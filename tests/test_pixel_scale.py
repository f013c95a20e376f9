"""The scale of pixels that a network was trained with, found without its data."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_sample_images

from dlcli import pixel_scale, pretrained, reference
from tests.conftest import shared


def trained_with(scale: str) -> keras.Model:
    """Random filters, and a batch normalisation that has seen parts of two photographs in that scale."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(16, 3, strides=2, name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    model = keras.Model(inputs, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D()(x)))
    photographs = np.stack(load_sample_images().images).astype("float32")
    parts = photographs[:, :384, :640].reshape(2, 6, 64, 10, 64, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 64, 64, 3)
    seen = np.asarray(model.get_layer("conv")(pretrained.RANGES[scale](parts)))
    model.get_layer("norm").set_weights(
        [np.ones(16), np.zeros(16), seen.mean(axis=(0, 1, 2)), seen.var(axis=(0, 1, 2))]
    )
    return model


@pytest.mark.parametrize("scale", ["0..255", "0..1", "-1..1"])
def test_the_scale_of_photographs_is_found(scale, tmp_path, capsys):
    model = trained_with(scale)
    assert pixel_scale.by_norms(model, pretrained.RANGES) == scale
    model.save(tmp_path / "model.keras")
    assert pretrained.load(reference.parse(str(tmp_path / "model.keras"))).scaled == scale
    assert f"pixels are scaled to {scale}" in capsys.readouterr().err


def test_where_nothing_tells_the_guess_is_said(tmp_path, capsys):
    """Without a batch normalisation, and with one that has seen something else."""
    model = trained_with("0..1")
    model.get_layer("norm").set_weights([np.ones(16), np.zeros(16), np.full(16, 40.0), np.full(16, 1e-3)])
    assert pixel_scale.by_norms(model, pretrained.RANGES) is None
    bare = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])
    bare.save(tmp_path / "bare.keras")
    assert pretrained.load(reference.parse(str(tmp_path / "bare.keras"))).scaled == "0..1"
    assert "0..1 is a guess" in capsys.readouterr().err
    assert pretrained.load(reference.parse(str(tmp_path / "bare.keras")), pixels="-1..1").scaled == "-1..1"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("name", "scale"), [("pretrainedResnet.h5", "0..255"), ("vww_96.h5", "0..1")])
def test_files_of_others_have_the_scale_that_their_authors_used(name, scale):
    path = shared("weights/mlperf-tiny") / name
    assert pretrained.load(reference.parse(str(path))).scaled == scale
