"""Model files made to do harm: one sentence and exit code 4, and nothing else is opened, started or fetched.

They go through the commands, as a user's would, in processes with limits; `python -m tests.hostile FOLDER` writes them.
"""

import ctypes
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from dlcli import finished, registry
from dlcli.errors import DATA, MODEL, DlcliError
from dlcli.safety import loading, preflight
from tests.hostile import archives, base, programs, storage, watched  # noqa: F401  they fill the list
from tests.hostile.cases import CASES

ROOT = Path(__file__).parents[1]
SECONDS, MEGABYTES = 10, 1536
# Two kinds for each case of the scorecard; all the others are slow.
FIRST = {}
for _case in CASES:
    _kinds = FIRST.setdefault(_case.number, {})
    if len(_kinds) < 2:
        _kinds.setdefault(_case.name.partition("[")[0], _case)
QUICK = {case for kinds in FIRST.values() for case in kinds.values()}


class Opened:
    """Counts what is opened in a folder, by whatever code: inotify."""

    def __init__(self, folder: Path):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self.libc.inotify_init1(os.O_NONBLOCK)
        assert self.libc.inotify_add_watch(self.descriptor, os.fsencode(folder), 0x20 | 0x1 | 0x2) >= 0

    def names(self) -> list[str]:
        """What was opened, read or changed since the last call."""
        found = []
        try:
            data = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return []
        while data:
            *_, length = struct.unpack("iIII", data[:16])
            found.append(data[16 : 16 + length].rstrip(b"\0").decode())
            data = data[16 + length :]
        return found


