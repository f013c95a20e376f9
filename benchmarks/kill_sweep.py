"""kill -9 at random moments of a training, again and again, until it is through; then compare it with one left alone.

    python benchmarks/kill_sweep.py [--case line] [--backend tensorflow] [--kills 200] [--seed 0]

After every kill the newest checkpoint must be whole, no older than the one before it, and at most two steps behind (one
is not saved yet, one is being saved: a checkpoint is written after every step); at the end weights, optimizer, random
generators, metrics and history must be equal bit for bit. Prints one JSON line, to be appended to
tests/scorecard/kill_sweep.jsonl; exit code 1 when something was lost or differs. One process is imported and then
forked: a life begins in a fraction of a second. The cases "line…" are the training alone, on arrays in memory, so that
nearly every kill hits it; the others are whole commands, with their data and their scores.
"""

import argparse
import importlib
import json
import os
import pkgutil
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

TINY = ["--set", "fit.save_every=0"]
# The training alone, with dropout, batch normalisation and an average of the weights, and with what else is set.
LINES = {
    "line": {},
    "line-accumulate": {"accumulate": 3},
    "line-plateau": {"schedule": "plateau", "plateau": 1, "learning_rate": 0.01},
    "line-patience": {"patience": 4, "schedule": "constant", "learning_rate": 0.03},
    "line-float16": {"precision": "mixed_float16"},
    "line-augment": {"augment": ("crop", "flip")},
}
CASES = {
    "mlp": ["digits:300", "--arch", "mlp", "--set", "arch.width=16"],
    "mlp-float16": ["digits:300", "--arch", "mlp", "--set", "arch.width=16", "--precision", "float16"],
    "mlp-accumulate": ["digits:300", "--arch", "mlp", "--set", "arch.width=16", "--set", "fit.accumulate=3"],
    "mlp-plateau": [
        *("digits:300", "--arch", "mlp", "--set", "arch.width=16", "--set", "fit.schedule=plateau"),
        *("--set", "fit.plateau=1", "--set", "fit.patience=40", "--learning-rate", "0.01"),
    ],
    # small batches make short epochs, a high and constant rate a score that soon gets no better
    "mlp-patience": [
        *("digits:300", "--arch", "mlp", "--set", "arch.width=16", "--set", "fit.schedule=constant"),
        *("--batch-size", "16", "--learning-rate", "0.03", "--set", "fit.patience=2"),
    ],
    "resnet": [
        *("shapes:120", "--arch", "resnet", "--set", "arch.width=4", "--set", "arch.depth=1", "--set", "fit.ema=0.95"),
        *("--set", "fit.mixup=0.2", "--batch-size", "16"),
    ],
    "lstm": ["motions:120", "--arch", "lstm", "--set", "arch.units=8", "--batch-size", "16"],
    "gpt": [
        *("TEXT", "--arch", "gpt", "--set", "arch.width=16", "--set", "arch.depth=1", "--set", "task.context=16"),
        *("--batch-size", "8", "--set", "fit.ema=0.9"),
    ],
    "dcgan": [
        *("digits:300", "--task", "image-generation", "--arch", "dcgan", "--set", "arch.width=4"),
        *("--batch-size", "16"),
    ],
    "vae": ["digits:300", "--task", "reconstruction", "--arch", "vae", "--batch-size", "16"],
}


def command(case: str, folder: Path, epochs: int) -> list[str]:
    """The arguments of `dlcli` for a case."""
    if case in LINES:
        return [case, str(epochs)]
    text = folder / "text.txt"
    if not text.exists():
        text.write_text("the sun is up and the moon is down. rain and wind are far. " * 60)
    return ["train", *(str(text) if part == "TEXT" else part for part in CASES[case]), *TINY, "--epochs", str(epochs)]


