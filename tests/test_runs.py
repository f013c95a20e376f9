"""A whole run through the command line: what it leaves behind, that it repeats, and that evaluation and
prediction prepare data exactly as training did."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dlcli import config, console, evaluation, materials
from dlcli.cli import app
from dlcli.reference import parse
from dlcli.rundir import Run
from tests.test_cli import dlcli as without_keras


def dlcli(*arguments) -> str:
    """The command's stdout. It must succeed."""
    console.results.quiet = False
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small run on 300 digits: its directory and the JSON document."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    text = dlcli("train", "digits:300", "--arch", "mlp", "--epochs", 8, "--out", out, "--json", "--learning-rate", 0.01)
    return out, json.loads(text)


def weights(run: Path) -> list[np.ndarray]:
    import keras

    return keras.saving.load_model(run / "model.keras", compile=False).get_weights()


@pytest.mark.parametrize(
    ("file", "options", "found"),
    [
        ("epochs = 9\nsteps = 400", ("--epochs", 2), {"epochs": "2"}),
        ("epochs = 2\nsteps = 400", ("--epochs", 2), {"epochs": "2"}),
        ("epochs = 9", ("--set", "fit.steps=5"), {"steps": "5"}),
        ("time = 60.0\npatience = 3", ("--epochs", 2), {"epochs": "2", "patience": "3"}),
        ("steps = 400", ("--learning-rate", 0.1), {"steps": "400", "learning_rate": "0.1"}),
    ],
)
def test_how_long_is_said_once_and_the_command_line_has_the_last_word(tmp_path, file, options, found):
    (tmp_path / "a.toml").write_text(f"data = 'digits'\n[set.fit]\n{file}\n")
    flags = {"--epochs": "fit.epochs", "--learning-rate": "fit.learning_rate"}
    name, value = options
    settings = config.merge(
        file=tmp_path / "a.toml",
        assignments=[value] if name == "--set" else [],
        flags={flags[name]: value} if name in flags else {},
    )
    assert {name: str(value) for name, value in settings.options("fit").items()} == found


def test_the_run_directory_is_complete(trained):
    run, _ = trained
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "config.json", "spec.json", "model.keras", "last.keras", "history.jsonl", "environment.json", "report.json",
    }  # fmt: skip
    assert not [name for name in names if name.startswith(".tmp")]
    epochs = [json.loads(line)["epoch"] for line in (run / "history.jsonl").read_text().splitlines()]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] >= 8


def test_the_document_has_intervals_and_baselines(trained):
    run, report = trained
    assert report["run"] == str(run)
    assert (report["task"], report["architecture"]) == ("image-classification", "mlp")
    scores = [score for split in report["metrics"].values() for score in split.values()]
    for baseline in report["baselines"].values():
        scores += [score for split in baseline.values() for score in split.values()]
    assert len(report["baselines"]) >= 2
    for score in scores:
        assert set(score) == {"value", "low", "high", "n"}
        assert score["low"] <= score["value"] <= score["high"]
    assert report["metrics"]["test"]["accuracy"]["value"] > report["baselines"]["majority"]["test"]["accuracy"]["high"]
    assert report["seconds"]["training"] > 0


