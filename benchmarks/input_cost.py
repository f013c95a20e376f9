"""What dlcli's data path costs beside a bare `model.fit`, as ratios measured in one run.

    python benchmarks/input_cost.py                 pictures drawn here, written as JPEG
    python benchmarks/input_cost.py CLASS_FOLDERS   an image folder of your own, such as CIFAR-10 in JPEG

1. A step of dlcli against a step of `model.fit` on the same arrays; and five epochs, at the end of each of which Keras
   on TensorFlow waits for a thread.
2. An epoch over image files, after the first, against an epoch over the decoded array.
3. Memory of a process that streams all pictures, against one that streams a tenth of them.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROUNDS = 7
BATCH = 128


def main() -> None:
    if sys.argv[1:2] == ["--stream"]:
        return stream(Path(sys.argv[2]), int(sys.argv[3]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else drawn(Path(scratch))
        steps()
        files(folder)
        memory(folder)


def drawn(scratch: Path) -> Path:
    """An image folder of 20 000 JPEGs of noise and shapes."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(20_000):
        target = scratch / "train" / str(i % 10) / f"{i}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((32, 32)).save(target, quality=75)
    return scratch


def network(shape, classes=10, width=16):
    """A small convolutional network, uncompiled."""
    import keras
    from keras import layers

    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs)
    for factor in (1, 2):
        x = layers.Conv2D(width * factor, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(classes, activation="softmax")(layers.Flatten()(x))
    model = keras.Model(inputs, x)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def paired(one, other, *, label: str) -> None:
    """Run the two in turn and print the median of their ratios."""
    one(), other()  # compile
    ratios, seconds = [], []
    for _ in range(ROUNDS):
        a, b = timed(one), timed(other)
        ratios.append(a / b)
        seconds.append((a, b))
    a, b = (statistics.median(column) for column in zip(*seconds, strict=True))
    low, high = min(ratios), max(ratios)
    print(
        f"{label}: {statistics.median(ratios):.3f}  ({low:.3f} to {high:.3f}; {a:.2f} s against {b:.2f} s)", flush=True
    )


def timed(action) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def fitted(model, batches, epochs: int = 1):
    """Epochs as dlcli runs them: its batches, its progress line."""
    from dlcli.batches import feed
    from dlcli.progress import Watch

    return lambda: model.fit(
        feed(batches), epochs=epochs, verbose=0, shuffle=False, callbacks=[Watch(batch_size=BATCH)]
    )


def steps() -> None:
    """1. dlcli's batches and progress against arrays given to `fit`."""
    import numpy as np

    from dlcli.batches import Batches
    from dlcli.task import Arrays

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (25_600, 28, 28, 1)).astype("uint8")
    y = np.eye(10, dtype="float32")[rng.integers(0, 10, len(x))]
    ours, bare = network(x.shape[1:]), network(x.shape[1:])
    batches = Batches(Arrays(x, y), batch_size=BATCH)
    paired(
        fitted(ours, batches),
        lambda: bare.fit(x, y, batch_size=BATCH, verbose=0),
        label="a step of dlcli / a step of model.fit on arrays in memory",
    )
    paired(
        fitted(ours, batches, epochs=5),
        lambda: bare.fit(x, y, batch_size=BATCH, epochs=5, verbose=0),
        label="five epochs of dlcli / five of model.fit on arrays in memory",
    )


def files(folder: Path) -> None:
    """2. An epoch over files after the first against one over the same pictures in an array."""
    import numpy as np

    from dlcli import formats  # noqa: F401
    from dlcli.batches import Batches
    from dlcli.formats import image_folder
    from dlcli.task import Arrays

    begun = time.perf_counter()
    train = image_folder.open(folder).splits["train"]
    print(f"opening {len(train)} files: {time.perf_counter() - begun:.1f} s", flush=True)
    height, width, channels = train.x.size()
    names = sorted(set(train.y))
    y = np.eye(len(names), dtype="float32")[[names.index(name) for name in train.y]]
    images = train.x.prepare(height, width, channels)

    class Files:
        def __len__(self):
            return len(y)

        def batch(self, indices, rng):
            return images.read(indices), y[indices]

    model, other = network((height, width, channels), len(names)), network((height, width, channels), len(names))
    array = images.read(np.arange(len(images)))
    paired(
        fitted(model, Batches(Files(), batch_size=BATCH)),
        fitted(other, Batches(Arrays(array, y), batch_size=BATCH)),
        label="an epoch over image files after the first / over memory",
    )


def memory(folder: Path) -> None:
    """3. Peak memory of streaming, for all pictures and for a tenth."""
    from dlcli.formats import image_folder

    total = len(image_folder.open(folder).splits["train"])
    peaks = {}
    for count in (total // 10, total):
        answer = subprocess.run(
            [sys.executable, __file__, "--stream", str(folder), str(count)],
            env=os.environ | {"DLCLI_IMAGE_MEMORY": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[count] = float(answer.stdout)
        print(f"peak memory while streaming {count} pictures: {peaks[count]:.0f} MB", flush=True)
    small, large = peaks.values()
    print(f"memory for {total} / for {total // 10} pictures: {large / small:.3f}")


def stream(folder: Path, count: int) -> None:
    """Two epochs over the first `count` pictures, shuffled, in batches; print the peak in MB."""
    import numpy as np

    from dlcli.formats import image_folder

    train = image_folder.open(folder).splits["train"]
    train = train.take(np.random.default_rng(0).permutation(len(train))[:count])
    images = train.x.prepare(*train.x.size())
    for epoch in range(2):
        order = np.random.default_rng(epoch).permutation(count)
        for start in range(0, count - BATCH, BATCH):
            images.read(order[start : start + BATCH])
    # Not getrusage: its peak is that of the parent process, where this one was forked from it.
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    print(int(peak[1]) / 1024)


if __name__ == "__main__":
    main()