class Place:
    """A folder for a corpus, with a canary that must stay as it is, and a watch on all that is done."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.canary = folder / "canary" / "canary.h5"
        for name in ("canary", "files", "home", "tmp", "site", "canary_package"):
            (folder / name).mkdir()
        with h5py.File(self.canary, "w") as file:
            file["secret"] = np.arange(3.0)
        (folder / "canary_package" / "__init__.py").write_text(f"open({str(self.canary)!r}, 'a')")
        (folder / "site" / "sitecustomize.py").write_text(watched.SITE)
        os.mkfifo(folder / "pipe")

    def run(self, commands: list[list[str]]) -> tuple[list[dict], list[list]]:
        """Results of the commands, and what was done: [process, event, arguments]."""
        done: list[list] = []
        reader = os.open(self.folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        keep = os.open(self.folder / "pipe", os.O_WRONLY)  # or the reader would end between two processes
        os.set_blocking(reader, True)

        def listen():
            with os.fdopen(reader) as lines:
                done.extend(json.loads(line) for line in lines)

        thread = threading.Thread(target=listen)
        thread.start()
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self.folder / 'site'}:{ROOT}",
            "WATCHED": str(self.folder / "pipe"),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "COLUMNS": "500",
            # compiled modules are written beside their sources, and moved there: no business of a model file
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        watch = Opened(self.canary.parent)
        try:
            answer = subprocess.run(
                [sys.executable, "-m", "tests.hostile.watched"], input=json.dumps(commands), text=True, cwd=self.folder,
                capture_output=True, timeout=60 + SECONDS * len(commands), env=environment, check=False,
            )  # fmt: skip
        finally:
            os.close(keep)
            thread.join(timeout=30)
        assert answer.returncode == 0, answer.stderr[-3000:]
        assert watch.names() == []
        return [json.loads(line) for line in answer.stdout.splitlines()], done

    def file(self, case) -> Path:
        """The file of a case, alone in its folder."""
        folder = self.folder / "files" / f"{case.number}-{case.name}".replace("/", "_")
        folder.mkdir()
        return case.build(folder, self.canary)


def as_a_run(path: Path, good: Path) -> Path:
    """A run directory whose model is that file."""
    run = path.parent / "run"
    shutil.copytree(good, run)
    shutil.move(path, run / "model.keras")
    return run


def check(place: Place, cases, commands: list[list[str]], *, code=MODEL) -> None:
    """Every command was refused as it should, within its limits, and nothing was touched."""
    results, done = place.run(commands)
    assert len(results) == len(commands)
    wrong = []
    for case, argv, result in zip(cases, commands, results, strict=True):
        lines = [line for line in result["said"].splitlines() if not line.startswith(("starting", "Warning"))]
        fine = (
            result["code"] == code
            and case.words in result["said"]
            and lines[0].startswith("Error: ")
            and len(lines) <= 2
            and all(line.startswith("Hint:") for line in lines[1:])
            and "Traceback" not in result["said"]
            and (result["seconds"] < SECONDS or result["keras"])
            and result["memory"] < MEGABYTES
            and (case.late or not result["keras"])
        )
        wrong += [] if fine else [(case.number, case.name, argv, result)]
    assert not wrong
    allowed = (sys.prefix, sys.base_prefix, str(ROOT), str(place.folder / "tmp"), str(place.folder / "site"), "/proc/", "/dev/", "/sys/", "/etc/", "/usr/", "/lib")  # fmt: skip
    mine = {str(argument) for argv in commands for argument in argv}
    for _, event, arguments in done:
        if event == "open":
            path = arguments[0]
            inside = path.startswith(allowed) or path.isdigit() or any(path.startswith(name) for name in mine)
            assert inside or path.startswith(str(place.folder / "home")), arguments
            writes = len(arguments) > 1 and set(arguments[1]) & set("wax+")
            settings = case.late and path.startswith(
                str(place.folder / "home" / ".cache" / "dlcli" / "keras")
            )  # by its import
            assert not writes or settings or path.startswith((str(place.folder / "tmp"), "/dev/", "/proc/")) or path.isdigit(), arguments  # fmt: skip
        elif event == "subprocess.Popen":
            assert arguments[0] in (sys.executable, "uname"), arguments  # Python's `platform` asks for the latter
        elif event == "os.remove" and arguments[1].isdigit():  # within an open folder: the link to what was judged
            assert arguments[0] in ("model.keras", "model.h5"), arguments
        elif event == "socket.bind":
            assert "::1" in arguments[1], arguments  # urllib3 tries whether this machine has IPv6
        else:
            assert event in ("os.remove", "os.rename", "os.symlink", "socket.__new__"), (event, arguments)
            assert event == "socket.__new__" or str(place.folder / "tmp") in str(arguments), (event, arguments)
    assert list((place.folder / "tmp").iterdir()) == []
    with h5py.File(place.canary) as file:
        assert file["secret"][:].tolist() == [0, 1, 2]


@pytest.fixture(scope="module")
def good_run(tmp_path_factory) -> Path:
    """What a run directory holds beside its model, as far as it is read before the model is."""
    run = tmp_path_factory.mktemp("good") / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"data": "digits:100", "arch": "mlp", "task": "image-classification"}))
    (run / "spec.json").write_text(json.dumps({"task": "image-classification", "architecture": "mlp", "kind": "images", "format": "builtin", "learned": {}}))  # fmt: skip
    return run


def commands(place: Place, cases, good: Path) -> list[list[str]]:
    """One command for each case, of the four that open a model, by turns."""
    found = []
    for number, case in enumerate(cases):
        path = place.file(case)
        turn = number % 4 if path.suffix == ".keras" and not case.late else 0
        if turn == 0:
            found.append(["inspect-layers", str(path), "--budget", "static"])
        elif turn == 1:
            found.append(["evaluate", str(as_a_run(path, good))])
        elif turn == 2:
            found.append(["transfer", str(path), "digits:100"])
        else:
            found.append(["predict", str(as_a_run(path, good)), str(path.parent)])
    return found


def test_hostile_files_are_refused_before_keras_is_imported(tmp_path, good_run):
    """Some of each case, through inspect-layers, evaluate, predict and transfer."""
    cases = [case for case in CASES if case in QUICK and not case.late]
    place = Place(tmp_path)
    check(place, cases, commands(place, cases, good_run))


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted({case.number for case in CASES if not case.late}))
def test_all_hostile_files_are_refused_before_keras_is_imported(number, tmp_path, good_run):
    """Every variant, through another command than in the quick test."""
    cases = [case for case in CASES if case.number == number and not case.late]
    place = Place(tmp_path)
    made = commands(place, cases, good_run)
    check(place, cases, made)


@pytest.mark.parametrize("case", [case for case in CASES if case.late], ids=lambda case: f"{case.number}-{case.name}")
def test_files_that_only_keras_can_judge_are_refused(case, tmp_path):
    """The same by the function that every command opens a model with."""
    with pytest.raises(DlcliError) as caught:
        finished.model(case.build(tmp_path, tmp_path / "canary"))
    assert caught.value.code == MODEL
    assert case.words in caught.value.message + caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.slow
def test_files_that_only_keras_can_judge_are_refused_by_the_command(tmp_path, good_run):
    """Weights that do not fit, sizes that multiply, arguments that nobody knows: Keras' reading is cut short."""
    cases = [case for case in CASES if case.late]
    place = Place(tmp_path)
    check(place, cases, commands(place, cases, good_run))


def test_archives_and_arrays_are_not_unpacked(tmp_path):
    """As MODEL and as DATA: dlcli unpacks no archive, and of an npz no more than it says."""
    place = Place(tmp_path)
    cases, made = [], {DATA: [], MODEL: []}
    for case in archives.ARCHIVES:
        folder = place.folder / "files" / case.name
        folder.mkdir()
        path = case.build(folder, place.canary)
        cases.append(case)
        made[DATA].append(["train", str(path), "--epochs", "1", "--out", str(place.folder / "tmp" / "run")])
        made[MODEL].append(["inspect-layers", str(path)])
    for exit_code, argvs in made.items():
        before = sorted(str(path) for path in place.folder.rglob("*"))
        check(place, cases, argvs, code=exit_code)
        assert sorted(str(path) for path in place.folder.rglob("*")) == before


@pytest.mark.parametrize("text", ["hf://a/b", "gs://bucket/m.keras", "https://example.org/m.keras", "keras:ResNet50:https://example.org/w.h5", "keras:hf://a/b"])  # fmt: skip
def test_nothing_is_fetched(text, tmp_path):
    """An address as MODEL or SOURCE is a refusal without a look-up."""
    place = Place(tmp_path)
    case = base.Address()
    check(place, [case, case], [["inspect-layers", text], ["transfer", text, "digits:100"]])