def line(path: Path, epochs: int, *, precision: str = "float32", augment: tuple[str, ...] = (), **settings) -> None:
    """A small training with dropout, batch normalisation and an average of the weights.

    augment: random changes of the rows, as pictures of 2 x 4, within the model (dlcli.augment.KINDS).
    """
    import keras
    import numpy as np
    from keras import layers

    from dlcli import augment as augmentation
    from dlcli import fit, task
    from dlcli.config import FitConfig
    from dlcli.rundir import Run

    class Line(task.Task):
        def loss(self):
            return keras.losses.MeanSquaredError()

        def metrics(self):
            return [keras.metrics.MeanAbsoluteError(name="mae")]

    def build():
        inputs = x = keras.Input((8,), name="x")
        if augment:
            x = layers.Flatten()(augmentation.layered(layers.Reshape((2, 4, 1))(x), augment))
        x = layers.Dense(64, activation="relu", name="hidden")(x)
        x = layers.Dropout(0.3, name="dropout")(layers.BatchNormalization(name="norm")(x))
        return keras.Model(inputs, layers.Dense(1, name="line", dtype="float32")(x))

    def data(n, seed):
        x = np.random.default_rng(seed).normal(size=(n, 8)).astype("float32")
        return task.Arrays(x, x[:, :1] * 2 - x[:, 1:2])

    path.mkdir(parents=True, exist_ok=True)
    keras.config.set_dtype_policy(precision)
    settings = FitConfig(epochs=epochs, batch_size=16, save_every=0, ema=0.95, **settings)
    options = {"labels": None, "classes": 0, "run": Run(path), "seed": 0}
    fit.train(build, Line(), settings, train=data(256, 0), val=data(64, 1), **options)


