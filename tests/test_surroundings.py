"""A command writes into its run directory and its cache folder, reads the user's data, and talks to nobody."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli import caches

# What Python code does to files and sockets, whoever does it; what C++ does is seen by listing folders.
WATCHED = """
import json, os, sys
log = open(os.environ["WATCH_LOG"], "a")
def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.gethostname", "socket.__new__"):
        log.write(json.dumps([event, repr(arguments[1:])]) + "\\n")
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "urllib.Request"):
        log.write(json.dumps([event, repr(arguments)]) + "\\n")
    elif event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        log.write(json.dumps([event, os.path.abspath(arguments[0])]) + "\\n")
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate"):
        # Folders are emptied through an open one, from which names are then reckoned; a file is cut through an open one.
        within = arguments[-1] if event in ("os.remove", "os.rmdir", "os.mkdir") else -1
        root = os.readlink(f"/proc/self/fd/{within}") if isinstance(within, int) and within >= 0 else os.getcwd()
        named = arguments[0]
        named = os.readlink(f"/proc/self/fd/{named}") if isinstance(named, int) else os.fsdecode(named)
        log.write(json.dumps([event, os.path.normpath(os.path.join(root, named))]) + "\\n")
    log.flush()
sys.addaudithook(watch)
sys.argv = ["dlcli", *json.loads(os.environ["WATCH_ARGUMENTS"])]
from dlcli.cli import main
main()
"""


class World:
    """A home, a working folder, a temporary folder and data of a user, with a watch over a command."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("home", "work", "temporary", "data"):
            (folder / name).mkdir()
        rng = np.random.default_rng(0)
        for k, label in enumerate("ab"):
            (folder / "data" / label).mkdir()
            for i in range(24):
                pixels = (rng.integers(0, 100, (12, 12, 3)) + 120 * k).astype("uint8")
                Image.fromarray(pixels).save(folder / "data" / label / f"{i}.png")

    def run(self, *arguments: str) -> list[list[str]]:
        """What the command did. It must have ended well."""
        log = self.folder / "log"
        log.write_text("")
        environment = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "KERAS_BACKEND") if name in os.environ
        }
        environment |= {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "temporary"),
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WATCH_LOG": str(log),
            "WATCH_ARGUMENTS": json.dumps(arguments),
        }
        done = subprocess.run(
            [sys.executable, "-c", WATCHED],
            cwd=self.folder / "work",
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        # 10: a check of inspect-layers on so few pictures.
        assert done.returncode == 0 or (arguments[0] == "inspect-layers" and done.returncode == 10), done.stderr
        return [json.loads(line) for line in log.read_text().splitlines()]

    def data(self) -> dict[str, tuple]:
        """Everything about the user's files that a command could change."""
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted((self.folder / "data").rglob("*"))
            if path.is_file()
        }

    def files(self, name: str) -> list[str]:
        root = self.folder / name
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


COMMANDS = [
    ("train", "../data", "--arch", "lenet", "--epochs", "2", "--out", "run"),
    ("evaluate", "run"),
    ("evaluate", "run", "--data", "../data"),
    ("predict", "run", "../data/a"),
    ("inspect-layers", "run", "--budget", "fast"),
    ("transfer", "run", "../data", "--strategy", "features", "--out", "moved", "--no-cache"),
    ("transfer", "run", "../data", "--strategy", "features", "--out", "again"),
]


@pytest.mark.slow
def test_nothing_is_written_elsewhere_and_nobody_is_called(tmp_path):
    """One command after another: the later ones open what the first one has trained."""
    world = World(tmp_path)
    for arguments in COMMANDS:
        _check(world, arguments)


