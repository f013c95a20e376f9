"""Networks that draw: the generator from coarse to fine, its judge with levels of its own, and autoencoders as pictures."""

import json
from math import factorial

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from test_inspect_command import dlcli
from test_lenses_pictures import opened

from dlcli import registry
from dlcli.data import Examples
from dlcli.errors import DataError, DlcliError
from dlcli.images import ArrayImages
from dlcli.inspection import adversary, coarse_to_fine, judged
from dlcli.inspection.subject import Subject
from dlcli.lenses import footprint

PARTS = footprint.PARTS
KINDS = ("dcgan", "cgan")


def test_a_spectrum_that_rises_over_five_layers_is_one_order_of_all():
    """tau 1, and p one in 5!; a part that one layer alone moves is decided there, a part that none moves nowhere."""
    shares = np.zeros((5, 4))
    shares[0, 1], shares[4, 3], shares[[1, 3], 2] = 0.9, 0.8, 0.5
    found = coarse_to_fine.hierarchy([f"g/l{i}" for i in range(5)], [16, 8, 4, 2, 1], [0.1, 0.2, 0.3, 0.35, 0.4], shares, PARTS)  # fmt: skip
    assert (found["tau"], found["p"]) == (1, pytest.approx(1 / factorial(5)))
    assert {part: value and value["value"] for part, value in found["emergence"].items()} == {
        "colour": None,
        "layout": 1,
        "contour": 3,
        "texture": 5,
    }
    assert found["order"] == ["layout", "contour", "texture"]
    assert coarse_to_fine.told(found).startswith("Drawn from coarse to fine (tau = 1.00, p = 0.008")
    reverse = coarse_to_fine.hierarchy(["a", "b", "c", "d"], [1, 2, 3, 4], [0.4, 0.3, 0.2, 0.1], shares[:4], PARTS)
    assert (reverse["tau"], reverse["p"]) == (-1, 1)
    assert coarse_to_fine.told(reverse).startswith("No measurable order from coarse to fine")
    short = coarse_to_fine.hierarchy(["a", "b", "c"], [1, 2, 3], [0.1, 0.2, 0.3], shares[:3], PARTS)
    assert (short["tau"], short["said"]) == (None, "too few layers to test")


def test_the_shares_of_noise_and_layers_stand_in_their_own_rows():
    """One number of noise is copied to 64 pixels, each disturbed by itself: of the mean colour the noise has 64/65."""
    noise = keras.Input((1,), name="noise")
    x = layers.Dense(64, use_bias=False, name="project")(noise)
    x = layers.Reshape((8, 8, 1), name="reshape")(x)
    model = keras.Model(noise, layers.Conv2D(1, 1, use_bias=False, name="last")(x), name="g")
    model.set_weights([np.ones(weight.shape) for weight in model.get_weights()])
    view = opened(model, np.random.default_rng(0).normal(size=(48, 1)).astype("float32"), family="gan")
    found = footprint.look(view).generator
    colour = [layer["shares"]["colour"] for layer in found["layers"]]
    assert [layer["name"] for layer in found["layers"]] == ["noise", "project"]
    assert colour == [pytest.approx(64 / 65, abs=0.3), pytest.approx(1 / 65, abs=0.02)]
    assert found["emergence"]["colour"]["value"] == pytest.approx(1 + 1 / 65, abs=0.03)


class _Task:
    """Pictures in [-1, 1], with labels, as a GAN's task gives them."""

    classes = ("a", "b")

    def source(self, examples, *, training):
        return _Source(examples)

    def targets(self, examples):
        return np.array([self.classes.index(y) for y in examples.y])


class _Source:
    def __init__(self, examples):
        self.examples = examples

    def batch(self, rows, rng):
        pictures = self.examples.x.prepare(8, 8, 1).read(rows) / np.float32(127.5) - 1
        labels = None if self.examples.y is None else np.array([y == "b" for y in self.examples.y])[rows].astype(int)
        return {"noise": np.zeros((len(rows), 2), "float32"), "label": labels}, pictures


