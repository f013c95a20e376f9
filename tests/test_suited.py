"""What an architecture is by default where there is much data, and in which precision it is trained there."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dlcli import plan, registry, suited
from dlcli.cli import app
from dlcli.config import RunConfig
from dlcli.data import Data, Examples
from dlcli.images import ArrayImages

RESNET = registry.find("architectures", "resnet")
MANY = RESNET.literal("MANY")


def pictures(n, part="train"):
    x = ArrayImages(np.zeros((n, 8, 8), np.uint8))
    y = np.array(["a", "b"])[np.arange(n) % 2]
    return Data(kind="images", splits={part: Examples(x=x, y=y)}, about={"target_kind": "classes"})


def chosen(n, *, arch=None, precision="auto", part="train"):
    config = RunConfig(data="x", arch="resnet", precision=precision, set={"arch": arch or {}})
    return plan.choose(config, registry.find("formats", "idx"), pictures(n, part))


@pytest.mark.parametrize("part", ["train", "all"])
def test_many_examples_make_a_wider_network(monkeypatch, part):
    monkeypatch.setattr(suited, "_multiplies_bfloat16", lambda: True)
    few, many = chosen(MANY["examples"] - 1, part=part), chosen(MANY["examples"], part=part)
    assert "width" not in few.arch_options
    assert few.precision == "float32"
    assert many.arch_options["width"] == MANY["options"]["width"] > RESNET.options["width"].default
    assert many.precision == "bfloat16"
    assert plan.resolved(RunConfig(data="x"), many).precision == "bfloat16"


def test_what_the_user_says_goes_first(monkeypatch):
    monkeypatch.setattr(suited, "_multiplies_bfloat16", lambda: True)
    many = chosen(MANY["examples"], arch={"width": 4}, precision="float32")
    assert many.arch_options["width"] == 4
    assert many.precision == "float32"


def test_a_machine_that_is_slow_at_it_computes_in_float32(monkeypatch):
    monkeypatch.setattr(suited, "_multiplies_bfloat16", lambda: False)
    assert chosen(MANY["examples"]).precision == "float32"


def test_an_architecture_has_its_own_defaults_for_the_task():
    """Dense networks move pictures less; what the user says goes first, and a task without the option is not asked."""
    idx, few = registry.find("formats", "idx"), pictures(40)
    assert plan.choose(RunConfig(data="x", arch="mlp"), idx, few).task_options == {"shift": 0.04}
    assert plan.choose(RunConfig(data="x", arch="resnet"), idx, few).task_options == {}
    said = RunConfig(data="x", arch="mlp", set={"task": {"shift": 0.1}})
    assert plan.choose(said, idx, few).task_options == {"shift": 0.1}
    mlp = registry.find("architectures", "mlp")
    assert suited.prepared(RunConfig(data="x"), mlp, registry.find("tasks", "tabular-classification"), 1) == {}
    options = {name for task in registry.entries("tasks").values() for name in task.options}
    for entry in registry.entries("architectures").values():
        assert set(entry.literal("TASK", {})) <= options, entry.name


def test_an_architecture_has_other_options_for_one_task():
    """A lstm is wider for series with a class than for texts with one."""
    series = Examples(x=[np.zeros((6, 1), np.float32)] * 4, y=np.array(["a", "b"] * 2))
    texts = Examples(x=["a b", "c d"] * 2, y=np.array(["a", "b"] * 2))
    options = {}
    for kind, train in {"sequences": series, "texts": texts}.items():
        data = Data(kind=kind, splits={"train": train}, about={"target_kind": "classes"})
        for said in ({}, {"units": 8}):
            config = RunConfig(data="x", arch="lstm", set={"arch": said})
            options[kind, *said] = plan.choose(config, registry.find("formats", "ucr"), data).arch_options
    assert options == {
        ("sequences",): {"units": 128},
        ("texts",): {},
        ("sequences", "units"): {"units": 8},
        ("texts", "units"): {"units": 8},
    }
    tasks = registry.entries("tasks")
    for entry in registry.entries("architectures").values():
        for task, own in entry.literal("WITH", {}).items():
            assert task in tasks, entry.name
            assert set(own) <= set(entry.options), entry.name


def test_what_a_person_writes_is_no_run_that_says_all():
    """Every name and three settings: what is not said has the architecture's defaults for the task."""
    settings = {"optimizer": "adamw", "schedule": "cosine", "ema": 0.99}
    named = {"format": "ucr", "task": "sequence-classification", "arch": "lstm"}
    config = RunConfig(data="x", set={"fit": settings}, **named)
    train = Examples(x=[np.zeros((6, 1), np.float32)] * 4, y=np.array(["a", "b"] * 2))
    data = Data(kind="sequences", splits={"train": train}, about={"target_kind": "classes"})
    chosen = plan.choose(config, registry.find("formats", "ucr"), data)
    assert chosen.arch_options == {"units": 128}
    assert (chosen.fit.ema, chosen.fit.batch_size, chosen.fit.learning_rate) == (0.99, 32, 3e-3)
    written = plan.resolved(config, chosen)
    assert written.written_out
    assert plan.choose(written, registry.find("formats", "ucr"), data).fit == chosen.fit


def test_none_is_none_before_an_architecture_is_chosen():
    plan.check(RunConfig(data="x", set={"fit": {"clip_norm": "none", "patience": "none"}}))


def test_every_architecture_that_names_something_for_much_data_has_those_options():
    named = {name: entry.literal("MANY") for name, entry in registry.entries("architectures").items()}
    for name, many in named.items():
        if many:
            entry = registry.find("architectures", name)
            assert set(many) <= {"examples", "options", "precision"}
            assert set(many.get("options", {})) <= set(entry.options)
    assert any(named.values())


def test_a_run_says_in_which_precision_it_was_trained(tmp_path):
    options = ["--epochs", "1", "--set", "fit.steps=1", "--arch", "lenet", "--out", str(tmp_path / "run")]
    ran = CliRunner().invoke(app, ["train", "digits", *options])
    assert ran.exit_code == 0, ran.output
    assert json.loads((tmp_path / "run" / "config.json").read_text())["precision"] == "float32"


def test_much_data_gives_the_vit_two_heads_and_squares():
    """Squared ReLU against its closed form, through the network that the options of much data build."""
    from dlcli.layers import squared_relu

    x = np.linspace(-2, 3, 11, dtype=np.float32)
    np.testing.assert_allclose(np.asarray(squared_relu(x)), np.where(x > 0, x * x, 0), rtol=1e-6)
    entry = registry.find("architectures", "vit")
    config = RunConfig(data="x", arch="vit")
    many = entry.literal("MANY")
    options = plan.choose(
        config,
        registry.find("formats", "idx"),
        pictures(many["examples"]),
    ).arch_options
    assert options == {"dropout": 0.0, "heads": 2, "activation": "squared_relu"}
    model = entry.load().build(Pictures(), width=8, depth=2, **options)
    activations = [layer.activation for layer in model.layers if layer.name.endswith("_mlp_squared_relu")]
    assert activations == [squared_relu] * 2


class Pictures:
    """As much of a task as an architecture for pictures asks for."""

    def embed(self):
        import keras

        self.inputs = keras.Input((8, 8, 1))
        return self.inputs

    def model(self, x):
        import keras

        return keras.Model(self.inputs, x)
