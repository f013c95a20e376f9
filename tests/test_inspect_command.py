"""`dlcli inspect-layers` as people call it: on a small run that has just been trained, and with mistakes."""

import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import inspected as inspected_documents
import keras
import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from test_cli import dlcli as without_keras
from typer.testing import CliRunner

from dlcli import console, materials
from dlcli.cli import app
from dlcli.errors import CHECK, DlcliError
from dlcli.inspection import gates, show
from dlcli.reference import parse

BUDGETS = ("static", "fast", "standard")


def dlcli(*arguments):
    """The command in this process. Only a failed check may end it with another code than 0."""
    console.results.quiet = False
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code in (0, CHECK), result.output
    return result


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A residual network after two epochs on digits."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    options = ("--set", "arch.width=4", "--set", "arch.depth=1")
    dlcli("train", "digits:400", "--arch", "resnet", *options, "--epochs", 2, "--out", out, "--json")
    return out


@pytest.fixture(scope="module")
def inspected(run):
    """By budget: the finished command and its document. What the run kept of it is set aside: other tests inspect it, too."""
    results = {budget: dlcli("inspect-layers", run, "--budget", budget, "--json") for budget in BUDGETS}
    shutil.copytree(run / "inspect", run.parent / "kept")
    return {budget: (result, json.loads(result.stdout)) for budget, result in results.items()}


@pytest.mark.parametrize("budget", BUDGETS)
def test_the_document_has_every_layer(budget, inspected, run):
    """One JSON document on stdout, whatever is measured; the run keeps the same."""
    _, document = inspected[budget]
    assert document["schema_version"] == 1
    assert document["budget"] == budget
    assert document["model"]["source"] == str(run)
    assert document["model"]["family"] == "cnn"
    assert len(document["layers"]) > 10
    for layer in document["layers"]:
        assert {"name", "path", "depth", "type", "output_shape", "parameters", "trainable", "flops"} <= set(layer)
        assert {"memory_bytes", "receptive_field", "calls", "measured"} <= set(layer)
        assert isinstance(layer["name"], str)
        assert layer["output_shape"][0] is None
        assert layer["parameters"] >= layer["trainable"] >= 0
    outermost = [layer for layer in document["layers"] if layer["depth"] == 0]
    assert sum(layer["parameters"] for layer in outermost) == document["model"]["parameters"]
    assert len({layer["path"] for layer in document["layers"]}) == len(document["layers"])
    assert json.loads((run.parent / "kept" / f"{budget}.json").read_text()) == document


def test_each_budget_measures_more_than_the_one_before(inspected):
    """Nothing, then units, geometry and probes, then levels; the table of layers is the same in all."""
    documents = {budget: document for budget, (_, document) in inspected.items()}
    measured = {budget: [row for row in d["layers"] if row["measured"]] for budget, d in documents.items()}
    assert measured["static"] == []
    assert len(measured["fast"]) == len(measured["standard"]) >= 5
    for row in measured["fast"]:
        assert row["units"]["count"] > 0
        assert row["geometry"]["effective_rank"] >= 1
        assert 0 <= row["probe"]["low"] <= row["probe"]["accuracy"] <= row["probe"]["high"] <= 1
        assert "levels" not in row
    for row in measured["standard"]:
        assert "edge" in row["levels"]
        assert row["label"]
        assert set(row["levels"]["edge"]) >= {"trained", "untrained", "input", "control", "learned", "low", "high"}
    assert documents["fast"]["hierarchy"] is None
    assert documents["standard"]["hierarchy"]["levels"][:2] == ["edge", "texture"]  # grey pictures have no colour
    static = [(row["path"], row["type"], row["flops"]) for row in documents["static"]["layers"]]
    assert static == [(row["path"], row["type"], row["flops"]) for row in documents["standard"]["layers"]]


def test_probes_of_a_network_that_has_learned_beat_chance(inspected):
    """The last layers tell digits apart; control labels and chance stay below."""
    _, document = inspected["fast"]
    probe = [row["probe"] for row in document["layers"] if row["measured"]][-1]
    assert probe["low"] > probe["chance"] + 0.1
    assert probe["control"] < probe["accuracy"]


@pytest.mark.parametrize("budget", BUDGETS)
def test_the_exit_code_says_whether_all_checks_passed(budget, inspected):
    """10 if and only if one failed, and each that failed is told on stderr."""
    result, document = inspected[budget]
    failed = [gate for gate in document["gates"] if not gate["passed"]]
    assert result.exit_code == (CHECK if failed else 0)
    for gate in failed:
        assert f"check {gate['name']} failed" in result.stderr
        assert gate["subject"] == "data" or gate["subject"] in result.stderr