# Weights that are no numbers


BAD = {
    "nan": np.array([1, np.nan, 0, 0, 0, 0], "f4"),
    "infinity": np.array([1, -np.inf, 0, 0, 0, 0], "f4"),
    "beyond float32": np.array([1e300, 0, 0, 0, 0, 0], "f8"),
    "half": np.array([np.inf, 0, 0, 0, 0, 0], "f2"),
    "bfloat16": np.array([0x7F80, 0, 0, 0, 0, 0], "u2").view("V2"),
}


@pytest.mark.parametrize("kind", BAD)
def test_weights_that_are_no_numbers_are_told_by_layer(kind, tmp_path):
    """Of every type that Keras writes; the table of layers may still be had."""
    path = base.keras_file(
        tmp_path / "m.keras", h5=base.weights({"0": BAD[kind].reshape(3, 2), "1": np.zeros(2, "f4")})
    )
    assert preflight.check(path).unfinite == ["dense/0"]
    with pytest.raises(DlcliError, match="NaN or infinite numbers stand in dense/0") as caught:
        loading.check_finite(preflight.check(path), path, finite=True)
    assert caught.value.code == MODEL
    assert "--budget static" in caught.value.hint


def test_an_optimizer_may_hold_what_it_likes(tmp_path):
    """Its state is not read, and no number of it counts as a weight."""
    path = base.keras_file(
        tmp_path / "m.keras", h5=base.weights(spoil=lambda f: f.create_dataset("optimizer/vars/0", data=[np.nan] * 9))
    )
    assert preflight.check(path).unfinite == []
    assert preflight.check(path).values == 8


@pytest.mark.slow
def test_nan_is_refused_by_commands_that_calculate_and_shown_by_the_one_that_looks(tmp_path, good_run):
    """inspect-layers --budget static warns; standard and transfer end with code 4; so does evaluate."""
    place = Place(tmp_path)
    bad = base.weights({"0": BAD["nan"].reshape(3, 2), "1": np.zeros(2, "f4")})
    path = base.keras_file(tmp_path / "files" / "m.keras", h5=bad)
    results, _ = place.run(
        [
            ["inspect-layers", str(path), "--budget", "static"],
            ["inspect-layers", str(path), "--budget", "fast"],
            ["inspect-layers", str(path), "--security"],
        ]
    )
    assert [result["code"] for result in results] == [0, MODEL, 0]
    assert "NaN or infinite numbers stand in dense/0" in results[0]["said"]
    assert "--budget static" in results[1]["said"]


# A file that changes


def test_a_file_that_is_swapped_after_the_check_is_not_what_keras_opens(tmp_path):
    """Another file under the same name: Keras opens the one that was judged."""
    path = base.keras_file(tmp_path / "m.keras")
    evil = programs.lambda_in_keras(tmp_path / "..", tmp_path / "canary")
    with preflight.held(path) as held:
        os.replace(evil, path)
        with zipfile.ZipFile(held.path) as opened:
            assert b"Lambda" not in opened.read("config.json")
    with pytest.raises(DlcliError, match="has a Lambda layer"):
        preflight.check(path)


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path, monkeypatch):
    """In place, so that the open file changes too: by loading it is noticed."""
    path = base.keras_file(tmp_path / "m.keras")
    original = keras.saving.load_model

    def meanwhile(*arguments, **options):
        found = original(*arguments, **options)
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"x")
        return found

    monkeypatch.setattr(keras.saving, "load_model", meanwhile)
    with pytest.raises(DlcliError, match="was changed while it was read") as caught:
        finished.model(path)
    assert caught.value.code == MODEL


def test_a_verdict_is_not_kept_for_another_file(tmp_path):
    """What was judged is known by more than its name."""
    path = base.keras_file(tmp_path / "m.keras")
    assert preflight.check(path).values == 8
    path.unlink()
    programs.lambda_in_keras(tmp_path, tmp_path / "canary")
    with pytest.raises(DlcliError, match="has a Lambda layer"):
        preflight.check(path)


def test_a_pipe_does_not_wait(tmp_path):
    """A named pipe called .keras is no file."""
    os.mkfifo(tmp_path / "m.keras")
    with pytest.raises(DlcliError, match="it is no file"):
        preflight.check(tmp_path / "m.keras")


# Modules of the user's own


def test_a_module_that_only_a_file_names_is_not_imported(tmp_path, monkeypatch):
    """A run directory of others names its architecture; importing that would run whatever lies in this folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_canary_net.py").write_text("raise SystemExit('imported')")
    with pytest.raises(DlcliError, match=r"a file names the module 'my_canary_net\.tiny'") as caught:
        registry.find("architectures", "my_canary_net.tiny")
    assert caught.value.code == MODEL
    assert "DLCLI_MODULES=my_canary_net.tiny" in caught.value.hint
    monkeypatch.setenv("DLCLI_MODULES", "my_canary_net")
    with pytest.raises(SystemExit, match="imported"):
        registry.find("architectures", "my_canary_net.tiny")