def test_the_model_loads_in_plain_keras(trained):
    """Nobody needs dlcli to use what was trained with it: its layers are standard ones."""
    import subprocess
    import sys

    run, _ = trained
    code = (
        "import sys, keras, numpy as np\n"
        f"m = keras.saving.load_model({str(run / 'model.keras')!r})\n"
        "p = m.predict_on_batch(np.zeros((2, 8, 8, 1)))\n"
        "assert p.shape == (2, 10) and abs(p.sum() - 2) < 1e-4\n"
        "assert 'dlcli' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_its_config_repeats_the_run_bit_for_bit_and_another_seed_does_not(trained, tmp_path):
    run, _ = trained
    dlcli("train", "--config", run / "config.json", "--out", tmp_path / "again")
    dlcli("train", "--config", run / "config.json", "--out", tmp_path / "other", "--seed", 1)
    for one, two in zip(weights(run), weights(tmp_path / "again"), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(a, b) for a, b in zip(weights(run), weights(tmp_path / "other"), strict=True))
    assert json.loads((tmp_path / "again" / "config.json").read_text()) == json.loads((run / "config.json").read_text())


def test_evaluate_repeats_the_report_and_counts_looks_at_the_test_split(trained):
    run, report = trained
    first = json.loads(dlcli("evaluate", run, "--json"))
    assert first["metrics"]["test"] == report["metrics"]["test"]
    assert first["baselines"] == report["baselines"]
    again = json.loads(dlcli("evaluate", run, "--json"))
    assert again["looks_at_test"] == first["looks_at_test"] + 1


def test_other_data_may_stand_behind_the_run_as_it_does_for_predict(trained):
    run, _ = trained
    named = json.loads(dlcli("evaluate", run, "--data", "digits:150", "--json"))
    assert json.loads(dlcli("evaluate", run, "digits:150", "--json"))["metrics"] == named["metrics"]
    both = CliRunner().invoke(app, ["evaluate", str(run), "digits:150", "--data", "digits:60"])
    assert "two sets are named: 'digits:150' and --data 'digits:60'." in str(both.exception)


def test_the_runs_own_examples_are_known_however_they_are_named(tmp_path):
    """Its test file by its path is one more look, and scores of its training file tell nothing of others."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("test", 30)):
        rows = [f"{i % 2 + rng.normal():.3f},{rng.normal():.3f},{'ab'[i % 2]}" for i in range(count)]
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / f"{part}.csv").write_text("\n".join(["length,width,kind", *rows]) + "\n")
    options = (
        "--target",
        "kind",
        "--arch",
        "mlp",
        "--epochs",
        1,
        "--set",
        "data.parts=1,0,0",
        "--out",
        tmp_path / "run",
    )
    report = json.loads(dlcli("train", tmp_path / "set", *options, "--json"))
    again = json.loads(dlcli("evaluate", tmp_path / "run", tmp_path / "set" / "test.csv", "--json"))
    (scores,) = again["metrics"].values()
    assert (scores, again["looks_at_test"]) == (report["metrics"]["test"], 2)
    learned = json.loads(dlcli("evaluate", tmp_path / "run", tmp_path / "set" / "train.csv", "--json"))
    assert (learned["metrics"]["train"]["accuracy"]["n"], learned["looks_at_test"]) == (60, None)
    assert json.loads(dlcli("evaluate", tmp_path / "run", "--json"))["looks_at_test"] == 3


def test_what_other_data_gave_is_kept_beside_the_runs_own_report(trained):
    """Each set in a file of its own, which says what was scored."""
    run, report = trained
    own = json.loads(dlcli("evaluate", run, "--json"))
    assert own["data"] == "digits:300"
    other = json.loads(dlcli("evaluate", run, "digits:150", "--split", "test", "--json"))
    assert other["data"] == "digits:150"
    dlcli("evaluate", run, "digits:60", "--split", "test", "--json")
    kept = json.loads((run / "evaluate" / "test.json").read_text())
    assert (kept["data"], kept["metrics"]["test"]) == ("digits:300", report["metrics"]["test"])
    beside = json.loads((run / "evaluate" / "test-digits-150.json").read_text())
    assert (beside["data"], beside["metrics"]) == ("digits:150", other["metrics"])


def test_two_sets_of_one_name_have_files_of_their_own(tmp_path):
    run = Run(tmp_path)
    for path, number in (("a/new", ""), ("b/new", "-2"), ("c/new", "-3"), ("./b/new", "-2"), ("a/new/", "")):
        file = evaluation._file(run, "all", path)
        assert file == f"evaluate/all-new{number}.json", path
        run.write(file, {"data": path})


def test_the_runs_own_data_may_be_named(trained):
    """It is scored where and as it is without: on its test split, beside baselines, and counted as a look."""
    run, _ = trained
    first = json.loads(dlcli("evaluate", run, "--json"))
    named = json.loads(dlcli("evaluate", run, "digits:300", "--json"))
    assert named["looks_at_test"] == first["looks_at_test"] + 1
    assert {name: named[name] for name in ("metrics", "baselines")} == {
        name: first[name] for name in ("metrics", "baselines")
    }


def test_what_has_no_labels_is_told_before_keras_is_started(trained, tmp_path):
    """By pictures without classes, or a text without, nothing that answers with a class can be scored."""
    run, _ = trained
    _shades(tmp_path / "shades")
    loose = tmp_path / "loose"
    loose.mkdir()
    for number, file in enumerate(sorted((tmp_path / "shades").glob("*/*.png"))):
        file.rename(loose / f"{number}.png")
    lines = "".join(f"{i % 2} the {'sun' if i % 2 else 'moon'} is up on day {i}\n" for i in range(40))
    (tmp_path / "lines.txt").write_text(lines)
    (tmp_path / "prose.txt").write_text("the sun is up and the moon is down. " * 50)
    texts = tmp_path / "texts"
    dlcli("train", tmp_path / "lines.txt", "--arch", "textcnn", "--epochs", 1, "--set", "arch.width=4", "--out", texts)
    for reference, data in ((run, loose), (texts, tmp_path / "prose.txt")):
        answer = without_keras("evaluate", str(reference), str(data))
        assert answer.returncode == 3, answer.stderr
        assert f"{reference} is scored by labels" in " ".join(answer.stderr.split())


def test_predict_agrees_with_evaluate_example_by_example(tmp_path):
    """The same files, scored in one way and predicted in the other."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 12)):
        for label, level in (("dark", 60), ("light", 180)):
            folder = tmp_path / "data" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = np.clip(rng.normal(level, 60, (11 + i % 3, 12, 3)), 0, 255).astype("uint8")
                Image.fromarray(pixels).save(folder / f"{split}-{label}-{i}.png")
    run = tmp_path / "run"
    report = json.loads(
        dlcli(
            "train", tmp_path / "data", "--arch", "mlp", "--epochs", 3, "--set", "arch.width=8", "--out", run, "--json"
        )
    )
    answers = json.loads(dlcli("predict", run, tmp_path / "data" / "test", "--json"))["predictions"]
    truth = np.array([row["name"].split("-")[1] if "-" in row["name"] else "" for row in answers])
    right = np.array([row["prediction"] for row in answers]) == truth
    assert len(answers) == 24
    assert right.mean() == report["metrics"]["test"]["accuracy"]["value"]
    with (run / "predict" / "predictions.csv").open() as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == [row["prediction"] for row in answers]


def test_a_language_model_trains_and_writes(tmp_path):
    text = tmp_path / "rhyme.txt"
    text.write_text("the sun is up and the moon is down. " * 200)
    run = tmp_path / "run"
    dlcli(
        "train", text, "--arch", "gpt", "--epochs", 1, "--out", run, "--batch-size", 8,
        "--set", "arch.width=16", "--set", "arch.depth=1", "--set", "task.context=16",
    )  # fmt: skip
    one = json.loads(dlcli("generate", run, "--set", "length=20", "--json"))
    two = json.loads(dlcli("generate", run, "--set", "length=20", "--json"))
    other = json.loads(dlcli("generate", run, "--set", "length=20", "--seed", 5, "--json"))
    assert one["texts"] == two["texts"]
    assert one["texts"] != other["texts"]


def _shades(folder: Path, seed: int = 0) -> None:
    """Dark and light pictures, six of each."""
    rng = np.random.default_rng(seed)
    for label, level in (("dark", 60), ("light", 180)):
        (folder / label).mkdir(parents=True)
        for i in range(6):
            pixels = np.clip(rng.normal(level, 60, (8, 8, 1)), 0, 255).astype("uint8")
            Image.fromarray(pixels[..., 0]).save(folder / label / f"{seed}-{i}.png")


@pytest.mark.parametrize("option", ["data.fold=1/3", "data.parts=0.5,0.25,0.25"])
def test_other_data_is_not_split_as_the_runs_own_was(option, tmp_path):
    """Which brings splits of its own; the run's own data, named, is still split as it was."""
    _shades(tmp_path / "heap")
    for number, part in enumerate(("train", "val", "test"), 1):
        _shades(tmp_path / "parts" / part, number)
    run = tmp_path / "run"
    options = ("--arch", "mlp", "--epochs", 1, "--set", "arch.width=4", "--set", option, "--out", run)
    report = json.loads(dlcli("train", tmp_path / "heap", *options, "--json"))
    other = json.loads(dlcli("evaluate", run, tmp_path / "parts", "--json"))
    assert other["metrics"]["test"]["accuracy"]["n"] == 12
    same = json.loads(dlcli("evaluate", run, tmp_path / "heap", "--split", "test", "--json"))
    assert same["metrics"]["test"] == report["metrics"]["test"]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory) -> Path:
    """A run on a table of two kinds, with another such table, cut at "!", beside it."""
    folder = tmp_path_factory.mktemp("flowers")
    rng = np.random.default_rng(0)
    for name, mark, count in (("own.csv", ",", 60), ("other.csv", "!", 300)):
        rows = [["length", "width", "kind"]]
        rows += [[f"{i % 2 + rng.normal():.3f}", f"{rng.normal():.3f}", "ab"[i % 2]] for i in range(count)]
        (folder / name).write_text("\n".join(mark.join(row) for row in rows) + "\n")
    options = ("--target", "kind", "--arch", "mlp", "--epochs", 1, "--set", "arch.width=4")
    dlcli("train", folder / "own.csv", *options, "--out", folder / "run", "--json")
    return folder


