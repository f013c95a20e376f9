"""What `inspect-layers` costs beside one compiled forward pass over the same examples, as ratios of one run.

    python benchmarks/inspect_cost.py [SAMPLES]      default 2 000 pictures of 96 x 96 for ResNet50

1. budgets fast and standard against a forward pass that is compiled already, and against one that is not; in seconds
   of the clock, and in seconds of all cores together, which other work on the machine changes less.
2. Memory of a process that inspects all examples, against one that inspects a quarter of them.
3. Seconds that budget static adds to importing Keras and building the model.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIDE = 96
CLASSES = 10


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        return peak(int(sys.argv[2]))
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    ratios(n)
    for samples in (n // 4, n):
        print(
            subprocess.run(
                [sys.executable, __file__, "--peak", str(samples)], capture_output=True, text=True
            ).stdout.strip()
        )


def subject(n: int):
    """ResNet50 with random weights, and pictures made on the way: nothing of n is kept."""
    import keras
    import numpy as np

    from dlcli.inspection.subject import Stimuli, Subject, matched

    begun = time.perf_counter()
    model = keras.applications.ResNet50(weights=None, input_shape=(SIDE, SIDE, 3), classes=CLASSES)
    print(f"building ResNet50: {time.perf_counter() - begun:.1f} s")

    def read(rows):
        return np.stack([np.random.default_rng(int(i)).random((SIDE, SIDE, 3), np.float32) for i in rows])

    return Subject(
        model=model,
        title="ResNet50",
        source="keras:ResNet50",
        family="cnn",
        data="noise",
        read=read,
        count=n,
        labels=np.arange(n) % CLASSES,
        classes=[str(i) for i in range(CLASSES)],
        stimuli=Stimuli(
            entry="pictures",
            make={"height": SIDE, "width": SIDE, "channels": 3},
            feed=lambda level: (lambda rows: matched(level.x, None)[rows].astype(np.float32) / 255, None),
        ),
    )


def ratios(n: int) -> None:
    import numpy as np

    from dlcli.inspection import measuring, tap
    from dlcli.inspection.subject import batch_size, batches

    found = subject(n)
    begun = time.perf_counter()
    measuring.inspect(found, budget="static", only=[], seed=0)
    print(f"budget static, after that: {time.perf_counter() - begun:.2f} s")
    size = batch_size(tap.traced(found.model))

    def forward():
        for x, _, _ in batches(found.read, n, None, size):
            found.model.predict_on_batch(x)

    passes = {
        "forward": forward,
        "fast": lambda: measuring.inspect(found, budget="fast", only=[], seed=0),
        "standard": lambda: measuring.inspect(found, budget="standard", only=[], seed=0),
    }
    compiling = _seconds(lambda: found.model.predict_on_batch(found.read(np.arange(size))))
    seconds = {name: [] for name in passes}
    for _ in range(2):
        for name, run in passes.items():
            seconds[name].append(_seconds(run))
    seconds = {name: np.array(values) for name, values in seconds.items()}  # (2, clock and cores)
    best = {name: values.min(axis=0) for name, values in seconds.items()}
    clock, cores = best["forward"]
    print(
        f"{n} pictures in batches of {size}; forward {clock:.1f} s, {cores:.1f} s of all cores; compiling {compiling[0]:.1f} s"
    )
    for name in ("fast", "standard"):
        for i, of in enumerate(("of the clock", "of all cores")):
            pairs = ", ".join(f"{ratio:.2f}" for ratio in seconds[name][:, i] / seconds["forward"][:, i])
            print(
                f"{name} / forward, seconds {of}: {best[name][i] / best['forward'][i]:.2f} (pairs {pairs}); "
                f"with compilation on both sides {best[name][i] / (best['forward'][i] + compiling[i]):.2f}",
                flush=True,
            )


def _seconds(run) -> tuple[float, float]:
    """Of the clock, and of all cores together."""
    clock, cores = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - cores


def peak(n: int) -> None:
    from dlcli.inspection import measuring

    measuring.inspect(subject(n), budget="fast", only=[], seed=0)
    highest = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    print(f"fast on {n} pictures: {highest / 1024:.0f} MB at the highest")


if __name__ == "__main__":
    main()
