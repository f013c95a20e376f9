"""What goes wrong while a model trains: no number, no memory, no data, no disk, no patience."""

import errno
import json
import os
import signal
import time

import keras
import numpy as np
import pytest

from dlcli import backend, course, durable, loading, locking, savepoints, signals, state
from dlcli.errors import DATA, DISK, DIVERGED, LOCKED, MEMORY, PREEMPTED, STOPPED, DataError, DlcliError
from dlcli.keeper import Keeper
from dlcli.loading import Guarded
from dlcli.rundir import Run
from dlcli.saver import Saver
from tests.disk import Failing
from tests.training import Line, build, data, outcome, trained


class Source:
    """Arrays with something wrong about one batch."""

    def __init__(self, wrong):
        self.arrays, self.wrong = data(), wrong

    def __len__(self):
        return len(self.arrays)

    def batch(self, indices, rng):
        self.wrong(indices)
        return self.arrays.batch(indices, rng)


def course_of(path):
    return json.loads((path / course.NAME).read_text())


def test_a_loss_that_is_no_number_goes_back_with_a_lower_rate_and_then_ends(tmp_path, capsys):
    """A poisoned example stays poisoned: three lower rates, then exit code 6; no checkpoint holds a NaN."""
    poisoned = data()
    poisoned.y[7] = np.nan
    with pytest.raises(DlcliError) as caught:
        trained(tmp_path / "run", train=poisoned)
    assert caught.value.code == DIVERGED
    assert [c["rate"] for c in course_of(tmp_path / "run")["changes"]] == [0.25, 0.0625, 0.015625]
    assert capsys.readouterr().err.count("of the learning rate") == 3
    point = savepoints.newest(tmp_path / "run" / "checkpoints")
    if point is not None:
        assert all(np.isfinite(array).all() for array in point.arrays["model"] if array.dtype.kind == "f")


def test_weights_that_became_no_numbers_are_never_the_best(tmp_path):
    """Nothing is scored, so the newest epoch is the best; not the one whose weights are NaN."""
    run = Run(tmp_path)
    keeper = Keeper(Line(), run)
    keeper.set_model(build())
    keeper.on_epoch_begin(0)
    keeper.on_epoch_end(0, {"loss": 1.0})
    keeper.save_best()
    good, before = [array.copy() for array in keeper.weights], run.model.read_bytes()
    keeper.model.set_weights([np.full_like(array, np.nan) if array.dtype.kind == "f" else array for array in good])
    keeper.on_epoch_begin(1)
    keeper.on_epoch_end(1, {"loss": 1.0})
    keeper.save_best()
    assert keeper.best_epoch == 1
    assert all(np.array_equal(one, other) for one, other in zip(keeper.weights, good, strict=True))
    assert run.model.read_bytes() == before


def test_an_optimizer_without_numbers_is_not_saved(tmp_path, monkeypatch):
    """Its accumulated gradients are NaN while the weights are not yet: no rollback may begin from there."""
    honest = state.captured

    def poisoned(model):
        found = honest(model)
        found["optimizer"] = [array * np.nan if array.dtype.kind == "f" else array for array in found["optimizer"]]
        return found

    monkeypatch.setattr(state, "captured", poisoned)
    with pytest.raises(DlcliError) as caught:
        trained(tmp_path / "run")
    assert caught.value.code == DIVERGED
    assert "the optimizer's state became NaN" in caught.value.message
    assert savepoints.newest(tmp_path / "run" / "checkpoints") is None


@pytest.mark.parametrize(("error", "told"), [(MemoryError(), DlcliError), (RuntimeError("a bug"), RuntimeError)])
def test_what_goes_wrong_while_a_checkpoint_is_written_ends_training(tmp_path, monkeypatch, error, told):
    """Not the thread alone, with a traceback and no more checkpoints."""

    def failing(folder, point):
        raise error

    monkeypatch.setattr(savepoints, "write", failing)
    with pytest.raises(told):
        trained(tmp_path / "run", epochs=30)