def refused(*arguments) -> str:
    """What is said of a mistake, which is one of exit code 1, before Keras is imported."""
    answer = without_keras(*map(str, arguments))
    assert answer.returncode == 1, answer.stderr
    return " ".join(answer.stderr.split())


def test_other_files_may_be_read_otherwise(flowers):
    """The commands that read other data take the option that their hints name."""
    run, other, mark = flowers / "run", flowers / "other.csv", ("--set", "data.delimiter=!")
    assert json.loads(dlcli("evaluate", run, other, *mark, "--json"))["metrics"]["all"]["accuracy"]["n"] == 300
    assert len(json.loads(dlcli("predict", run, other, *mark, "--json"))["predictions"]) == 300
    found = json.loads(
        dlcli("inspect-layers", run, "--data", other, *mark, "--split", "all", "--budget", "fast", "--json")
    )
    assert found["layers"]
    assert "no option data.delimitr" in refused("predict", run, other, "--set", "data.delimitr=!")
    assert "no option data.delimitr" in refused("evaluate", run, other, "--set", "data.delimitr=!")


def test_texts_of_other_files_are_read_from_the_columns_that_they_were_learned_from(tmp_path):
    """Another column of sentences there is none of them, as `predict` knows too."""
    rng = np.random.default_rng(0)
    words = {"good": ["fine", "warm", "kind"], "bad": ["cold", "grim", "dull"]}

    def sentence(label):
        return " ".join(rng.choice([*words[label], "a", "day", "walk"], 8))

    def write(name, columns, count):
        rows = [
            {"label": label, "title": sentence(label), "body": sentence(label)} for label in words for _ in range(count)
        ]
        for row in rows:
            row["notes"] = sentence("good")
        lines = [",".join(row[column] for column in columns) for row in rows]
        (tmp_path / name).write_text("\n".join([",".join(columns), *lines]) + "\n")
        return tmp_path / name

    own = write("own.csv", ("title", "body", "label"), 40)
    other = write("other.csv", ("notes", "body", "title", "label"), 20)
    options = ("--arch", "textcnn", "--set", "arch.width=8", "--epochs", 1, "--out", tmp_path / "run", "--json")
    dlcli("train", own, *options)
    named = ("--set", "data.text=title,body", "--json")
    scores = json.loads(dlcli("evaluate", tmp_path / "run", other, "--json"))["metrics"]
    assert scores == json.loads(dlcli("evaluate", tmp_path / "run", other, *named))["metrics"]
    looked = {"data": str(other), "target": None, "split": "all"}
    found, same = (
        materials.gather(parse(str(tmp_path / "run")), **looked, assignments=assignments).data.splits["all"].x
        for assignments in ([], ["data.text=title,body"])
    )
    assert list(found) == list(same)
    both = json.loads(dlcli("predict", tmp_path / "run", other, "--json"))["predictions"]
    assert both == json.loads(dlcli("predict", tmp_path / "run", other, *named))["predictions"]


