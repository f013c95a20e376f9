"""A disk that is really full: a file system in memory of a few hundred kB, mounted by the test."""

import errno
import io
import os
import shutil
import subprocess
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from typer.testing import CliRunner

from dlcli import durable, rundir
from dlcli.cli import app
from dlcli.errors import DISK, DlcliError
from dlcli.fit import Fitted
from dlcli.rundir import Run
from dlcli.strategies import lora
from tests.conftest import benchmark
from tests.disk import Failing


@pytest.fixture
def disk(tmp_path):
    """Mounts a file system of so many bytes."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(size: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting is not allowed here")
        return place

    yield mounted
    if place.is_mount():
        subprocess.run(["umount", place], check=True)


def made(seed: int) -> keras.Model:
    """A third of a MB with its optimizer."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((64,), name="x")
    model = keras.Model(inputs, layers.Dense(256, name="wide")(layers.Dense(64, name="narrow")(inputs)))
    model.compile("adam", "mse")
    model.train_on_batch(np.zeros((2, 64)), np.zeros((2, 256)))
    return model


@pytest.fixture(scope="module")
def models():
    return made(0), made(1)


def without_room(target: Path, model: keras.Model) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        rundir.keep(target, model)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(target)


@pytest.mark.parametrize("large", [False, True])
def test_a_model_that_finds_the_disk_full_leaves_the_old_one_whole(models, disk, tmp_path, monkeypatch, large):
    """large: as Keras treats models of more than 512 MB, whose weights it does not gather in memory by itself."""
    old, new = models
    size = rundir.keep(tmp_path / "model.keras", old).stat().st_size
    place = disk(2 * size - 4096)  # the last page of the second file has no room
    target = rundir.keep(place / "model.keras", old)
    before = target.read_bytes()
    if large:
        monkeypatch.setattr("keras.src.saving.saving_lib.is_memory_sufficient", lambda model: False)
    for room in np.linspace(0.98, 0.0, 8):
        (place / "ballast").write_bytes(bytes(int((1 - room) * (size - 8192))))
        without_room(target, new)
        assert sorted(path.name for path in place.iterdir()) == ["ballast", "model.keras"]
        assert target.read_bytes() == before
    (place / "ballast").unlink()
    disk_of_more = ["mount", "-o", f"remount,size={3 * size}", place]
    subprocess.run(disk_of_more, check=True)
    rundir.keep(target, new)
    assert all(
        np.array_equal(one, two)
        for one, two in zip(keras.saving.load_model(target).get_weights(), new.get_weights(), strict=True)
    )


def test_the_plain_model_of_lora_is_written_as_every_model_is(disk, monkeypatch):
    """With a path, Keras ends in a RuntimeError or in a signal where the disk is full."""
    monkeypatch.setattr("keras.src.saving.saving_lib.is_memory_sufficient", lambda model: False)

    def fitted(build, **_):
        return Fitted(model=build(), epochs=1, best_epoch=1, steps=1, seconds=0.0, examples_per_second=1.0)

    run = Run(disk(64 * 1024))
    work = SimpleNamespace(start=lambda: made(0), origin=SimpleNamespace(make=lambda: made(0)), fit=fitted, run=run)
    with pytest.raises(OSError, match="No space left on device") as caught:
        lora.adapt(work)
    assert caught.value.filename == str(run.model)
    assert not any(run.path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_whichever_call_of_saving_a_model_fails_it_is_the_old_or_the_new(models, tmp_path, monkeypatch, number):
    old, new = models
    target = rundir.keep(tmp_path / "model.keras", old)
    before, calls = target.read_bytes(), []
    for k in range(1, 200):
        target.write_bytes(before)
        shim = Failing(k, number)
        with monkeypatch.context() as patched:
            patched.setattr(durable, "os", shim)
            if not _kept(target, new, number):
                calls.append(shim.failed)
        if not shim.failed:
            break
        assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
        if target.read_bytes() != before:  # renamed before what failed: then it is the new one, and whole
            with zipfile.ZipFile(target) as archive:
                assert archive.testzip() is None
            assert calls[-1] in ("open", "fsync")
    assert {"open", "write", "fsync", "replace"} <= set(calls)


def test_whoever_reads_a_model_while_it_is_written_reads_a_whole_one(tmp_path):
    """As evaluate does beside a training."""
    model = made(0)
    target = rundir.keep(tmp_path / "model.keras", model)

    def write():
        for _ in range(20):
            # the file's date alone is the same for a second
            model.set_weights([weight + 1 for weight in model.get_weights()])
            rundir.keep(target, model)

    writing = threading.Thread(target=write)
    writing.start()
    seen, reads = set(), 0
    while writing.is_alive():
        data = target.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
        seen.add(data)
        reads += 1
    writing.join()
    assert len(seen) > 3
    assert reads > len(seen)


def _kept(target: Path, model: keras.Model, number: int) -> bool:
    try:
        rundir.keep(target, model)
    except OSError as error:
        if error.errno != number:
            raise
        return False
    return True


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that has not been scored."""
    run = tmp_path_factory.mktemp("runs") / "run"
    arguments = ("digits:200", "--arch", "mlp", "--set", "arch.width=8", "--epochs", "20", "--out", str(run))
    assert CliRunner().invoke(app, ["train", *arguments]).exit_code == 0
    (run / "report.json").unlink()
    return run


def everything(run: Path) -> dict:
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in run.rglob("*")}


@pytest.mark.parametrize("more", [(), ("--epochs", "+10"), ("--learning-rate", "0.1", "--allow-change")])
def test_a_run_that_cannot_be_written_is_not_resumed(stopped, disk, tmp_path, more):
    """As root only a file system that is read-only refuses; a copy of the run goes on."""
    place = disk(20 << 20)
    run = Path(shutil.copytree(stopped, place / "run"))
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    before = everything(run)
    error = CliRunner().invoke(app, ["train", "--resume", str(run), *more]).exception
    assert isinstance(error, DlcliError)
    assert error.code == DISK
    assert error.message == f"{run} cannot be written: Read-only file system."
    assert "copy it" in error.hint
    assert everything(run) == before
    copy = shutil.copytree(run, tmp_path / "copy")
    assert CliRunner().invoke(app, ["train", "--resume", str(copy), *more]).exit_code == 0


def test_a_file_that_cannot_be_written_is_named_by_its_own_name(disk):
    run = rundir.Run(disk(1 << 20))
    subprocess.run(["mount", "-o", "remount,ro", run.path], check=True)
    with pytest.raises(OSError, match="Read-only file system") as caught:
        run.write("report.json", {})
    assert caught.value.filename == str(run.path / "report.json")


def test_a_run_of_somebody_else_is_not_resumed(stopped, tmp_path):
    """The same by rights, where they say anything."""
    run = Path(shutil.copytree(stopped, tmp_path / "run"))
    (run / "run.lock").chmod(0o444)
    if os.access(run / "run.lock", os.W_OK):
        pytest.skip("rights do not stop this user")
    before = everything(run)
    error = CliRunner().invoke(app, ["train", "--resume", str(run)]).exception
    assert (error.code, error.message) == (DISK, f"{run} cannot be written: Permission denied.")
    assert everything(run) == before


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_training_on_disks_that_are_too_small_says_so_and_goes_on_with_more_room(disk, backend):
    """benchmarks/full_disk.py with --sizes 8 is the long one."""
    if backend == "jax":
        pytest.importorskip("jax")
    disk(1 << 20)
    found = benchmark("full_disk", "--sizes", "3", "--backend", backend)
    assert found["full"] >= 4
    assert (found["faults"], found["lost"], found["differing"]) == ([], [], [])