def _check(world: World, arguments: tuple[str, ...]) -> None:
    before = world.data()
    did = world.run(*arguments)
    assert world.data() == before, arguments
    allowed = [
        str(world.folder / "temporary"),
        str(world.folder / "home" / ".cache" / "dlcli"),
        "/dev/null",
        "/dev/shm",
        "/proc/self/fd",  # what is open already
    ]
    allowed += [str(world.folder / "work" / run) for run in ("run", "moved", "again")]
    strange = [
        entry for entry in did if entry[0].startswith(("socket", "subprocess", "urllib", "os.system", "os.exec"))
    ]
    assert [entry for entry in strange if entry not in HARMLESS and not _judge(entry)] == [], arguments
    written = {entry[1] for entry in did if entry not in strange}
    # A probe for a folder that can be written makes an unnamed file in it; the cache folder has a parent.
    probes = {str(world.folder / "work"), str(world.folder / "home" / ".cache")}
    assert {path for path in written if not path.startswith(tuple(allowed)) and path not in probes} == set(), arguments
    assert world.files("temporary") == [], arguments
    assert {name.split("/")[0] for name in world.files("work")} <= {"run", "moved", "again"}, arguments
    assert all(name.startswith(".cache/dlcli/") for name in world.files("home")), arguments
    if "--no-cache" in arguments:
        assert not [name for name in world.files("home") if name.endswith(".npy")]


def _judge(entry: list[str]) -> bool:
    """Whether it is the small process that reads a model file first."""
    return entry[0] == "subprocess.Popen" and sys.executable in entry[1] and "dlcli.safety import child" in entry[1]


# What libraries do when they are imported: urllib3 asks whether the machine has IPv6 (bound to itself,
# nothing sent), and the standard library asks the system for its processor.
HARMLESS = (["socket.bind", "(('::1', 0),)"], ["subprocess.Popen", "('uname', ['uname', '-p'], None, None)"])


def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("DLCLI_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert caches.folder() == tmp_path / "dlcli"
    monkeypatch.setenv("DLCLI_CACHE", str(tmp_path / "mine"))
    assert caches.folder() == tmp_path / "mine"


def test_no_module_of_the_package_opens_a_connection():
    """Weights are fetched by keras.applications, when the user names `imagenet`, and by nothing else."""
    package = Path(caches.__file__).parent
    words = ("urllib", "requests", "http.client", "socket", "urlopen", "get_file(", "telemetry")
    found = []
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.name}: {word}" for word in words if f"import {word}" in text or f"from {word}" in text]
        found += [f"{path.name}: {word}" for word in words if word.endswith("(") and word in text]
    assert found == []


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_letters_that_a_terminal_lacks_do_not_end_a_command(tmp_path, extra):
    (tmp_path / "t.csv").write_text(
        "größe,label\n" + "".join(f"{i % 7 + i % 3},{'ab'[i % 2]}é\n" for i in range(60)), "utf-8"
    )
    command = [sys.executable, "-m", "dlcli", "check", str(tmp_path / "t.csv"), "--target", "label", *extra]
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr, done.stderr[-500:]
    assert done.stdout
    if extra:
        assert "ß" in str(json.loads(done.stdout))


# A clock that goes back an hour while the command runs.
BACK = """
import time
real, began = time.time, time.time()
time.time = lambda: real() - (3600 if real() - began > 3 else 0)
"""
ODD = {
    "as it is": {},
    "no HOME": {"HOME": None, "XDG_CACHE_HOME": None},
    "20 columns": {"COLUMNS": "20", "TERM": "dumb"},
    "another hash seed": {"PYTHONHASHSEED": "4711"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    "far away": {"TZ": "Pacific/Chatham"},
    "clock goes back": {"PYTHONPATH": "BACK"},
}


@pytest.mark.slow
def test_clock_terminal_home_and_hash_seed_change_nothing(tmp_path):
    """The same command in odd surroundings ends well, with the same scores; so it does when nobody reads what it says."""
    (tmp_path / "sitecustomize.py").write_text(BACK)
    root = str(Path(__file__).parents[1])
    scores = {}
    for name, changed in (*ODD.items(), ("nobody reads", {})):
        environment = {**os.environ, "PYTHONPATH": root, **changed, "DLCLI_CACHE": str(tmp_path / "cache")}
        environment = {key: value for key, value in environment.items() if value is not None}
        if name == "clock goes back":
            environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{root}"
        out = tmp_path / name
        command = [sys.executable, "-m", "dlcli", "train", "digits:200", "--arch", "mlp", "--epochs", "3", "--out", out]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            if name == "nobody reads":
                process.stdout.close()
                errors = process.stderr.read()
            else:
                _, errors = process.communicate(timeout=300)
        assert b"Traceback" not in errors, (name, errors[-2000:])
        assert process.returncode == 0, (name, errors[-2000:])
        scores[name] = json.loads((out / "report.json").read_text())["metrics"]
    assert all(found == scores["as it is"] for found in scores.values())
