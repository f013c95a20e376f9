"""compare and scale through the command: trials in processes of their own, kept on disk, and what is said of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dlcli import directions, locking, plan
from dlcli import study as studies
from dlcli.comparing import chart, depths, runs, scaling
from dlcli.comparing.paired import difference
from dlcli.config import RunConfig
from dlcli.data import Data, Examples
from dlcli.errors import LOCKED, DlcliError
from dlcli.rundir import Run
from dlcli.trials import opening, rivals, sizing
from dlcli.trials.pool import Job, Pool

ROOT = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    code = [sys.executable, "-m", "dlcli", *arguments]
    return subprocess.run(code, capture_output=True, text=True, cwd=cwd, env=environment(), timeout=300, check=False)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}


COMPARE = ("compare", "linear:300", "--arch", "mlp", "--depths", "0,1", "--parameters", "500", "--seeds", "2")


def test_compare_goes_on_where_it_was_stopped_and_repeats_nothing(tmp_path):
    """Killed after the first training; started again it keeps what was finished, and answers with numbers that
    follow from the values on disk."""
    command = [sys.executable, "-m", "dlcli", *COMPARE, "--epochs", "1", "--workers", "1", "--out", "study"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    first = tmp_path / "study" / "trials" / "mlp-depth0-seed0" / "result.json"
    limit = time.monotonic() + 120
    while not first.is_file() and time.monotonic() < limit:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert first.is_file()
    made = first.stat().st_mtime_ns

    with locking.held(tmp_path / "study"):
        busy = run(*COMPARE, "--epochs", "1", "--workers", "1", "--out", "study", cwd=tmp_path)
    assert busy.returncode == LOCKED, busy.stderr
    assert f"in use by process {os.getpid()}" in busy.stderr

    answer = run(*COMPARE, "--epochs", "1", "--workers", "1", "--out", "study", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert first.stat().st_mtime_ns == made
    document = json.loads(answer.stdout)
    assert [network["depth"] for network in document["networks"]] == [0, 1]
    shallow, deep = (
        np.stack([np.load(tmp_path / f"study/trials/mlp-depth{d}-seed{s}/values.npy") for s in (0, 1)]) for d in (0, 1)
    )
    gain = document["networks"][1]["gain"]
    assert gain["value"] == pytest.approx((deep - shallow).mean(), abs=1e-6)
    assert gain["low"] <= gain["value"] <= gain["high"]
    assert document["networks"][1]["test"] == pytest.approx(deep.mean(axis=1).tolist(), abs=1e-6)
    assert abs(document["networks"][1]["parameters"] - 500) < 50
    assert {simple["name"] for simple in document["simple"]} >= {"majority", "logistic-regression", "gradient-boosting"}
    assert "<svg" in (tmp_path / "study" / "picture.svg").read_text()
    assert not list((tmp_path / "study").rglob("*.keras"))

    other = run(*COMPARE, "--epochs", "2", "--out", "study", cwd=tmp_path)
    assert other.returncode == 9
    assert "other settings" in other.stderr
    known = json.loads((tmp_path / "study" / "study.json").read_text())
    (tmp_path / "study" / "study.json").write_text(json.dumps({"verb": known["verb"], "config": known["config"]}))
    older = run(*COMPARE, "--out", "study", cwd=tmp_path)  # of a version that wrote down other things
    assert older.returncode == 9
    assert "other settings" in older.stderr


@pytest.mark.slow
def test_scale_says_what_more_data_is_worth(tmp_path):
    scale = ("scale", "linear:2000", "--arch", "mlp", "--seeds", "2", "--epochs", "10", "--out", "study")
    answer = run(*scale, "--sizes", "100,200,400,800", "--predict", "1400", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert [point["size"] for point in document["points"]] == [100, 200, 400, 800]
    assert document["points"][0]["mean"] > document["points"][-1]["mean"]
    assert document["ten_times"]["value"] < 0
    assert document["held_out"]["size"] == 800
    more = run(*scale, "--sizes", "100,200,400,800,1400", "--json", cwd=tmp_path)
    assert [point["size"] for point in json.loads(more.stdout)["points"]][-1] == 1400


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["model", "compute"])
def test_scale_along_the_model_and_along_compute(axis, tmp_path):
    arguments = ("scale", "linear:600", "--arch", "mlp", "--axis", axis, "--seeds", "2", "--epochs", "8")
    answer = run(*arguments, "--out", "study", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    sizes = [point["size"] for point in json.loads(answer.stdout)["points"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 8 * sizes[0]


@pytest.mark.slow
def test_two_runs_are_told_apart_or_not(tmp_path):
    """A run against one of another seed: no difference. Against one that hardly trained: the better is named."""
    for name, seed, epochs in (("a", 0, 20), ("b", 1, 20), ("c", 0, 1)):
        told = ("--set", "data.seed=0", "--seed", str(seed), "--epochs", str(epochs), "--out", name)
        assert run("train", "shapes:600", "--arch", "mlp", *told, cwd=tmp_path).returncode == 0
    answer = run("compare", "a", "c", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    (pair,) = json.loads(answer.stdout)["pairs"]
    assert pair["minimum"] > 0
    assert pair["better"] is None or abs(pair["value"]) >= pair["minimum"]
    assert run("compare", "a", "b", cwd=tmp_path).returncode == 0


def finished(folder: Path, seed: int, task: str = "image-classification") -> Path:
    """A run's folder with all that comparing reads before Keras starts."""
    import keras

    folder.mkdir()
    config = RunConfig(data="digits:300", seed=seed, task=task, arch="mlp")
    (folder / "config.json").write_text(config.model_dump_json())
    (folder / "spec.json").write_text(json.dumps({"task": task, "architecture": "mlp"}))
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="answer")]).save(folder / "model.keras")
    return folder


