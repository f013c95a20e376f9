"""`dlcli train --resume`: what the command does with a run that was stopped, finished, changed or extended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcli import console, fingerprint, optimize, resuming, savepoints
from dlcli.cli import app
from dlcli.config import FitConfig
from dlcli.errors import DISK, LOCKED, MISMATCH, DlcliError
from tests import tiny
from tests.conftest import benchmark

SMALL = ("--arch", "mlp", "--set", "arch.width=8", "--epochs", "40")


def dlcli(*arguments, code: int = 0):
    """The command in this process; its result."""
    console.results.quiet = False
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    error = result.exception if isinstance(result.exception, DlcliError) else None
    assert (error.code if error else result.exit_code) == code, (result.output, result.exception)
    return error or result


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "digits"
    dlcli("train", "digits:200", *SMALL, "--out", out)
    return out


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def test_a_finished_run_is_already_complete(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert "already complete" in dlcli("train", "--resume", finished).stdout
    changed = {path.name for path in finished.rglob("*") if before.get(path) != path.stat().st_mtime_ns}
    assert changed <= {"run.lock"}


def test_changes_are_listed_and_refused(finished, tmp_path):
    """A flag, an edited config.json and other data, all in one answer; the run stays as it was."""
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / "report.json").unlink()
    config = json.loads((run / "config.json").read_text())
    config["set"]["fit"]["optimizer"] = "sgd"
    (run / "config.json").write_text(json.dumps(config))
    error = dlcli("train", "digits:190", "--resume", run, "--learning-rate", "0.5", code=MISMATCH)
    assert "set.fit.learning_rate: 0.001 -> 0.5" in error.message
    assert "set.fit.optimizer: adamw -> sgd" in error.message
    assert "data train.examples" in error.message
    assert "--allow-change" in error.hint


def test_allowed_changes_are_said_written_down_and_trained_with(finished, tmp_path):
    """Other data, another rate and another batch size; what was written down is then what the run is compared with."""
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    point = savepoints.newest(run / "checkpoints")
    (run / "report.json").unlink()
    shutil.rmtree(run / "checkpoints" / point.name)
    before = savepoints.newest(run / "checkpoints")
    assert not before.finished
    changes = ("digits:190", "--learning-rate", "0.5", "--batch-size", "32")
    error = dlcli("train", "--resume", run, *changes[1:], code=MISMATCH)
    assert "set.fit.batch_size: 128 -> 32" in error.message
    refused = dlcli("train", changes[0], "--resume", run, code=MISMATCH)
    assert "data train.examples: " in refused.message
    assert "data train.contents: " in refused.message
    assert json.loads((run / "config.json").read_text())["set"]["fit"]["learning_rate"] == 0.001
    told = dlcli("train", changes[0], "--resume", run, *changes[1:], "--allow-change").stderr
    for change in ("data train.examples: ", "set.fit.learning_rate: 0.001 -> 0.5", "set.fit.batch_size: 128 -> 32"):
        assert f"changed: {change}" in " ".join(told.split())
    noted = [
        change for change in json.loads((run / "course.json").read_text())["changes"] if change["what"] == "config"
    ]
    assert noted[0]["changed"]["set.fit.batch_size"] == [128, 32]
    assert "data train.examples" in noted[0]["changed"]
    config = json.loads((run / "config.json").read_text())
    assert config["set"]["fit"]["learning_rate"] == 0.5
    after = savepoints.newest(run / "checkpoints")
    assert after.finished
    assert after.meta["learning_rate"] == 0.5
    assert after.digests["model"] != before.digests["model"]
    assert "already complete" in dlcli("train", "--resume", run).stdout


def test_more_epochs_extend_a_finished_run_and_say_the_new_rate(finished, tmp_path):
    """From another folder than it was made in, moved: the history goes on without a double line."""
    run = Path(shutil.copytree(finished, tmp_path / "moved"))
    before = lines(run)
    result = dlcli("train", "--resume", run, "--epochs", "+16")
    assert "the learning rate is planned anew" in result.stderr
    after = lines(run)
    assert after[: len(before)] == before
    epochs = [row["epoch"] for row in after]
    assert epochs == sorted(set(epochs))
    assert len(after) > len(before)
    assert json.loads((run / "course.json").read_text())["changes"][0]["what"] == "passes"
    error = dlcli("train", "--resume", run, "--epochs", "3", code=1)
    assert "are trained already" in error.message


@pytest.mark.parametrize("settings", [{}, {"warmup": 0.0}, {"warmup_steps": 20}, {"warmup_steps": 50, "final": 0.1}])
def test_the_rate_that_is_told_is_the_rate_of_the_optimiser(settings):
    fit = FitConfig(**settings)
    planned = optimize.schedule(fit, 100)
    for step in (0, 3, 20, 40, 99, 100):
        assert fit.learning_rate * resuming._cosine(step, 100, fit) == pytest.approx(
            float(planned(step)), rel=1e-5, abs=1e-9
        )


def test_another_version_is_said_and_goes_on(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / "report.json").unlink()
    origin = json.loads((run / "origin.json").read_text())
    origin["environment"]["packages"]["keras"] = "3.0.0"
    (run / "origin.json").write_text(json.dumps(origin))
    result = dlcli("train", "--resume", run)
    assert "not bit for bit" in result.stderr
    assert "packages.keras: 3.0.0 -> " in result.stderr


def test_where_no_checkpoint_is_whole_the_answer_is_short(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / "report.json").unlink()
    for path in savepoints.listed(run / "checkpoints"):
        (path / savepoints.STATE).write_bytes(b"")
    error = dlcli("train", "--resume", run, code=DISK)
    assert "no checkpoint in" in error.message


def test_an_unfinished_run_in_out_is_pointed_to(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / "report.json").unlink()
    error = dlcli("train", "digits:200", *SMALL, "--out", run, code=1)
    assert f"--resume {run}" in error.hint


def test_what_cannot_be_resumed_says_why(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / "origin.json").unlink()
    assert "before its first step" in dlcli("train", "--resume", run, code=1).message
    assert "leave --out" in dlcli("train", "--resume", run, "--out", tmp_path / "x", code=1).hint
    assert "no run directory" in dlcli("train", "--resume", tmp_path / "none", code=1).message


@pytest.mark.parametrize(("text", "resumed"), [("0", True), ("-1", True), ("ten", True), ("+3", False), ("²", True)])
def test_epochs_are_whole_numbers(text, resumed):
    with pytest.raises(DlcliError) as caught:
        resuming.passes(text, resumed=resumed)
    assert caught.value.code == 2
    assert resuming.passes("+10", resumed=True) == (10, True)


@pytest.mark.parametrize("kind", ["images", "table", "series", "sequences", "texts"])
def test_a_fingerprint_tells_data_apart_and_equal_data_alike(kind):
    from dataclasses import replace

    labels = "none" if kind == "series" else "classes"
    data = tiny.data(kind, labels)
    assert fingerprint.of(data) == fingerprint.of(tiny.data(kind, labels))
    if kind != "series":
        fewer = replace(data, splits={"all": data.splits["all"].take(range(20))})
        assert fingerprint.of(fewer) != fingerprint.of(data)


def process(*arguments, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "dlcli", *[str(argument) for argument in arguments]]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def until_saved(run: Path, child: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not savepoints.listed(run / "checkpoints"):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


LONG = ("digits:200", "--arch", "mlp", "--set", "arch.width=8", "--epochs", "600", "--set", "fit.save_every=0")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_killed_and_resumed_in_new_processes_is_the_same_bit_for_bit(tmp_path, backend):
    """kill -9, then SIGTERM, then to the end; beside a run that was left alone."""
    if backend == "jax":
        pytest.importorskip("jax")
    straight = process("train", *LONG, "--backend", backend, "--out", tmp_path / "straight")
    run = tmp_path / "run"
    child = process("train", *LONG, "--backend", backend, "--out", run)
    until_saved(run, child)
    other = process("train", "--resume", run)
    _, told = other.communicate()
    assert other.returncode == LOCKED
    assert f"process {child.pid}" in told
    child.kill()
    child.communicate()
    child = process("train", "--resume", run)
    time.sleep(0.1)
    while child.poll() is None and "going on" not in child.stderr.readline():
        pass
    child.send_signal(signal.SIGTERM)
    _, told = child.communicate(timeout=60)
    assert child.returncode in (75, 0)
    assert "Traceback" not in told
    child = process("train", "--resume", run)
    _, told = child.communicate()
    assert child.returncode == 0, told
    straight.communicate()
    one, two = (savepoints.newest(path / "checkpoints") for path in (tmp_path / "straight", run))
    assert one.digests == two.digests
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in lines(path)] for path in (straight_of(run), run)
    ]
    assert rows[0] == rows[1]


def straight_of(run: Path) -> Path:
    return run.with_name("straight")


DEVICES = """
import os, sys
backend, count = sys.argv[1], int(sys.argv[3])
os.environ["KERAS_BACKEND"] = backend
if backend == "jax":
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
else:
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
from pathlib import Path
from dlcli import backend as engine
engine.start(backend)
from tests.training import killed, killed_after, outcome, trained
from dlcli import fit
honest, counts = fit.train, []
def placed(*arguments, **options):
    with engine.scope() as copies:
        counts.append(copies)
        return honest(*arguments, **options, multiple=copies)
