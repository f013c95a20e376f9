"""Checkpoints: whole or not there, every flipped byte is found, the newest good one is used."""

import contextlib
import errno
import os
import shutil
import subprocess

import numpy as np
import pytest

from dlcli import durable, rundir, savepoints
from dlcli.errors import DISK, MODEL, DlcliError
from dlcli.savepoints import Savepoint
from tests.disk import Failing, Recorder, after_power_loss

FILES = (savepoints.STATE, savepoints.MANIFEST, savepoints.SUMS)


def point(step: int, phase: int = 0) -> Savepoint:
    rng = np.random.default_rng(step)
    arrays = {
        "model": [rng.normal(size=(5, 3)).astype("float32"), np.zeros((0, 2), "float32"), np.array([1, 2], "uint32")],
        "optimizer": [np.array(step, "int64"), rng.normal(size=7).astype("float16"), np.array(True)],
    }
    return Savepoint(step=step, phase=phase, meta={"epoch": step // 4, "rows": [{"loss": 0.5}]}, arrays=arrays)


def same(one: Savepoint, other: Savepoint) -> bool:
    assert set(one.arrays) == set(other.arrays)
    pairs = [(a, b) for group in one.arrays for a, b in zip(one.arrays[group], other.arrays[group], strict=True)]
    return one.meta == other.meta and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


@pytest.fixture
def folder(tmp_path):
    """Two checkpoints, of steps 3 and 7."""
    for step in (3, 7):
        savepoints.write(tmp_path / "checkpoints", point(step))
    return tmp_path / "checkpoints"


def test_what_is_written_is_read_again(folder):
    assert same(savepoints.newest(folder), point(7))
    assert savepoints.reached(folder) == 7


def test_the_state_is_a_safetensors_file_that_others_can_read(folder):
    """By the reader of foreign weights, which knows nothing of checkpoints."""
    from dlcli.checkpoints import safetensors

    found = safetensors.read(folder / "step-0000000007" / savepoints.STATE)
    np.testing.assert_array_equal(found["model/00000"], point(7).arrays["model"][0])


def test_sha256sum_checks_a_checkpoint_without_dlcli(folder):
    place = folder / "step-0000000007"
    if not shutil.which("sha256sum"):
        pytest.skip("there is no sha256sum here")
    assert subprocess.run(["sha256sum", "-c", savepoints.SUMS], cwd=place, capture_output=True).returncode == 0
    (place / savepoints.STATE).write_bytes(b"x")
    assert subprocess.run(["sha256sum", "-c", savepoints.SUMS], cwd=place, capture_output=True).returncode != 0


def test_a_hundred_flipped_bytes_are_found_and_the_one_before_is_used(folder, tmp_path, capsys):
    """One random byte at a time, in any file of the newest checkpoint."""
    rng = np.random.default_rng(0)
    newest = folder / "step-0000000007"
    for i in range(100):
        file = newest / FILES[i % 3]
        data = file.read_bytes()
        place = int(rng.integers(len(data)))
        file.write_bytes(data[:place] + bytes([data[place] ^ int(rng.integers(1, 256))]) + data[place + 1 :])
        assert same(savepoints.newest(folder), point(3)), f"byte {place} of {file.name}"
        file.write_bytes(data)
    assert capsys.readouterr().err.count("is damaged") == 100
    assert same(savepoints.newest(folder), point(7))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["delete", "empty", "cut", "zero", "longer"])
def test_a_damaged_file_is_found_and_the_one_before_is_used(folder, name, harm):
    file = folder / "step-0000000007" / name
    data = file.read_bytes()
    if harm == "delete":
        file.unlink()
    else:
        parts = {"empty": b"", "cut": data[: len(data) // 2], "zero": bytes(len(data)), "longer": data + b"x"}
        file.write_bytes(parts[harm])
    assert same(savepoints.newest(folder), point(3))


def test_where_all_are_damaged_it_says_what_was_tried_and_deletes_nothing(folder):
    for path in savepoints.listed(folder):
        (path / savepoints.STATE).write_bytes(b"")
    before = sorted(folder.rglob("*"))
    with pytest.raises(DlcliError) as caught:
        savepoints.newest(folder)
    assert caught.value.code == DISK
    assert "step-0000000003" in caught.value.message
    assert "step-0000000007" in caught.value.message
    assert sorted(folder.rglob("*")) == before


def test_damaged_ones_do_not_push_good_ones_out(tmp_path):
    """Two newer ones are damaged: training goes on from the good one, and after a save there are two good ones."""
    folder = tmp_path / "checkpoints"
    for step in (60, 70, 80):
        savepoints.write(folder, point(step))
    for old in savepoints.listed(folder)[:1]:
        shutil.copytree(old, folder / "step-0000000090")
    for name in ("step-0000000080", "step-0000000090"):
        (folder / name / savepoints.STATE).write_bytes(b"")
    used = savepoints.newest(folder)
    assert used.step == 70
    savepoints.set_aside(folder, used)
    savepoints.write(folder, point(75))
    assert [path.name for path in savepoints.listed(folder)] == ["step-0000000075", "step-0000000070"]
    assert savepoints.newest(folder).step == 75
    assert (folder / "damaged-step-0000000090").is_dir()


def test_a_later_format_is_refused_with_the_version_to_install(folder, monkeypatch):
    monkeypatch.setattr(savepoints, "FORMAT", 99)
    savepoints.write(folder, point(9))
    monkeypatch.setattr(savepoints, "FORMAT", 1)
    with pytest.raises(DlcliError) as caught:
        savepoints.newest(folder)
    assert caught.value.code == MODEL
    assert "install dlcli" in caught.value.hint


def test_leftovers_of_a_killed_process_are_swept_and_nothing_else(folder):
    """A folder of the user's own stays, and a name that only looks alike."""
    shutil.copytree(folder / "step-0000000003", folder / ".tmp-123-step-0000000009")
    (folder / ".tmp-123-step-0000000009" / savepoints.MANIFEST).unlink()
    (folder / ".tmp-mine").mkdir()
    (folder / "notes").mkdir()
    assert savepoints.newest(folder).step == 7
    durable.sweep(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".tmp-mine", "notes", "step-0000000003", "step-0000000007",
    ]  # fmt: skip


def test_the_newest_is_found_by_its_number_whatever_the_dates_say(folder):
    os.utime(folder / "step-0000000007", (0, 0))
    os.utime(folder / "step-0000000003", (2e9, 2e9))
    assert savepoints.newest(folder).step == 7
    for phase, name in ((1, "step-0000000007-scored"), (2, "step-0000000007-finished")):
        savepoints.write(folder, point(7, phase))
        assert savepoints.listed(folder)[0].name == name


def test_fifty_saves_leave_two(tmp_path):
    for step in range(50):
        savepoints.write(tmp_path, point(step))
        good = [path for path in savepoints.listed(tmp_path) if savepoints.read(path)]
        assert len(good) == min(2, step + 1)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_whichever_call_fails_nothing_that_was_good_is_lost(folder, number, monkeypatch):
    """The first call fails, then the second, … until all of a save works (SQLite's way of testing)."""
    failed = []
    for k in range(1, 100):
        shim = Failing(k, number)
        with monkeypatch.context() as patched:
            patched.setattr(durable, "os", shim)
            try:
                savepoints.write(folder, point(11))
            except OSError as error:
                assert error.errno == number  # noqa: PT017  the loop ends by a save that works
        if not shim.failed:
            break
        failed.append(shim.failed)
        newest = savepoints.newest(folder)
        assert same(newest, point(newest.step))
        assert newest.step in (7, 11)
        shutil.rmtree(folder)
        for step in (3, 7):
            savepoints.write(folder, point(step))
    assert same(savepoints.newest(folder), point(11))
    assert {"write", "fsync", "rename", "mkdir", "open"} <= set(failed)
    assert len(failed) >= 10


def test_bytes_are_synced_before_names_and_both_before_the_rename(folder, monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(durable, "os", recorder)
    savepoints.write(folder, point(11))
    kinds = [(entry[0], os.path.basename(entry[-1] if entry[0] == "rename" else entry[1])) for entry in recorder.log]
    renamed = kinds.index(("rename", "step-0000000011"))
    temporary = f".tmp-{os.getpid()}-step-0000000011"
    before, after = kinds[:renamed], kinds[renamed + 1 :]
    for name in FILES:
        writes = [i for i, entry in enumerate(before) if entry == ("write", name)]
        assert writes
        assert before.index(("fsync", name)) > writes[-1]
    assert before[-1] == ("fsync", temporary)
    assert after[0] == ("fsync", folder.name)
    # the old one goes only when the new one is safe
    assert ("rename", f".tmp-{os.getpid()}-old-step-0000000003") in after


def test_after_a_power_failure_a_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch):
    """The log of a save is cut at every entry, and what was not synced by then is dropped."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    recorder = Recorder()
    with monkeypatch.context() as patched:
        patched.setattr(durable, "os", recorder)
        savepoints.write(folder, point(11))
    present = 0
    for cut in range(len(recorder.log) + 1):
        disk = tmp_path / f"disk{cut}"
        disk.mkdir()
        after_power_loss(recorder.log[:cut], folder, disk)
        for path in savepoints.listed(disk):
            assert same(savepoints.read(path), point(11))
            present += 1
    assert present >= 1, "the replay never showed the finished checkpoint"


def test_a_rename_without_syncs_would_not_pass_the_power_failure_test(tmp_path, monkeypatch):
    """The replay can tell: it finds a save that forgets to sync its files."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    recorder = Recorder()
    with monkeypatch.context() as patched:
        patched.setattr(durable, "os", recorder)
        savepoints.write(folder, point(11))
    careless = [entry for entry in recorder.log if not (entry[0] == "fsync" and entry[1].endswith(savepoints.STATE))]
    disk = tmp_path / "disk"
    disk.mkdir()
    after_power_loss(careless, folder, disk)
    with pytest.raises((OSError, ValueError)):
        savepoints.read(disk / "step-0000000011")


def test_a_model_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    """Every call that puts model.keras in place fails in turn."""
    target = tmp_path / "model.keras"
    target.write_bytes(b"old")
    for k in range(1, 20):
        shim = Failing(k, errno.ENOSPC)
        with monkeypatch.context() as patched:
            patched.setattr(durable, "os", shim)
            with contextlib.suppress(OSError):
                rundir.commit(target, lambda temporary: temporary.write_bytes(b"new"))
        if not shim.failed:
            break
        assert target.read_bytes() in (b"old", b"new")
        target.write_bytes(b"old")
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