def test_runs_on_other_examples_are_not_compared(tmp_path):
    """Another seed of the sample draws other pictures: the answer says so, before Keras starts."""
    from tests.test_cli import dlcli

    answer = dlcli("compare", str(finished(tmp_path / "a", 0)), str(finished(tmp_path / "b", 1)))
    assert answer.returncode == 1
    assert "different test examples" in answer.stderr


def test_runs_that_are_scored_as_a_whole_are_not_compared(tmp_path):
    from tests.test_cli import dlcli

    several = [str(finished(tmp_path / name, 0, "image-generation")) for name in "ab"]
    answer = dlcli("compare", *several)
    assert answer.returncode == 1
    assert "image-generation cannot be compared" in answer.stderr


def test_runs_are_compared_on_the_backend_and_device_that_are_named(tmp_path, monkeypatch):
    """Else on the backend of the first run, wherever it is fast."""
    from dlcli import backend

    class Started(Exception):
        pass

    def start(engine, *, device, seed):
        raise Started(engine, device)

    monkeypatch.setattr(backend, "start", start)
    several = [finished(tmp_path / name, 0) for name in "ab"]
    with pytest.raises(Started, match="'jax', 'cpu'"):
        runs.compared(several, backend="jax", device="cpu")
    with pytest.raises(Started, match="'tensorflow', 'auto'"):
        runs.compared(several)
    with pytest.raises(DlcliError, match="backend = 'torch'"):
        runs.compared(several, backend="torch")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("compare", "shapes", "--depths", "1,two"), "'1,two' is not a list of numbers"),
        (("compare", "shapes", "--depths", "3"), "two different depths"),
        (("compare", "shapes", "--arch", "lenet"), "lenet has no depth"),
        (("compare", "shapes", "--arch", "vgg", "--depths", "0,3"), "arch.depth = 3"),
        (
            ("compare", "a", "b", "--out", "c", "--set", "fit.epochs=3", "--skip-bad"),
            "--out, --set, --skip-bad say how",
        ),
        (("compare", "a", "b", "--device", "cpu", "--backend", "jax", "--depths", "0,1"), "--depths say how"),
        (("scale", "shapes", "--axis", "time"), "'time' is not known"),
        (("scale", "shapes", "--sizes", "few"), "'few' is not a list of numbers"),
        (("compare", "shapes:300", "--task", "image-generation"), "image-generation cannot be compared"),
        (("scale", "shapes:300", "--task", "image-generation"), "image-generation cannot be compared"),
        (("scale", "shapes:300", "--task", "denoising"), "psnr, no error that could fall to 0"),
        (("scale", "linear:300", "--sizes", "0,50,100,200"), "0 training examples"),
        (("scale", "linear:300", "--sizes", "50,100,200"), "3 sizes are too few"),
        (("scale", "linear:300", "--sizes", "50,100,150,9000"), "9,000 examples"),
        (("scale", "linear:300", "--sizes", "50,100,150,200", "--axis", "model"), "--axis is model"),
        (("scale", "nowhere", "--sizes", "50,100,150,200", "--axis", "model"), "--axis is model"),
        (("scale", "linear:300", "--set", "fit.time=60"), "fit.time is how long one training may take"),
        (("compare", "linear:300", "--set", "fit.time=60"), "fit.time is how long one training may take"),
    ],
)
def test_a_mistake_is_one_sentence_before_keras(arguments, sentence, tmp_path, monkeypatch):
    from tests.test_cli import dlcli

    monkeypatch.chdir(tmp_path)
    answer = dlcli(*arguments)
    assert answer.returncode == 1, answer.stderr
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr
    if "too few" not in sentence:  # sizes are found by a trial
        assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", [("check",), ("scale", "--sizes", "2,3")])