fit.train = placed
root = Path(sys.argv[2])
"""

EXACT = """
trained(root / "straight", ema=0.9)
killed(root / "killed", 5, 3, 14, ema=0.9)
assert set(counts) == {2}, counts
one, two = outcome(root / "straight"), outcome(root / "killed")
assert one["history"] == two["history"], (one["history"], two["history"])
assert one == two, [g for g in one["digests"] if one["digests"][g] != two["digests"][g]]
"""

ELSEWHERE = """
if count == 2:
    with killed_after(20):
        trained(root / "moved", ema=0.9)
else:
    trained(root / "moved", ema=0.9)
assert set(counts) == {count}, counts
"""


def on_devices(count: int, backend: str, script: str, folder: Path) -> None:
    """Run it where so many devices are seen."""
    if backend == "jax":
        pytest.importorskip("jax")
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", DEVICES + script + "print('done')", backend, str(folder), str(count)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.stdout.strip().endswith("done"), done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_exact_on_two_devices(tmp_path, backend):
    """MirroredStrategy on two logical CPUs; DataParallel on two host devices."""
    on_devices(2, backend, EXACT, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_another_number_of_devices_goes_on_with_what_was_trained(tmp_path, backend):
    """Killed in the second epoch on two devices, ended on one. With TensorFlow each device has batch statistics of its own,
    so that is refused by the name of the weight; with JAX it goes on, and nothing is lost or done again."""
    on_devices(2, backend, ELSEWHERE, tmp_path)
    before = savepoints.newest(tmp_path / "moved" / "checkpoints")
    assert before.step == 20
    if backend == "tensorflow":
        with pytest.raises(AssertionError, match="norm/moving_mean was not restored as it was saved"):
            on_devices(1, backend, ELSEWHERE, tmp_path)
        return
    on_devices(1, backend, ELSEWHERE, tmp_path)
    after = savepoints.newest(tmp_path / "moved" / "checkpoints")
    assert after.finished
    assert after.step == 32  # two epochs of two passes of eight batches
    rows = lines(tmp_path / "moved")
    assert [row["epoch"] for row in rows] == [2, 4]
    assert rows[:1] == before.meta["keeper"]["rows"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_twenty_random_kills_lose_nothing(backend):
    """benchmarks/kill_sweep.py with --kills 200 is the long one."""
    if backend == "jax":
        pytest.importorskip("jax")
    found = benchmark("kill_sweep", "--kills", "20", "--epochs", "6", "--backend", backend)
    assert found["kills"] == 20
    assert not found["lost"]
    assert not found["differing"]
    assert found["most_steps_lost"] <= 2  # saved after every step: one between two saves, and one
    assert found["tracebacks"] == 0


def test_a_run_from_before_an_option_was_there_goes_on_and_is_repeated_as_it_was(tmp_path):
    """An lstm for series of a version without task.pool and task.cut; of those the first has another default with it now."""
    run = tmp_path / "run"
    plain = ("--set", "task.pool=mean", "--set", "arch.units=8", "--set", "fit.steps=2", "--epochs", 1)
    dlcli("train", "motions:60", "--arch", "lstm", *plain, "--out", run)
    for name in ("config.json", "origin.json", "spec.json"):
        told = json.loads((run / name).read_text())
        options = {"config.json": told, "origin.json": told.get("config")}.get(name)
        for option in ("pool", "cut"):
            del (told["learned"] if name == "spec.json" else options["set"]["task"])[option]
        (run / name).write_text(json.dumps(told))
    dlcli("train", "--resume", run, "--epochs", "+1")
    assert len(lines(run)) == 2
    assert (
        "task.cut" in dlcli("train", "--resume", run, "--epochs", "+1", "--set", "task.cut=0.2", code=MISMATCH).message
    )
    dlcli("train", "--config", run / "config.json", "--out", tmp_path / "again")
    repeated = json.loads((tmp_path / "again" / "config.json").read_text())
    assert (repeated["set"]["task"]["pool"], repeated["set"]["task"]["cut"]) == ("mean", 0.0)


def test_epochs_of_a_run_that_goes_on_are_asked_for_in_one_way(finished):
    error = dlcli("train", "--resume", finished, "--set", "fit.epochs=60", code=1)
    assert "--epochs N" in error.hint


def test_a_run_that_patience_ended_has_the_rate_of_its_plan(tmp_path):
    """It is in the middle of its cosine, not at the end, as a run is whose time was up."""
    run = tmp_path / "run"
    dlcli("train", "digits:200", *SMALL[:4], "--epochs", "400", "--set", "fit.patience=1", "--out", run)
    done = lines(run)[-1]["epoch"]
    assert done < 300
    answer = " ".join(dlcli("train", "--resume", run, "--epochs", "+40").stderr.split())
    assert "400 -> " in answer
    assert float(answer.split(f"At epoch {done} it goes from ")[1].split()[0]) > 1e-5


def test_epochs_of_little_data_are_counted_as_they_are_trained(tmp_path):
    """24 rows in one batch: several passes make an epoch of Keras, and the numbers that are told are whole ones of those."""
    dlcli("train", "linear:24", *SMALL[:4], "--epochs", "17", "--set", "data.parts=16,4,4", "--out", tmp_path / "run")
    course = json.loads((tmp_path / "run" / "course.json").read_text())
    assert lines(tmp_path / "run")[-1]["epoch"] == course["passes"] == 18
    answer = dlcli("train", "--resume", tmp_path / "run", "--epochs", "+1")
    assert "9 epochs are trained in one go: 27 instead of 19" in answer.stderr
    assert "18 -> 27 epochs" in answer.stderr
    assert lines(tmp_path / "run")[-1]["epoch"] == 27


def test_epochs_after_a_budget_of_time_are_trained_with_the_rate_that_was_told(tmp_path):
    """The schedule of a budget goes ahead of the steps: it is set back to them, or the rate would stay at nothing."""
    from keras.saving import load_model

    run = tmp_path / "run"
    dlcli("train", "digits:400", "--arch", "mlp", "--set", "arch.width=8", "--time", "3s", "--out", run)
    before, done = load_model(run / "last.keras").get_weights(), lines(run)[-1]["epoch"]
    answer = dlcli("train", "--resume", run, "--epochs", f"+{max(1, done // 5)}")
    assert f"{done} -> " in answer.stderr
    after = load_model(run / "last.keras").get_weights()
    assert max(abs(new - old).max() for new, old in zip(after, before, strict=True)) > 0