@pytest.mark.parametrize("labelled", [False, True])
def test_a_judge_sees_stimuli_at_the_scale_of_real_pictures(labelled):
    """-1 to 1 with the mean and spread of the real ones; with labels that say nothing of the stimuli's own."""
    rng = np.random.default_rng(0)
    pixels = np.clip(rng.normal(100, 30, (64, 8, 8, 1)), 0, 255).astype("uint8")
    pictures = keras.Input((8, 8, 1))
    x = layers.Dense(1, name="d")(layers.Flatten(name="f")(pictures))
    label = keras.Input((), dtype="int32")
    judge = keras.Model([pictures, label] if labelled else pictures, x, name="discriminator")
    whole = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    whole.discriminator = judge
    subject = Subject(model=whole, title="t", source="s", family="gan", count=64)
    examples = Examples(x=ArrayImages(pixels), y=["a", "b"] * 32)
    found = adversary.subject(subject, _Task(), examples, np.arange(64), seed=0)
    real = found.read(np.arange(64))
    seen = real[0] if labelled else real
    assert np.allclose(seen, pixels / 127.5 - 1, atol=1e-6)
    assert found.labels.tolist() == [0, 1] * 32
    level = registry.find("stimuli", "pictures").load().levels(n=64, seed=0, **found.stimuli.make)[1]
    fed = found.stimuli.feed(level)[0](np.arange(len(level.y)))
    drawn = fed[0] if labelled else fed
    assert abs(float(drawn.mean()) - float(seen.mean())) < 0.05
    assert abs(float(drawn.std()) / float(seen.std()) - 1) < 0.15
    if labelled:
        assert real[1].tolist() == [0, 1] * 32
        assert set(fed[1].tolist()) == {0, 1}
        assert abs(np.corrcoef(fed[1], level.y == 0)[0, 1]) < 0.3


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two small GANs and an autoencoder after an epoch or two on digits."""
    folder = tmp_path_factory.mktemp("runs")
    small = ("--set", "arch.width=8", "--set", "task.size=16", "--json")
    for kind in KINDS:
        dlcli("train", "digits:500", "--arch", kind, *small, "--set", "task.latent=8", "--epochs", 2, "--out", folder / kind)  # fmt: skip
    task = ("--task", "reconstruction", "--arch", "conv-autoencoder")
    dlcli("train", "digits:500", *task, *small, "--epochs", 2, "--out", folder / "ae")
    return folder


@pytest.fixture(scope="module")
def inspected(runs):
    found = {kind: dlcli("inspect-layers", runs / kind, "--split", "train", "--json", "--html", runs / f"{kind}.html") for kind in KINDS}  # fmt: skip
    return {kind: (result, json.loads(result.stdout)) for kind, result in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_of_a_gan_reads_the_generator_from_coarse_to_fine(kind, inspected):
    """hierarchy with tau, p and order, over noise and the layers behind it; the same numbers in the rows of the layers."""
    _, document = inspected[kind]
    found = document["hierarchy"]
    assert found == document["generator"]
    assert found["kind"] == "coarse to fine"
    assert set(found) >= {"tau", "p", "order", "said", "emergence", "levels", "layers"}
    assert sorted(found["order"]) == sorted(part for part in PARTS if found["emergence"][part])
    assert found["layers"][0]["name"] == "noise"
    rows = {row["path"]: row for row in document["layers"]}
    for layer in found["layers"][1:]:
        assert rows[layer["path"]]["own"]["footprint"] == layer["footprint"]
    assert (found["tau"] is None) == (len(found["layers"]) < 4)
    # a later layer has a smaller kernel between it and the picture
    sizes = [layer["footprint"] for layer in found["layers"]]
    assert sizes[-1] < sizes[0]
    assert document["verdict"].startswith(coarse_to_fine.told(found))


@pytest.mark.parametrize("kind", KINDS)
def test_the_discriminator_has_rows_names_and_levels_of_its_own(kind, inspected):
    """All parameters of the model are in rows; those of the judge carry levels, names, a probe and what it was made for."""
    _, document = inspected[kind]
    outermost = [row for row in document["layers"] if row["depth"] == 0]
    assert sum(row["parameters"] for row in outermost) == document["model"]["parameters"]
    judge = [row for row in document["layers"] if row.get("part") == "discriminator"]
    measured = [row for row in judge if row["measured"]]
    names = ["discriminator_stage0_down", "discriminator_stage1_down"]
    assert [row["name"] for row in measured][:2] == names
    for row in measured:
        assert set(row["levels"]) == {"edge", "texture", "junction", "shape", "relation", "object"}
        assert row["label"]
        assert row["units"]["count"] > 0
        assert row["probe"]["n"] == document["samples"]
    assert [row["own"]["real/fake"] > 0.5 for row in measured[:2]] == [True, True]
    assert document["discriminator"]["hierarchy"]["kind"] == "levels"
    assert f"The discriminator: {document['discriminator']['verdict']}" in document["verdict"]
    assert judged.levels_of(document) == document["discriminator"]["hierarchy"]
    assert not [row for row in document["layers"] if row.get("part") is None and row.get("levels")]


def test_what_a_judge_is_told_is_read_off_and_tells_nothing_of_real_and_generated(inspected):
    """The layer that takes the label alone: the class is certain there, and real against generated a guess."""
    _, document = inspected["cgan"]
    row = next(row for row in document["layers"] if row["name"] == "discriminator_classes")
    assert row["probe"]["accuracy"] == 1
    assert row["own"]["real/fake"] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("kind", KINDS)
def test_patches_of_real_pictures_are_shown_for_the_judge(kind, inspected):
    """With its labels beside the pictures too."""
    _, document = inspected[kind]
    row = next(row for row in document["layers"] if row["name"] == "discriminator_stage1_down")
    assert {"patches across answers", "where a unit answers"} <= {entry["title"] for entry in row["pictures"]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_a_gan_has_both_maps(kind, inspected, runs):
    """What the layers of the generator decide, and what those of the discriminator know."""
    text = (runs / f"{kind}.html").read_text(encoding="utf-8")
    assert "What each layer of the discriminator knows" in text
    assert "Map: what each layer decides" in text
    assert "discriminator_stage1_down" in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_is_asked_nothing_about_pictures(kind, runs, tmp_path):
    Image.new("L", (16, 16)).save(tmp_path / "1.png")
    with pytest.raises(DlcliError, match="predicts nothing"):
        dlcli("predict", runs / kind, tmp_path)


@pytest.mark.parametrize("command", ["evaluate", "inspect-layers"])
def test_a_generator_that_is_told_classes_wants_pictures_that_have_them(command, runs, tmp_path, rng):
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    assert dlcli("evaluate", runs / "dcgan", "--data", tmp_path).exit_code == 0
    with pytest.raises(DataError, match="DATA has no classes"):
        dlcli(command, runs / "cgan", "--data", tmp_path)


def test_layers_of_the_discriminator_alone_may_be_asked_for(runs):
    """--layer: then nothing is measured of the generator, and of the judge only these."""
    found = json.loads(dlcli("inspect-layers", runs / "dcgan", "--json", "--layer", "discriminator_stage1*").stdout)
    assert [row["name"] for row in found["layers"] if row["measured"]] == ["discriminator_stage1_down"]
    assert found["hierarchy"] is None


@pytest.mark.slow
def test_two_gans_are_compared_by_their_judges(runs):
    """Layer by layer over the discriminators, which share names."""
    command = ("inspect-layers", runs / "dcgan", "--compare", runs / "cgan", "--split", "train", "--json")
    document = json.loads(dlcli(*command).stdout)
    rows = next(table for table in document["tables"] if table["title"] == "layer by layer")["rows"]
    assert "discriminator_stage0_down" in [row[0] for row in rows]


@pytest.mark.slow
def test_an_autoencoder_of_pictures_has_the_lenses_of_pictures(runs):
    """First filters, patches, effective fields, drawn units; its levels, and its decoder from coarse to fine."""
    command = ("inspect-layers", runs / "ae", "--split", "train", "--budget", "deep", "--json")
    document = json.loads(dlcli(*command).stdout)
    rows = {row["name"]: row for row in document["layers"]}
    first = rows["encoder_stage0_down"]
    drawn = [entry["title"] for entry in first["pictures"]]
    assert {"filters", "patches across answers", "where a unit answers", "drawn beside real"} <= set(drawn)
    assert 1 <= first["own"]["eff. RF"] <= first["receptive_field"] == 3
    # behind the code every place sees the whole picture
    assert rows["decoder_stage1_up"]["own"]["eff. RF"] > first["receptive_field"]
    assert "effective receptive fields" in [entry["title"] for entry in document["pictures"]]
    assert document["hierarchy"]["kind"] == "levels"
    assert document["generator"]["layers"][0]["name"] == "code"
    assert "The decoder: " in document["verdict"]
