"""Widths at which networks of several depths have the same number of parameters."""

from collections.abc import Callable

import keras

from dlcli import backend, registry, training
from dlcli.inspection import tap, tree
from dlcli.rundir import Run
from dlcli.trials import opening


def run(job: dict, run: Run) -> dict:
    """networks: [{"arch", "depth" or None, "width" or None}]; a width of None is solved for, so that the
    network has `parameters` of them (None: as many as the architecture has by default). Adds to each the
    option values, its parameters and its FLOPs per example; examples: of one pass, windows where data is a series."""
    config, chosen, data = opening.opened(job)
    backend.start(config.backend, device="cpu", seed=config.seed)
    task = training.learned(chosen, data)
    parameters = job["parameters"] or chosen.arch.load().build(task, **chosen.arch_options).count_params()
    networks = [_sized(task, network, parameters, chosen) for network in job["networks"]]
    examples = len(task.source(data.splits["train"], training=True))
    return {"parameters": parameters, "networks": networks, "examples": examples}


def _sized(task, network: dict, target: int, chosen) -> dict:
    arch = registry.find("architectures", network["arch"])
    scale, module = arch.literal("SCALE"), arch.load()
    fixed = dict(chosen.arch_options) if arch.name == chosen.arch.name else {}
    if network["depth"] is not None:
        fixed[scale["depth"]] = network["depth"]

    def build(width: int) -> keras.Model:
        keras.backend.clear_session()
        return module.build(task, **(fixed | {scale["width"]: width}))

    width = network["width"] or solved(
        lambda width: build(width).count_params(),
        target,
        multiple=scale.get("multiple", 1),
        start=arch.options[scale["width"]].default,
    )
    model = build(width)
    flops, _ = tree.total_flops(tree.layers(model, tap.traced(model)))
    options = {**fixed, scale["width"]: width}
    return {**network, "width": width, "options": options, "parameters": model.count_params(), "flops": flops}


def solved(count: Callable[[int], int], target: int, *, multiple: int, start: int) -> int:
    """The width, a multiple of `multiple`, whose `count` is nearest to the target.

    Parameters grow with a power of the width between one and two: a few guesses by the square root are
    near, and the neighbours tell the rest.
    """
    known: dict[int, int] = {}

    def of(width: int) -> int:
        if width not in known:
            known[width] = count(width)
        return known[width]

    width = max(multiple, round(start / multiple) * multiple)
    for _ in range(12):
        guess = max(multiple, round(width * (target / of(width)) ** 0.5 / multiple) * multiple)
        if guess in known:
            break
        width = guess
    width = min(known, key=lambda width: abs(known[width] - target))
    if len(known) > 1 and len(set(known.values())) == 1:
        return start  # the width changes nothing: a linear model has none
    while True:
        near = [width, width + multiple, *([width - multiple] if width > multiple else [])]
        best = min(near, key=lambda width: abs(of(width) - target))
        if best == width:
            return width
        width = best