@pytest.mark.parametrize("content", [b'{"a": "\xff"}', b"{", b"[" * 100_000])
def test_a_file_of_a_run_that_is_damaged_is_named(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(DlcliError) as caught:
        Run(tmp_path).read("config.json")
    assert "config.json is damaged" in caught.value.message


def test_a_course_with_a_field_that_nobody_knows_is_damaged(tmp_path):
    (tmp_path / course.NAME).write_text('{"passes": 3, "per_epoch": 1, "batch_size": 8, "unknown": 1}')
    with pytest.raises(DlcliError) as caught:
        course.recorded(Run(tmp_path))
    assert "course.json is damaged" in caught.value.message


@pytest.mark.slow
def test_a_rate_that_is_too_high_is_lowered_until_it_learns(tmp_path):
    done = trained(tmp_path / "run", optimizer="sgd", learning_rate=8.0, schedule="constant", clip_norm=None, epochs=6)
    changes = course_of(tmp_path / "run")["changes"]
    assert [c["what"] for c in changes][:1] == ["rollback"]
    assert all(np.isfinite(w).all() for w in done.model.get_weights())


def test_out_of_memory_divides_the_batch_and_resume_keeps_it(tmp_path, monkeypatch, capsys):
    """The real error of the backend, for batches above 8: the same examples, twice as many parts of a batch."""
    from dlcli.batches import Batches

    honest = Batches.__getitem__

    def limited(self, index):
        batch = honest(self, index)
        if len(batch[0]) > 8:
            raise MemoryError
        return batch

    monkeypatch.setattr(Batches, "__getitem__", limited)
    monkeypatch.setattr(backend, "memory_errors", lambda: (MemoryError, Exception))
    monkeypatch.setattr(backend, "is_memory", lambda error: "MemoryError" in f"{type(error)}{error}")
    trained(tmp_path / "run", epochs=1)
    assert "16 is computed in 2 parts" in capsys.readouterr().err
    told = course_of(tmp_path / "run")
    assert (told["batch_size"], told["parts"]) == (16, 2)
    assert outcome(tmp_path / "run")["finished"]
    with pytest.raises(DlcliError) as caught:
        course.Course(passes=1, per_epoch=1, batch_size=4, parts=4).smaller(Run(tmp_path), multiple=1, step=0)
    assert caught.value.code == MEMORY


def test_the_backends_own_error_is_known_as_one_of_memory():
    """16 TB at once: refused by the allocator of either backend."""
    with pytest.raises(backend.memory_errors()) as caught:
        keras.ops.convert_to_numpy(keras.ops.zeros((2**42,)) + 1)
    assert backend.is_memory(caught.value)


def test_a_divided_batch_gives_the_gradient_of_the_whole(tmp_path):
    """Without layers that look at a batch as a whole, two halves with their gradients added are one batch."""

    def plain():
        inputs = keras.Input((8,), name="x")
        return keras.Model(inputs, keras.layers.Dense(1, name="line")(inputs))

    options = {"make": plain, "epochs": 1, "optimizer": "sgd", "learning_rate": 0.05, "schedule": "constant"}
    whole = trained(tmp_path / "whole", **options)
    (tmp_path / "parts").mkdir()
    course.Course(passes=1, per_epoch=1, batch_size=16, parts=4).written(Run(tmp_path / "parts"))
    parts = trained(tmp_path / "parts", **options)
    for one, two in zip(whole.model.get_weights(), parts.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_the_example_that_cannot_be_read_is_named(tmp_path):
    def wrong(indices):
        if 42 in indices:
            raise OSError(errno.ENOENT, "No such file or directory", "pictures/42.png")

    source = Guarded(Source(wrong), names=[f"picture {i}" for i in range(128)], patience=5)
    with pytest.raises(DataError) as caught:
        source.batch(np.arange(32, 48), np.random.default_rng(0))
    assert "picture 42 could not be read" in caught.value.message
    assert caught.value.code == DATA


def test_a_batch_that_never_comes_ends_the_wait(tmp_path):
    source = Guarded(Source(lambda indices: time.sleep(30)), names=[f"picture {i}" for i in range(128)], patience=0.2)
    begun = time.monotonic()
    with pytest.raises(DataError) as caught:
        source.batch(np.arange(3), np.random.default_rng(0))
    assert time.monotonic() - begun < 10
    assert "picture 0" in caught.value.message


def test_looking_for_the_bad_example_does_not_hang(tmp_path, monkeypatch):
    """A disk that failed once and then does not answer."""
    asked = []

    def wrong(indices):
        asked.append(1)
        if len(asked) > 1:
            time.sleep(30)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(loading, "_AGAIN", 0.2)
    source = Guarded(Source(wrong), names=None, patience=5)
    begun = time.monotonic()
    with pytest.raises(DataError) as caught:
        source.batch(np.arange(3), np.random.default_rng(0))
    assert time.monotonic() - begun < 10
    assert "Input/output error" in caught.value.message


def test_what_a_source_raises_in_training_comes_out_as_it_was(tmp_path):
    """Not as an error of TensorFlow's that quotes a traceback."""
    seen = []

    def wrong(indices):
        seen.append(1)
        if len(seen) > 6:
            raise OSError(errno.EIO, "Input/output error", "disk")

    with pytest.raises(DataError) as caught:
        trained(tmp_path / "run", train=Source(wrong))
    assert "could not be read" in caught.value.message
    with pytest.raises(KeyError), loading.told(None):
        raise KeyError


def test_a_full_disk_ends_training_with_the_bytes_and_the_one_before_is_good(tmp_path, monkeypatch):
    monkeypatch.setattr(durable, "os", Failing(150, errno.ENOSPC))
    with pytest.raises(DlcliError) as caught:
        trained(tmp_path / "run")
    assert caught.value.code == DISK
    assert "No space left on device" in caught.value.message
    assert "MB needed" in caught.value.message
    monkeypatch.undo()
    assert savepoints.newest(tmp_path / "run" / "checkpoints") is not None


def test_two_processes_do_not_share_a_run(tmp_path):
    """The lock names its holder, and goes with the process however that ends."""
    import subprocess
    import sys

    code = (
        "import sys, time; from pathlib import Path; from dlcli import locking\n"
        "with locking.held(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(DlcliError) as caught, locking.held(tmp_path):
            pass
        assert caught.value.code == LOCKED
        assert f"process {holder.pid} on " in caught.value.message
        with pytest.raises(DlcliError):
            locking.check(tmp_path)
    finally:
        holder.kill()
        holder.wait()
    with locking.held(tmp_path):
        assert json.loads((tmp_path / locking.NAME).read_text())["pid"] == os.getpid()


@pytest.fixture(autouse=True)
def interrupts_are_heard():
    """A shell that starts the tests in the background has them ignore Ctrl-C, and what is ignored stays so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def send(monkeypatch):
    """Sends this process a signal, and waits until the thread that listens has heard it: on a busy machine the epoch
    might be over before."""
    stops, honest = [], signals.Stop
    monkeypatch.setattr(signals, "Stop", lambda: stops.append(honest()) or stops[-1])

    def sent(number):
        os.kill(os.getpid(), number)
        limit = time.monotonic() + 30
        while stops[-1].wanted is None and not stops[-1].save and time.monotonic() < limit:
            time.sleep(0.01)

    return sent


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, STOPPED), (signal.SIGTERM, PREEMPTED), (signal.SIGHUP, PREEMPTED)]
)
def test_a_signal_finishes_the_step_and_saves(tmp_path, send, number, code):
    """What was trained until then is on disk."""
    seen = []

    def wrong(indices):
        seen.append(1)
        if len(seen) == 12:
            send(number)

    with pytest.raises(DlcliError) as caught:
        trained(tmp_path / "run", train=Source(wrong), save_every=1000.0)
    assert caught.value.code == code
    assert "all of it is saved" in caught.value.message
    assert savepoints.newest(tmp_path / "run" / "checkpoints").step > 0


def test_a_signal_in_the_last_step_is_heard(tmp_path, monkeypatch, send):
    """All is trained and saved; what is left, the score, is not waited for."""
    honest = Saver.finish

    def late(self, *arguments):
        send(signal.SIGTERM)
        honest(self, *arguments)

    monkeypatch.setattr(Saver, "finish", late)
    with pytest.raises(DlcliError) as caught:
        trained(tmp_path / "run")
    assert caught.value.code == PREEMPTED
    assert savepoints.newest(tmp_path / "run" / "checkpoints").finished
    trained(tmp_path / "run")  # nothing is left to train


def test_sigusr1_saves_and_training_goes_on(tmp_path, send):
    seen = []

    def wrong(indices):
        seen.append(1)
        if len(seen) == 8:
            send(signal.SIGUSR1)

    trained(tmp_path / "run", train=Source(wrong), save_every=1000.0, epochs=2)
    names = [path.name for path in savepoints.listed(tmp_path / "run" / "checkpoints")]
    assert names[0].endswith("-finished")
    assert len(names) == 2


def test_an_ignored_hangup_stays_ignored():
    """As nohup wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.heard() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.1)
            assert stop.wanted is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_leaves_at_once(tmp_path):
    """Also from a step that does not come to an end."""
    import subprocess
    import sys

    code = (
        "import os, signal, time\nfrom dlcli import signals\n"
        "with signals.heard():\n"
        "    os.kill(os.getpid(), signal.SIGINT); time.sleep(0.3); os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == STOPPED
    assert "at once" in done.stderr
    assert time.monotonic() - begun < 30


def test_several_machines_are_refused_in_one_line(monkeypatch):
    told = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(told))
    with pytest.raises(DlcliError) as caught:
        backend._single("tensorflow")
    assert "TF_CONFIG names 2 machines" in caught.value.message
    backend._single("jax")