def test_what_was_done_with_the_data_is_told_by_the_command(command, tmp_path, monkeypatch):
    """Trials are silent about duplicates that were kept on one side, so the command is not."""
    from tests.test_cli import dlcli

    monkeypatch.chdir(tmp_path)
    lines = [f"{i % 60},{'ab'[i % 2]}" for i in range(66)]
    (tmp_path / "twice.csv").write_text("\n".join(["size,kind", *lines]) + "\n")
    answer = dlcli(command[0], "twice.csv", "--target", "kind", *command[1:])
    assert "6 of 66 examples are exact duplicates" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", ["compare", "scale"])
def test_a_study_says_how_data_lies_and_on_what_it_is_learned(command, monkeypatch):
    """The format, what may be unreadable, and the backend that Keras itself would obey."""
    from typer.testing import CliRunner

    from dlcli.cli import app

    class Begun(Exception):
        pass

    def begin(config, **_):
        raise Begun(config)

    monkeypatch.setattr(studies, "begin", begin)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    answer = CliRunner().invoke(app, [command, "rows.csv", "--format", "table", "--skip-bad"])
    (config,) = answer.exception.args
    assert (config.format, config.backend) == ("table", "jax")
    assert config.options("data") == {"unreadable": 0.01}


@pytest.mark.slow
def test_a_trial_that_fails_is_told_with_its_reason(tmp_path):
    """The sentence of the child's error reaches the one who waits, and the other trials are finished."""
    config = RunConfig(data="no/such/place").model_dump(mode="json")
    told = {"config": config, "take": None, "split_seed": 0, "rival": "majority"}
    bad = Job(kind="rivals", folder=tmp_path / "bad", told=told, label="bad")
    with Pool("tensorflow", workers=1, look=lambda *_: None) as pool, pytest.raises(DlcliError, match="no/such/place"):
        pool.run([bad])


# ---- sizes and subsets -------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "multiple"), [(1_000, 1), (50_000, 4), (7, 1), (123_457, 8)])
def test_the_width_is_the_one_with_the_nearest_number_of_parameters(target, multiple):
    """Against looking at every width."""

    def count(width: int) -> int:
        return 9 * width * width + 21 * width + 10

    found = sizing.solved(count, target, multiple=multiple, start=64)
    best = min(range(multiple, 400, multiple), key=lambda width: abs(count(width) - target))
    assert abs(count(found) - target) == abs(count(best) - target)


def test_a_network_without_a_width_keeps_the_default():
    assert sizing.solved(lambda width: 650, 10_000, multiple=1, start=256) == 256


def test_smaller_subsets_are_part_of_larger_ones_and_classes_keep_their_shares():
    y = ["rare"] * 10 + ["often"] * 190
    parts = {name: Examples(x=np.arange(200), y=list(y), names=None) for name in ("train", "val")}
    data = Data(kind="table", splits=parts)
    before: set = set()
    for n in (4, 20, 50, 100, 200):
        taken = opening.cut(data, n=n, seed=3).splits["train"]
        assert len(taken) == n
        assert before <= set(taken.x.tolist())
        before = set(taken.x.tolist())
        assert "rare" in taken.y
        assert abs(sum(label == "rare" for label in taken.y) - n * 0.05) <= 1
    assert set(opening.cut(data, n=50, seed=4).splits["train"].x.tolist()) != set(
        opening.cut(data, n=50, seed=3).splits["train"].x.tolist()
    )
    assert len(opening.cut(data, n=50, seed=3).splits["val"]) == 50
    with pytest.raises(DlcliError, match="there are 200"):
        opening.cut(data, n=201, seed=0)