def life(arguments: list[str], log: Path) -> int:
    """A process that runs the command; its id."""
    child = os.fork()
    if child:
        return child
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(log.parent)
    sys.argv = ["dlcli", *arguments]
    from dlcli.cli import main

    _tell_steps(log.with_suffix(".steps"))
    code = 0
    try:
        alone = LINES.get(arguments[0])
        main() if alone is None else line(Path(arguments[-1]), int(arguments[-3]), **alone)
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _tell_steps(path: Path) -> None:
    """Let the number of steps that are done stand in a file, which a kill does not take back."""
    from dlcli.saver import Saver

    honest, file = Saver.on_train_batch_end, os.open(path, os.O_CREAT | os.O_WRONLY)

    def told(self, batch, logs=None):
        done = self._epoch * len(self.batches) + self._skipped + batch + 1
        os.pwrite(file, (self.offset + done // self.batches.parts).to_bytes(8), 0)
        honest(self, batch, logs)

    Saver.on_train_batch_end = told


def _reached(log: Path) -> int:
    """The step that the process which was killed had done; 0 where it had not come to train."""
    path = log.with_suffix(".steps")
    return int.from_bytes(path.read_bytes()) if path.exists() else 0


def ended(child: int) -> int:
    """Wait for it; its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _wait(child: int, run: Path, rng: random.Random, *, patience: float) -> None:
    """Until a random moment: of five one before training begins, the others some checkpoints and a bit later."""
    begun, first = time.monotonic(), _written(run)
    more = rng.randint(1, 8) if rng.random() < 0.8 else 10**9
    limit = patience * (rng.uniform(0.0, 0.5) if more > 8 else 3.0)
    while time.monotonic() - begun < limit and _written(run) - first < more and not _gone(child):
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.02))


def _written(run: Path) -> int:
    """The number of the newest checkpoint, by its name."""
    names = [path.name.split("-")[1] for path in (run / "checkpoints").glob("step-*")]
    return max(map(int, names), default=0)


def _gone(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def result(run: Path):
    """What must be equal: digests of all arrays, and the history without times."""
    from dlcli import savepoints

    point = savepoints.newest(run / "checkpoints")
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    for row in lines:
        del row["seconds"]
    epochs = point.meta["fitted"]["epochs"] if point.finished else None
    return {
        "finished": point.finished, "step": point.step, "epochs": epochs, "digests": point.digests, "history": lines
    }  # fmt: skip


def sweep(case: str, backend: str, kills: int, seed: int, epochs: int, folder: Path) -> dict:
    """Straight runs and killed ones, until there were enough kills."""
    from dlcli import savepoints

    rng = random.Random(seed)
    straight = folder / "straight"
    begun = time.monotonic()
    code = ended(life([*command(case, folder, epochs), "--out", str(straight)], folder / "straight.log"))
    assert code == 0, (folder / "straight.log").read_text()[-2000:]
    length, want = time.monotonic() - begun, result(straight)
    assert "patience" not in case or want["epochs"] < epochs, "patience has ended nothing"
    killed, lost, differing, codes, runs, caught, behind = 0, [], [], [], 0, 0, 0
    while killed < kills:
        run, log, newest, lives = folder / f"run{runs}", folder / f"run{runs}.log", (-1, -1), 0
        runs += 1
        while True:
            # a run that has begun to train is resumed; before that it is begun again
            going = case not in LINES and (run / "origin.json").exists()
            if not going and case not in LINES and run.exists():
                for left in sorted(run.rglob("*"), reverse=True):
                    left.rmdir() if left.is_dir() else left.unlink()
            arguments = (
                ["train", "--resume", str(run)] if going else [*command(case, folder, epochs), "--out", str(run)]
            )
            child = life(arguments, log)
            if killed < kills:
                _wait(child, run, rng, patience=length)
                os.kill(child, signal.SIGKILL)  # one that is gone is still there to be waited for
            code = ended(child)
            lives += 1
            if code == -signal.SIGKILL:
                killed += 1
                caught += bool(list((run / "checkpoints").glob(".tmp-*"))) if run.exists() else 0
                try:
                    point = savepoints.newest(run / "checkpoints") if run.exists() else None
                except Exception as error:
                    lost.append(f"{run.name} life {lives}: {error}")
                    break
                now = (point.step, point.phase) if point else (-1, -1)
                behind = max(behind, _reached(log) - max(now[0], 0))
                if now < newest:
                    lost.append(f"{run.name} life {lives}: {newest} -> {now}")
                newest = now
                continue
            if code != 0:
                codes.append(code)
            break
        if codes or lost:  # every run after it would end so too
            break
        if code == 0:
            got = result(run)
            differing += [run.name for key in want if got[key] != want[key]][:1]
        elif not lost and killed < kills:
            differing.append(f"{run.name} did not end: {log.read_text()[-500:]}")
    said = "".join(path.read_text() for path in folder.glob("run*.log"))
    return {
        "case": case, "backend": backend, "kills": killed, "in_the_middle_of_a_write": caught, "runs": runs,
        "lost": lost, "differing": differing, "exit_codes": codes, "tracebacks": said.count("Traceback"),
        "last_words": _words(said, log.read_text() if codes else ""), "most_steps_lost": behind,
        "steps": want["step"], "epochs": [want["epochs"], epochs], "seconds": round(time.monotonic() - begun),
    }  # fmt: skip


def _words(said: str, last: str) -> str:
    """The end of what the life that ended badly said, or what stands around the first traceback of any."""
    at = said.find("Traceback")
    return last[-2000:] or ("" if at < 0 else said[max(0, at - 300) : at + 1700])


def begin(backend: str, folder: str) -> None:
    """Import Keras and all of dlcli, so that a life begins at once and is not made of two versions of its files.

    folder: what XLA has compiled once is kept there, and read by every later life.
    """
    # as dlcli's backend.py sets them, before the one import that all lives share
    os.environ |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_DETERMINISTIC_OPS": "1"}
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # a plug-in for a GPU that is not there prints a traceback
    os.environ |= {"JAX_COMPILATION_CACHE_DIR": f"{folder}/xla", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    import keras  # noqa: F401

    import dlcli

    for module in pkgutil.walk_packages(dlcli.__path__, "dlcli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("--case", default="line", choices=[*LINES, *CASES])
    found.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax"])
    found.add_argument("--kills", type=int, default=200)
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--epochs", type=int, default=40)
    return found


def main() -> None:
    chosen = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begin(chosen.backend, folder)
        found = sweep(chosen.case, chosen.backend, chosen.kills, chosen.seed, chosen.epochs, Path(folder))
    print(json.dumps(found), flush=True)
    bad = found["lost"] or found["differing"] or found["tracebacks"] or found["exit_codes"]
    sys.exit(1 if bad or found["most_steps_lost"] > 2 else 0)


if __name__ == "__main__":
    main()
