"""A process that opens good model files after random changes, and tells how each went.

    python -m tests.hostile.mutated SEED COUNT

A third of them are changed in their bytes, a third in a value of their configuration, a third in their HDF5 part
under checksums that fit. What the judgement lets through goes to Keras.
"""

import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path

from tests.hostile import base
from tests.hostile.watched import peak

VALUES = [None, True, -1, 0, 1, 2**31, 2**63, 1e308, -0.5, "", "relu", "Dense", "float16", [], [1], {}, {"class_name": "Dense"}, "x" * 300]  # fmt: skip


def spots(value, found: list) -> list:
    """Every place in a JSON value, as (container, key)."""
    for key in value if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            spots(value[key], found)
    return found


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    kind = rng.random()
    if kind < 0.2:
        return bytes(changed[: rng.randrange(len(changed))])
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        changed[rng.randrange(len(changed))] = rng.choice((0, 255, rng.randrange(256)))
    if kind > 0.9:
        at = rng.randrange(len(changed))
        changed[at:at] = changed[at : at + rng.randrange(1, 200)]
    return bytes(changed)


def mutated(parts: dict[str, bytes], whole: bytes, path: Path, rng: random.Random) -> None:
    """Write a spoilt copy of a good archive."""
    kind = rng.randrange(3)
    if kind == 0:
        path.write_bytes(change_bytes(whole, rng))
        return
    parts = dict(parts)
    if kind == 1:
        config = json.loads(parts["config.json"])
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            container, key = rng.choice(spots(config, []))
            choice = rng.random()
            if choice < 0.2 and isinstance(container, dict):
                del container[key]
            elif choice < 0.3 and isinstance(container, list):
                container.append(container[key])
            elif choice < 0.5 and isinstance(container[key], int):
                container[key] = container[key] * rng.choice((-1, 2, 10, 1000, 10**6))
            else:
                container[key] = rng.choice(VALUES)
        parts["config.json"] = json.dumps(config).encode()
    else:
        parts["model.weights.h5"] = change_bytes(parts["model.weights.h5"], rng)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def good(folder: Path) -> list[Path]:
    """Models of a few kinds."""
    from tests import good_models

    paths = [base.keras_file(folder / "hand.keras")]
    for build in (good_models.convolutional, good_models.recurrent, good_models.attention, good_models.nested,
                  good_models.shared, good_models.operations, good_models.lookup):  # fmt: skip
        paths.append(folder / f"{build.__name__}.keras")
        build().save(paths[-1])
    return paths


def main(seed: int, count: int) -> None:
    rng = random.Random(seed)
    told = {"refused": 0, "read": 0, "wrong": [], "slowest": 0.0}
    with tempfile.TemporaryDirectory() as name:
        paths = good(Path(name))
        from dlcli import finished
        from dlcli.errors import MODEL, DlcliError

        parts = []
        for path in paths:
            with zipfile.ZipFile(path) as archive:
                parts.append(({one: archive.read(one) for one in archive.namelist()}, path.read_bytes()))
        signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("30 s")))
        for number in range(count):
            path = Path(name) / "m.keras"
            mutated(*rng.choice(parts), path, rng)
            begun = time.monotonic()
            signal.alarm(30)
            try:
                finished.model(path)
                told["read"] += 1
            except DlcliError as error:
                told["refused"] += 1
                if error.code != MODEL or "\n" in error.message or not error.hint:
                    told["wrong"].append([number, error.message, error.hint])
            except BaseException:  # whatever it is, it is a finding
                told["wrong"].append([number, traceback.format_exc()[-2000:]])
            signal.alarm(0)
            told["slowest"] = max(told["slowest"], time.monotonic() - begun)
    told["memory"] = max(peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
    print(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