def series(folder: Path, rows: int = 400) -> str:
    """A table of one series, two columns."""
    rng = np.random.default_rng(5)
    waves = np.sin(np.arange(rows)[:, None] / [4, 9]) + rng.normal(0, 0.1, (rows, 2))
    lines = [f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00,{a:.4f},{b:.4f}" for i, (a, b) in enumerate(waves)]
    file = folder / "waves.csv"
    file.write_text("\n".join(["time,a,b", *lines]) + "\n")
    return str(file)


def opened(folder: Path, data: str, **chosen) -> studies.Study:
    """A study that was begun, and of which nothing is trained."""
    return studies.begin(RunConfig(data=data, **chosen), verb="scale", out=folder / "study")


def test_a_pass_over_one_series_is_as_many_windows_as_it_has(tmp_path):
    """Of 280 training rows, 253 have 24 rows of history before them and 4 to forecast: 7 batches of 32, so 100 steps
    are 15 passes."""
    options = {"task": {"lookback": 24, "horizon": 4}, "data": {"parts": "280,40,80"}}
    fit = {"batch_size": 32, "epochs": 2, "steps": 100}
    study = opened(tmp_path, series(tmp_path), task="forecasting", arch="lstm", set={**options, "fit": fit})
    network = {"arch": "lstm", "depth": None, "width": 8}
    found = sizing.run(study.sizing([network], None).told, Run(tmp_path))
    assert found["examples"] == 253
    assert study.passes(found["examples"]) == 15


def test_sizes_of_compute_train_as_many_passes_as_they_are_named_for(tmp_path):
    """Also where the user's `fit.steps` asks for more than the smallest of them."""
    study = opened(tmp_path, "linear:300", arch="mlp", set={"fit": {"steps": 1_000}})
    step = scaling.Step(size=1e6, change={"epochs": 3})
    made = scaling._job(study, "compute", step, 0).told["config"]
    fit = plan.choose(RunConfig(**made), study.chosen.format, study.data).fit
    assert (fit.epochs, fit.steps) == (3, None)


class Sizing:
    """A pool that makes jobs here, and counts them."""

    def __init__(self, folder: Path):
        self.folder, self.made = folder, []

    def run(self, jobs: list[Job]) -> list[dict]:
        self.made += jobs
        return [sizing.run(job.told, Run(self.folder)) for job in jobs]


@pytest.mark.parametrize(
    ("axis", "settings", "count"),
    [
        ("model", {"arch": {"width": 1}}, 3),
        ("model", {"arch": {"depth": 0}}, 1),
        ("compute", {"fit": {"epochs": 1}}, 3),
    ],
)
def test_too_few_sizes_are_told_before_anything_is_trained(axis, settings, count, tmp_path):
    """Widths 1, 2 and 4 are what is left of a quarter to four of one; the width of a linear model changes nothing."""
    pool = Sizing(tmp_path)
    with pytest.raises(DlcliError, match=f"^{count} size(s are| is) too few"):
        scaling._steps(opened(tmp_path, "linear:300", arch="mlp", set=settings), axis, None, pool)
    assert [job.kind for job in pool.made] == ["sizing"]


def test_small_widths_are_tried_once_each(tmp_path):
    """Multiples of 4 around 8: 4 (not twice), 8, 16 and 32."""
    study = opened(tmp_path, series(tmp_path), arch="patchtst", set={"arch": {"width": 8, "heads": 2}})
    steps = scaling._steps(study, "model", None, Sizing(tmp_path))
    assert [step.change["options"]["width"] for step in steps] == [4, 8, 16, 32]


# ---- the best simple model ---------------------------------------------------------------------


def test_a_simple_model_is_scored_on_what_chooses_and_on_what_tells(tmp_path):
    """The majority class of training, held against the labels of both splits."""
    study = opened(tmp_path, "linear:300", arch="mlp")
    (job,) = [job for job in study.rivals(("TASKS",)) if job.told["rival"] == "majority"]
    found = rivals.run(job.told, Run(tmp_path))
    labels = list(study.data.splits["train"].y)
    most = max(set(labels), key=labels.count)
    for part in ("val", "test"):
        assert found[part]["mean"] == pytest.approx(np.mean([label == most for label in study.data.splits[part].y]))
    assert np.load(tmp_path / "values.npy").mean() == pytest.approx(found["test"]["mean"])


def test_the_best_simple_model_is_chosen_on_validation_and_held_against_on_test(rng, tmp_path):
    """One that is lucky on the test split is not picked for it: its interval would not hold."""
    study = opened(tmp_path, "linear:300", arch="mlp")
    simple = []
    for name, val, test in (("steady", 0.9, 0.8), ("lucky", 0.8, 0.95)):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "values.npy", (np.arange(2_000) < 2_000 * test).astype(float))
        scores = {"val": {"mean": val}, "test": {"mean": test, "compared": "accuracy", "scores": {}}}
        simple.append((name, {**scores, "seconds": 1.0}, folder))
    networks = rows(rng, {0: 0.80, 1: 0.86})
    document = depths._told(study, "accuracy", 500, networks, simple, 3)
    assert document["best_simple"]["name"] == "steady"
    assert document["best_simple"]["value"] == pytest.approx(networks[1]["values"].mean() - 0.8)