def test_one_row_can_be_scored(flowers, capfd):
    """It has one value in each column, which are read all the same."""
    (flowers / "one.csv").write_text("length,width,kind\n0.5,0.1,a\n")
    report = json.loads(dlcli("evaluate", flowers / "run", flowers / "one.csv", "--json"))
    assert report["metrics"]["all"]["accuracy"]["n"] == 1
    assert "not used" not in capfd.readouterr().err


@pytest.mark.parametrize("assignment", ["arch.width=8", "data.parts=0.5,0.2,0.3", "data.fold=1/3"])
def test_what_was_settled_in_training_cannot_be_set_later(flowers, assignment):
    for command in (("evaluate",), ("predict",), ("inspect-layers", "--data")):
        said = refused(command[0], flowers / "run", *command[1:], flowers / "other.csv", "--set", assignment)
        assert "settled in training" in said


@pytest.mark.parametrize("data", [(), ("--data", "own.csv")])
@pytest.mark.parametrize("command", ["evaluate", "inspect-layers"])
def test_a_runs_own_data_is_read_as_in_training(flowers, command, data):
    named = [flowers / part if part == "own.csv" else part for part in data]
    said = refused(command, flowers / "run", *named, "--set", "data.missing_target=drop")
    assert "read as in training" in said


def _archive(folder: Path, train: int) -> Path:
    """Two classes of series, up and down, as the UCR archive writes them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, count in (("TRAIN", train), ("TEST", 20)):
        rows = [[i % 2, *((2 * (i % 2) - 1) * np.arange(8) + rng.normal(size=8)).round(3)] for i in range(count)]
        lines = ["\t".join(map(str, row)) for row in rows]
        (folder / f"{folder.name}_{part}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    ("count", "options", "sizes"),
    [
        (40, (), {"train": 40, "test": 20}),
        (40, ("--set", "data.parts=0.8,0.2,0"), {"train": 32, "val": 8, "test": 20}),
        (1_000, (), {"train": 824, "val": 176, "test": 20}),
    ],
)
def test_a_small_archive_is_not_divided_further(tmp_path, count, options, sizes):
    """Its config says so: evaluation and a repetition see the same splits."""
    data = _archive(tmp_path / "Toy", count)
    options = (*options, "--arch", "lstm", "--set", "arch.units=4", "--epochs", 1)
    report = json.loads(dlcli("train", data, *options, "--out", tmp_path / "run", "--json"))
    assert ("val" in report["metrics"]) == ("val" in sizes)
    assert report["best_epoch"] == report["epochs"]
    spec = json.loads((tmp_path / "run" / "spec.json").read_text())
    assert spec["splits"] == sizes
    again = json.loads(dlcli("evaluate", tmp_path / "run", "--json"))
    assert again["metrics"]["test"] == report["metrics"]["test"]


def test_time_is_a_budget(tmp_path):
    """Of hours that the epochs would take; how well it is met depends on what else the machine does."""
    options = ("--epochs", 1_000_000, "--time", "6s", "--out", tmp_path / "run", "--json")
    report = json.loads(dlcli("train", "digits:300", "--arch", "mlp", *options))
    assert report["seconds"]["training"] < 120
    assert 1 <= report["epochs"] < 1_000_000


def test_the_steps_of_a_training_that_time_cut_short_are_those_it_took(tmp_path, monkeypatch):
    import keras

    from dlcli import fit

    class Third(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    monkeypatch.setattr(fit, "Pace", lambda deadline, looked: Third())
    options = ("--arch", "mlp", "--batch-size", 16, "--time", "60s", "--out", tmp_path / "run", "--json")
    report = json.loads(dlcli("train", "digits:300", *options))
    assert report["steps"] == 3
    assert report["examples_per_second"] == pytest.approx(48 / report["seconds"]["training"], rel=0.05)


def test_a_run_that_diverges_stops_with_its_own_code(tmp_path):
    from dlcli.errors import DIVERGED, DlcliError

    result = CliRunner().invoke(
        app,
        ["train", "digits:300", "--arch", "mlp", "--epochs", "5", "--out", str(tmp_path / "run"), "--learning-rate", "1e30",
         "--set", "fit.optimizer=sgd", "--set", "fit.clip_norm=none", "--set", "fit.warmup=0"],
    )  # fmt: skip
    assert isinstance(result.exception, DlcliError)
    assert result.exception.code == DIVERGED
    assert "--learning-rate" in result.exception.hint


def test_an_architecture_of_the_users_own_needs_no_fork(tmp_path, monkeypatch):
    """The whole of one, as the README shows it."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "my_nets"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tiny.py").write_text(
        '"""A net of one layer."""\n\nfrom keras import layers\n\nOFFERS = {"pixels"}\nTINY = {}\n\n\n'
        "def build(task, *, width: int = 4):\n"
        '    x = layers.Flatten(name="flat")(task.embed())\n'
        '    return task.model(layers.Dense(width, name="dense")(x))\n'
    )
    report = json.loads(
        dlcli(
            "train",
            "digits:100",
            "--arch",
            "my_nets.tiny",
            "--epochs",
            1,
            "--set",
            "arch.width=3",
            "--out",
            "run",
            "--json",
        )
    )
    assert report["architecture"] == "my_nets.tiny"
    assert json.loads(dlcli("evaluate", "run", "--json"))["metrics"]["test"] == report["metrics"]["test"]
