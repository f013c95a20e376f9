"""The MSE of a forecasting run on all test windows, and on those that PatchTST's released code scores.

Its loader drops the last batch of 128 that is not full (`drop_last=True`), so that its published numbers are of fewer
windows: of ETTh2, 336 ahead, of 2 432 from 2 545.

    python benchmarks/published_windows.py RUN...
"""

import sys

import numpy as np

from dlcli import backend, described, plan, reference, splits

BATCH = 128


def main(run: str) -> None:
    opened = reference.parse(run)
    config, _ = described.described(opened)
    parts, _ = splits.split(plan.open_data(plan.locate(config), config), seed=config.seed, **plan.split_options(config))
    backend.start(config.backend, device="auto", precision=config.precision, seed=config.seed)
    from dlcli import finished
    from dlcli.outputs import outputs

    found = finished.opened(opened)
    measures = outputs(found.model, found.task, found.task.source(parts.splits["test"], training=False))
    errors = np.square(measures["p"].astype(np.float64) - measures["y"]).mean(axis=(1, 2))
    whole = len(errors) // BATCH * BATCH
    print(f"{run}: {errors.mean():.4f} of {len(errors)} windows, {errors[:whole].mean():.4f} of the first {whole}")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(argument)
