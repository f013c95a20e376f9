"""What `--strategy features` costs beside one forward pass over the same pictures, as ratios of one run.

    python benchmarks/features_cost.py [PICTURES]      default 10 000 pictures of 128 x 128 for MobileNet 0.25

1. Features of all pictures, computed: seven depths pooled, hashed and written to the cache, against reading and
   predicting the same batches with a model that is compiled already.
2. The same again, read from the cache.
"""

import os
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIDE = 128
CLASSES = 10


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["DLCLI_CACHE"] = scratch
        ratios(n)


def ratios(n: int) -> None:
    import numpy as np

    from dlcli import registry
    from dlcli.data import Data, Examples
    from dlcli.images import ArrayImages
    from dlcli.inspection import subject, tap
    from dlcli.transfer import backbone, features

    pictures = np.random.default_rng(0).integers(0, 256, (n, SIDE, SIDE, 3), np.uint8)
    train = Examples(x=ArrayImages(pictures), y=[str(i % CLASSES) for i in range(n)])
    data = Data(kind="images", splits={"train": train})
    task = registry.find("tasks", "image-classification").load().Task.learn(train, data)
    source = f"keras:MobileNet,alpha=0.25,input={SIDE}"
    for name, value in backbone.opened(source, "-1..1").fields.items():
        setattr(task, name, value)
    model = backbone.build(task, source=source, pixels="-1..1")
    size = subject.batch_size(tap.traced(model))
    read = task.source(train, training=False)

    def forward():
        rng = np.random.default_rng(0)
        for begin in range(0, n, size):
            model.predict_on_batch(read.batch(np.arange(begin, min(begin + size, n)), rng)[0])

    def gathered():
        return features.gathered(model, task, {"train": train}, kind="images", identity="MobileNet")

    model.predict_on_batch(read.batch(np.arange(size), np.random.default_rng(0))[0])  # compiled
    before, computed, again, after = (seconds(run) for run in (forward, gathered, gathered, forward))
    one = (before + after) / 2
    print(f"{n} pictures of {SIDE} x {SIDE} in batches of {size}: forward {before:.1f} s before, {after:.1f} s after")
    print(f"features, computed and kept / forward: {computed / one:.3f} ({computed:.1f} s)")
    print(f"features, from the cache / computed: {again / computed:.3f} ({again:.1f} s)")


def seconds(run) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