def test_the_methods_say_how_every_number_was_computed(inspected):
    """A formula for each gate, for each column that lenses add, for what seeds do; none is there twice."""
    _, document = inspected["standard"]
    names = [method["name"] for method in document["methods"]]
    assert len(set(names)) == len(names)
    for gate in document["gates"]:
        assert f"{gate['name']} gate" in names
    for part in ("seeds", "stimuli", "untrained twin", "hierarchy index", "milliseconds", "names of layers", "control"):
        assert part in names
    own = {title for layer in document["layers"] for title in layer.get("own", {})}
    assert own <= set(names)
    formulas = {method["name"]: method["formula"] for method in document["methods"]}
    assert f"{document['stimuli'] // len(document['hierarchy']['levels'])} of each level" in formulas["stimuli"]
    assert {"dlcli", "keras", "backend", "numpy"} <= set(document["versions"])
    assert "stimuli" not in [method["name"] for method in inspected["fast"][1]["methods"]]


def test_few_examples_fail_a_check(run):
    """From 40 examples of ten classes little can be said, and the command says that."""
    result = dlcli("inspect-layers", run, "--budget", "fast", "--samples", 40, "--json")
    gate = next(gate for gate in json.loads(result.stdout)["gates"] if gate["name"] == "samples")
    assert gate["passed"] is False
    assert result.exit_code == CHECK


@pytest.mark.parametrize(("each", "passed"), [(20, True), (4, False)])
def test_the_examples_that_count_are_all_that_were_read(each, passed):
    """A hundred classes: not only the rows that probes keep of them."""
    seen = SimpleNamespace(count=100 * each, labels=np.arange(100 * each) % 100)
    gate = gates._samples(SimpleNamespace(subject=seen))
    assert gate["passed"] is passed
    assert f"{100 * each} examples, {each} of the rarest class" in gate["message"]