def test_the_simple_model_of_a_crossing_is_chosen_on_validation(tmp_path):
    jobs = []
    for name, val, test in (("steady", 0.1, 0.2), ("lucky", 0.2, 0.1)):
        job = Job(kind="rivals", folder=tmp_path / name, told={"rival": name})
        means = {"val": {"compared": "mse", "mean": val}, "test": {"compared": "mse", "mean": test}}
        Run(job.folder).write("result.json", {"job": {"kind": "rivals", **job.told}, "result": means})
        jobs.append(job)
    assert scaling._best([[jobs], [jobs]]) == "steady"


# ---- what is said ------------------------------------------------------------------------------


def rows(rng, accuracies: dict[int, float], n: int = 2_000) -> list[dict]:
    """Networks of three runs each, with validation scores and answers as if they were of that accuracy."""
    base = rng.uniform(size=n)
    made = []
    for depth, accuracy in accuracies.items():
        values = np.stack([(base + rng.normal(0, 0.02, n) < accuracy).astype(float) for _ in range(3)])
        val = [accuracy - 0.002, accuracy, accuracy + 0.002]
        made.append({"arch": "mlp", "depth": depth, "val": val, "values": values})
    return made


class Unordered:
    ordered = False


def told(found: list[dict]) -> list[str]:
    document = {"score": "accuracy", "seeds": 3, "test_examples": 2_000, "depth": depths.choose(found, 1)["depth"]}
    return depths.sentences(document, found, Unordered())


def test_depth_that_helps_is_said_to_help_up_to_where_it_does(rng):
    """.80, .86, .90, .90: the chosen depth is 2, not 4; gains over the linear model and over depth 1."""
    sentences = told(rows(rng, {0: 0.80, 1: 0.86, 2: 0.90, 4: 0.9001}))
    assert sentences[0].startswith("Depth helps by +")
    assert "up to depth 2 " in sentences[0]
    assert "over the linear model" in sentences[0]
    assert "over depth 1" in sentences[0]


def test_depth_that_does_not_help_is_said_not_to(rng):
    sentences = told(rows(rng, {0: 0.80, 1: 0.80, 2: 0.798, 4: 0.79}))
    assert sentences[0].startswith("Depth does not help")


def test_less_is_better_for_errors():
    assert difference(np.zeros(100), np.ones(100) + np.arange(100) / 1e3).better(directions.sign("mse"))


def test_the_picture_is_well_formed_and_holds_every_point():
    from xml.etree import ElementTree

    points = [(0.0, 0.5, 0.4, 0.6), (1.0, 0.7, 0.6, 0.8), (2.0, 0.9, 0.85, 0.95)]
    made = chart.Chart(
        title="a < b",
        x="depth",
        y="accuracy",
        lines=[chart.Line(name="net & co", points=points)],
        levels=[("linear", 0.45)],
        ticks={0.0: "0", 1.0: "1", 2.0: "2"},
    )
    root = ElementTree.fromstring(chart.svg(made))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    heights = [float(circle.get("cy")) for circle in circles]
    assert len(circles) == 3
    assert heights == sorted(heights, reverse=True)  # higher accuracies stand higher
    assert {"a < b", "net & co", "linear"} <= {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
