"""Mistakes are answered with one sentence and a hint, before Keras is imported."""

import json
import re
import subprocess
import sys

import pytest

from dlcli import registry
from dlcli.config import FitConfig

BLOCK = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in {blocked}:
            raise AssertionError(name + " was imported")
sys.meta_path.insert(0, Refuse())
sys.argv = ["dlcli", *{arguments}]
from dlcli.cli import main
main()
"""


def dlcli(*arguments: str, blocked=("keras", "tensorflow", "jax")) -> subprocess.CompletedProcess:
    """The command in a process where the blocked modules cannot be imported."""
    code = BLOCK.format(blocked=tuple(blocked), arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_help_loads_neither_numpy_nor_keras():
    answer = dlcli("--help", blocked=("numpy", "keras", "tensorflow", "jax", "polars", "sklearn", "PIL"))
    assert answer.returncode == 0
    assert "train" in answer.stdout
    assert answer.stderr == ""


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "generate", "list"])
def test_help_of_every_command_is_light(command):
    answer = dlcli(command, "--help", blocked=("numpy", "keras", "tensorflow"))
    assert answer.returncode == 0
    assert "Usage" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence", "hint"),
    [
        (["train", "shapes", "--arch", "rsnet"], 1, "no architecture named 'rsnet'", "did you mean 'resnet'"),
        (["train", "no/such/folder"], 1, "no file, folder or built-in set 'no/such/folder'", "Known"),
        (["train", "shaps"], 1, "built-in set 'shaps'", "did you mean 'shapes'"),
        (["train", "shapes", "--task", "clasify"], 1, "no task named 'clasify'", "Known"),
        (
            ["train", "shapes", "--set", "arch.dept=3", "--arch", "resnet"],
            1,
            "no option arch.dept",
            "did you mean 'depth'",
        ),
        (["train", "shapes", "--set", "arch.depth=deep", "--arch", "resnet"], 1, "'deep' is not int", "default"),
        (["train", "shapes", "--set", "fit.epoch=3"], 1, "no option 'epoch'", "did you mean 'epochs'"),
        (["train", "shapes", "--set", "depth=3"], 1, "is not component.option=value", "--set arch.depth=4"),
        (["train", "shapes", "--set", "model.depth=3"], 1, "no component 'model'", "Known"),
        (["train", "shapes", "--time", "soon"], 1, "'soon' is not a length of time", "10m"),
        (["train", "shapes", "--precision", "float8"], 1, "precision = 'float8'", ""),
        (["train", "shapes", "--backend", "torch"], 1, "backend = 'torch'", ""),
        (["train", "shapes", "--arch", "gpt", "--task", "image-classification"], 1, "gpt does not fit", "resnet"),
        (["train", "--epochs", "3"], 1, "no data was named", "dlcli train DATA"),
        (["train", "shapes", "--config", "no.toml"], 1, "no configuration file no.toml", ".toml"),
        (["train", "shapes", "--epoch", "3"], 2, "No such option", "--epochs"),
        (["train", "shapes", "--epochs", "0"], 2, "--epochs", "greater than or equal to 1"),
        (["evaluate", "no/run"], 1, "there is no model 'no/run'", ""),
        (["predict", "no/run", "x"], 1, "there is no model 'no/run'", ""),
        (["generate", "no/run"], 1, "there is no model 'no/run'", ""),
        (["list", "architecture"], 1, "no list of 'architecture'", "did you mean 'architectures'"),
        (["trian", "shapes"], 2, "No such command", "train"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_hint_without_keras(arguments, code, sentence, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    answer = dlcli(*arguments)
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert sentence in answer.stderr
    assert hint in answer.stderr
    assert answer.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_wrong_column_is_answered_before_keras(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("age,town,answer\n" + "".join(f"{i},Ulm,{i % 2}\n" for i in range(40)))
    answer = dlcli("train", str(table), "--target", "anser")
    assert answer.returncode in (1, 3)
    assert "'anser'" in answer.stderr
    assert "answer" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_list_is_one_json_document():
    answer = dlcli("list", "architectures", "--json")
    names = {entry["name"] for entry in json.loads(answer.stdout)["architectures"]}
    assert {"resnet", "lstm", "gpt", "dcgan", "vae", "mlp"} <= names


def test_list_says_what_each_option_of_one_entry_means(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    told = dlcli("list", "lenet").stdout
    assert "lenet (architecture, cnn): LeNet-5" in told
    assert re.search(r"width +│ +6 +│ filters of the first convolution", told)
    assert re.search(r"activation +│ +tanh +│ after each layer but the last \(tanh, relu\)", told)
    lstm = dlcli("list", "lstm").stdout
    assert "fit: steps=1500 batch_size=32" in lstm
    assert "for sequence-classification: units=128" in lstm
    assert re.search(r"duplicates +│ +together +│", dlcli("list", "npz").stdout)
    only = json.loads(dlcli("list", "conv_vae", "--json").stdout)
    assert only["architectures"][0]["options"]["beta"] == {"type": "float", "default": 1.0, "meaning": "as in vae."}
    assert re.search(
        r"optimizer +│ +adamw +│ what makes steps of gradients \(adamw, adam, ", dlcli("list", "fit").stdout
    )
    answer = dlcli("list", "lsmt")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "did you mean 'lstm'? Known: architectures," in answer.stderr


@pytest.mark.parametrize("kind", ["architectures", "tasks", "formats", "strategies"])
def test_every_option_that_can_be_set_has_a_meaning(kind):
    options = {
        f"{entry.name}.{o.name}": o.meaning for entry in registry.entries(kind).values() for o in entry.options.values()
    }
    assert [name for name, meaning in options.items() if not meaning] == []


def test_every_option_of_fit_has_a_meaning():
    assert [name for name, field in FitConfig.model_fields.items() if not field.description] == []


# Frozen: a new knob goes into the signature of the component it belongs to, not onto the command line.
TRAIN = {
    "--format", "--task", "--arch", "--target", "--horizon", "--out", "--epochs", "--time", "--batch-size",
    "--learning-rate", "--seed", "--precision", "--backend", "--device", "--config", "--set", "--inspect", "--skip-bad", "--resume", "--allow-change", "--json", "--help",
}  # fmt: skip


def test_the_options_of_train_are_frozen():
    import typer

    from dlcli.cli import app

    command = typer.main.get_command(app).commands["train"]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    assert options | {"--help"} == TRAIN