def test_a_terminal_of_80_columns_without_colour(run, tmp_path):
    """No colour codes, no table and no line of the strip wider than 80, and the page is written beside it."""
    page = tmp_path / "page.html"
    answer = subprocess.run(
        [sys.executable, "-m", "dlcli", "inspect-layers", str(run), "--html", str(page)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
    )
    assert answer.returncode in (0, CHECK), answer.stderr
    assert "\x1b" not in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
    lines = answer.stdout.splitlines()
    strip = lines[_first(lines, "what each layer has learned") : _first(lines, "comes at layer") + 1]
    assert len(strip) >= 7
    assert max(map(len, strip)) <= 80
    assert max(len(line) for line in lines if line[:1] in "┏┃┡│└") <= 80
    text = page.read_text(encoding="utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert "resnet for image-classification" in text
    assert not re.search(r"""(src|href)=["']?https?://""", text)


def _first(lines, start: str) -> int:
    return next(i for i, line in enumerate(lines) if line.startswith(start))


NINE = ["character", "word", "place", "ending", "class", "previous", "line", "sentence", "topic"]


@pytest.mark.parametrize("levels", [["edge", "shape"], inspected_documents.LEVELS, NINE])
def test_long_names_fit_the_strip(levels, monkeypatch, capsys):
    """Names and labels are cut to 80 columns, in the characters that were asked for."""
    document = inspected_documents.fifty()
    document["hierarchy"]["levels"] = levels
    document["hierarchy"]["emergence"]["colour"] = None
    for i, layer in enumerate(document["layers"]):
        layer["label"] = ["junction/relation", "refines junction", "relation .21", "–"][i % 4]
        scores = iter(layer["levels"].values())
        layer["levels"] = {name: layer["levels"].get(name) or next(scores) for name in levels[:7]} | dict.fromkeys(
            levels[7:], layer["levels"]["edge"]
        )
    document["hierarchy"]["emergence"] = {name: document["hierarchy"]["emergence"].get(name) for name in levels}
    monkeypatch.setattr(console, "results", Console(highlight=False, width=80))
    show.show(document, plain=True)
    lines = capsys.readouterr().out.splitlines()
    strip = lines[_first(lines, "what each layer has learned") : _first(lines, "comes at layer") + 1]
    assert len(strip) == 50 + 3
    assert max(map(len, strip)) <= 80
    assert "\n".join(strip).isascii()
    named = "".join(strip)
    assert "relation .21" in named
    if levels is not NINE:  # nine leave no room for two names
        assert "refines junction" in named
        assert "junction/relation" in named or "junct./relat." in named


def test_plain_output_is_ascii(run, monkeypatch):
    """With --ascii every line of the strip can be shown anywhere; without it there are blocks."""
    monkeypatch.setattr(console.results, "width", 80)
    drawn = []
    for more in ((), ("--ascii",)):
        lines = dlcli("inspect-layers", run, *more).stdout.splitlines()
        strip = lines[_first(lines, "what each layer has learned") : _first(lines, "comes at layer") + 1]
        assert max(map(len, strip)) <= 80
        drawn.append("\n".join(strip))
    assert not drawn[0].isascii()
    assert drawn[1].isascii()


def test_only_layers_of_a_name_are_measured(run, inspected):
    """--layer takes patterns, more than one; all other rows are there and not measured."""
    _, whole = inspected["fast"]
    names = [row["name"] for row in whole["layers"] if row["measured"]]
    pattern = f"{names[1][:-1]}?"
    document = json.loads(
        dlcli("inspect-layers", run, "--budget", "fast", "--json", "--layer", pattern, "--layer", names[-1]).stdout
    )
    measured = [row["name"] for row in document["layers"] if row["measured"]]
    assert names[1] in measured
    assert names[-1] in measured
    assert len(measured) < len(names)
    assert len(document["layers"]) == len(whole["layers"])
    assert document["cka"]["layers"] == measured
    one = next(row for row in document["layers"] if row["name"] == names[1])
    assert one["probe"] == next(row for row in whole["layers"] if row["name"] == names[1])["probe"]


def test_another_part_and_other_data(run):
    """--split train looks at the training examples, --data at others."""
    train = json.loads(dlcli("inspect-layers", run, "--budget", "fast", "--split", "train", "--json").stdout)
    other = json.loads(dlcli("inspect-layers", run, "--budget", "fast", "--data", "digits:150", "--split", "all", "--json").stdout)  # fmt: skip
    assert train["data"] == "digits:400 (train)"
    assert 200 < train["samples"] < 400
    assert (other["data"], other["samples"]) == ("digits:150 (all)", 150)


def test_which_examples_a_run_was_trained_on(run, tmp_path):
    """Its own training part and the heap that this comes from; of a run that cut the same data by another seed, every part."""

    def found(folder, **asked):
        return materials.gather(parse(str(folder)), **{"data": None, "target": None, "split": None, **asked})

    assert [found(run, split=part).learned for part in (None, "test", "train", "all")] == [False, False, True, True]
    assert found(run, data="digits:400", split="train").learned
    assert not found(run, data="digits:150", split="all").learned
    shutil.copytree(run, tmp_path / "other")
    config = json.loads((run / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, "seed": config["seed"] + 1}))
    other = found(tmp_path / "other")
    assert materials.alike(other, found(run)).learned
    assert not materials.alike(found(run), found(run)).learned


def test_data_in_another_format_than_the_runs(run, tmp_path):
    """A run on a built-in set is looked at with a folder of pictures: the format is the folder's."""
    rng = np.random.default_rng(0)
    for name in ("3", "5"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(40):
            Image.fromarray(rng.integers(0, 256, (8, 8)).astype("uint8")).save(tmp_path / "own" / name / f"{i}.png")
    found = dlcli("inspect-layers", run, "--budget", "fast", "--data", tmp_path / "own", "--split", "all", "--json")
    assert json.loads(found.stdout)["samples"] == 80


def test_another_family_looks_with_its_own_lenses(run, inspected):
    """--family: the columns of convolutions go, levels and probes stay what they are."""
    _, before = inspected["standard"]
    found = json.loads(dlcli("inspect-layers", run, "--family", "rnn", "--json").stdout)
    assert (before["model"]["family"], found["model"]["family"]) == ("cnn", "rnn")
    own = [{title for layer in one["layers"] for title in layer.get("own", {})} for one in (before, found)]
    assert "tuned" in own[0]
    assert "tuned" not in own[1]
    assert found["hierarchy"] == before["hierarchy"]


def test_an_autoencoder_that_nobody_here_made_may_be_said_to_be_one(tmp_path):
    """A file of convolutions is taken for a CNN; --family autoencoder reads its decoder from coarse to fine."""
    keras.utils.set_random_seed(0)
    parts = [
        keras.Input((16, 16, 1)),
        keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="down"),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(6, name="code"),
        keras.layers.Dense(8 * 8 * 4, name="spread"),
        keras.layers.Reshape((8, 8, 4), name="maps"),
        keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", name="up"),
    ]
    keras.Sequential(parts, name="ae").save(tmp_path / "ae.keras")
    command = ("inspect-layers", tmp_path / "ae.keras", "--data", "digits:200", "--split", "all", "--json")
    plain, said = (json.loads(dlcli(*command, *more).stdout) for more in ((), ("--family", "autoencoder")))
    assert (plain["model"]["family"], plain["generator"]) == ("cnn", None)
    assert [layer["name"] for layer in said["generator"]["layers"]] == ["code", "spread"]
    assert next(row["own"]["active"] for row in said["layers"] if row["name"] == "code").endswith("/6")


def test_the_column_that_is_named_has_the_labels(run, tmp_path):
    """Of a run's other data as of a foreign model's."""
    rows = ["file,size,digit"]
    for i in range(40):
        Image.fromarray(np.full((8, 8), 6 * i, np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{'large' if i % 2 else 'small'},{'one' if i < 20 else 'two'}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    for reference in (parse(str(run)), parse("keras:ResNet50")):
        for target, labels in (("size", {"large", "small"}), ("digit", {"one", "two"})):
            found = materials.gather(reference, data=str(tmp_path / "table.csv"), target=target, split="all")
            assert set(found.data.splits["all"].y) == labels


# Mistakes


def failed(*arguments) -> DlcliError:
    console.results.quiet = False
    with pytest.raises(DlcliError) as caught:
        CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return caught.value


def test_an_unknown_layer_is_a_sentence(run):
    """That names layers there are."""
    error = failed("inspect-layers", run, "--budget", "fast", "--layer", "block9*")
    assert "no measured layer is called block9*" in error.message
    assert "layers are:" in error.hint
    assert error.code == 1


def test_a_misspelt_architecture_is_a_sentence():
    """With the nearest name that Keras has."""
    error = failed("inspect-layers", "keras:ResNt50", "--budget", "static")
    assert "no 'ResNt50'" in error.message
    assert "did you mean 'ResNet50'" in error.hint


@pytest.mark.parametrize(
    ("arguments", "code", "sentence", "hint"),
    [
        (["no/such/model"], 1, "there is no model 'no/such/model'", "MODEL is a run directory"),
        (["RUN", "--split", "tset"], 1, "there is no split 'tset'", "train"),
        (["RUN", "--data", "digts"], 1, "no file, folder or built-in set 'digts'", "did you mean 'digits'"),
        (["RUN", "--data", "no/such.csv"], 1, "no file, folder or built-in set 'no/such.csv'", "Known"),
        (["RUN", "--data", "prose.txt"], 1, "takes images, and DATA holds corpus", "of the same kind"),
        (["RUN", "--budget", "fastest"], 2, "--budget", "standard"),
        (["RUN", "--samples", "3"], 2, "--samples", "32"),
        (["RUN", "--html", "no/such/folder/page.html"], 1, "there is no folder", "page.html"),
        (["RUN", "--compare", "no/such/other"], 1, "there is no model 'no/such/other'", "MODEL is"),
        (["keras:ResNet50", "--timeline"], 1, "--timeline needs a run directory", "name the run"),
        (["keras:ResNet50,depth"], 1, "is not OPTION=VALUE", "alpha"),
        (["keras:ResNet50:no.h5"], 1, "there is no weights file 'no.h5'", "imagenet"),
        (["dense.weights.h5"], 4, "holds weights and no architecture", "keras:NAME:"),
        (["model.pkl"], 4, "is not a model file that Keras reads", "MODEL is"),
        (["saved"], 4, "is a TensorFlow SavedModel", ".keras"),
        ([], 2, "Missing argument", "model"),
    ],
)
def test_what_names_reveal_is_answered_before_keras(arguments, code, sentence, hint, run, tmp_path, monkeypatch):
    """One sentence and a hint, at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "dense.weights.h5").write_bytes(b"")
    (tmp_path / "model.pkl").write_bytes(b"")
    (tmp_path / "prose.txt").write_text("the sun is up and the moon is down. " * 50)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    answer = without_keras("inspect-layers", *(str(run) if one == "RUN" else one for one in arguments))
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert sentence in answer.stderr
    assert hint in answer.stderr
    assert answer.stdout == ""


def test_help_is_light():
    """Neither Keras nor NumPy is needed to say what the options are."""
    answer = without_keras("inspect-layers", "--help", blocked=("numpy", "keras", "tensorflow", "jax"))
    assert answer.returncode == 0
    for option in (
        "--budget",
        "--layer",
        "--html",
        "--json",
        "--ascii",
        "--split",
        "--compare",
        "--timeline",
        "--family",
    ):
        assert option in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["keras:ResNet50", "--pixels", "0..2"], "'0..2' is no known scale of pixels"),
        (["keras:ResNet50", "--html", "."], ". is a folder"),
        (["keras:ResNet50", "--html", "nowhere/page.html"], "there is no folder"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(arguments, sentence):
    """Without Keras, by the words alone."""
    done = CliRunner().invoke(app, ["inspect-layers", *arguments])
    assert isinstance(done.exception, DlcliError)
    assert sentence in done.exception.message
