"""Which pixels speak for the answer: integrated gradients and Grad-CAM for the examples asked for, or four."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from dlcli.inspection.gradients import at_layers, gradients
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _drawing, _placed, _scores

BUDGET = "deep"
FAMILIES = ("cnn",)
EXAMPLES, MOST = 4, 16
STEPS, FINER = 16, 64
CLOSED = 0.01  # a larger gap asks for finer steps
_SIDE = 96


def look(view: View) -> Finding | None:
    count = min(view.subject.asked, MOST) or EXAMPLES
    x, places = view.examples(max(count, 32)), _placed.maps(view)
    model = view.subject.model
    if not _drawing.drawable(x) or not places or len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        return None
    x = np.asarray(x, np.float32)
    # the mean colour says nothing; black could be a part of the picture
    baseline = np.broadcast_to(x.mean(axis=(0, 1, 2)), x[:count].shape).astype(np.float32)
    examples = x[:count]
    output = ops.convert_to_numpy(model(examples, training=False))
    chosen = output.argmax(axis=1)
    log = _scores.is_distribution(output)

    def answer(output):
        return ops.sum(_picked(output, chosen, log))

    def function(pixels):
        return answer(model(pixels, training=False))

    ends = [ops.convert_to_numpy(_picked(model(end, training=False), chosen, log)) for end in (baseline, examples)]
    for steps in (STEPS, FINER):
        attributed = integrated(function, examples, baseline, steps=steps)
        gap = completeness_gap(attributed, ends[1] - ends[0])
        if gap <= CLOSED:
            break
    heat = grad_cam(*_last(at_layers(model, examples, [places[-1].key], lambda output, _: answer(output))))
    shown = _drawing.visible(x)[:count]
    rows = [
        [_tile(shown[i]), _signed(attributed[i].sum(axis=-1)), _drawing.glow(shown[i], heat[i], _SIDE)]
        for i in range(len(examples))
    ]
    classes = view.subject.classes
    names = ", ".join(str(classes[c]) if len(classes) == output.shape[1] else f"output {c}" for c in chosen)
    what = "log probability" if log else "output"
    entry = _drawing.picture(
        "what speaks for the answer",
        _drawing.sheet(rows, _SIDE),
        caption=f"Answers: {names}. Left: what goes in. Middle: integrated gradients of the {what} ({steps} steps, gap "
        f"{100 * gap:.2g} %), red for, blue against. Right: Grad-CAM at {places[-1].name.rpartition('/')[2]}.",
        alt=f"{count} pictures, answered {names}, and the pixels that speak for it",
    )
    finding = Finding(pictures={"": [entry]}, methods=list(_METHODS))
    if gap > CLOSED:
        finding.warnings.append(
            f"integrated gradients miss {100 * gap:.0f} % of the change of the answer even with {FINER} steps."
        )
    return finding


def integrated(function: Callable, x: np.ndarray, baseline: np.ndarray, *, steps: int) -> np.ndarray:
    """Integrated gradients (Sundararajan et al., 2017) of a sum over examples, from the baseline to x, alike in shape.

    Gauss-Legendre nodes: 16 of them do on a smooth network what thousands of equal steps do.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    total = np.zeros(x.shape)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        _, (slope,) = gradients(function, [baseline + np.float32(node) * (x - baseline)])
        total += weight * slope
    return (total * (x - baseline)).astype(np.float32)


def completeness_gap(attributed: np.ndarray, difference: np.ndarray) -> float:
    """How far the attributions of each example are from adding up to the change of the answer, as a share of it."""
    sums = attributed.reshape(len(attributed), -1).sum(axis=1)
    return float(np.abs(sums - difference).sum() / max(np.abs(difference).sum(), 1e-12))


def grad_cam(maps: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Maps (n, H, W, C) weighted by their mean gradients (Selvaraju et al., 2017) -> (n, H, W), signed."""
    return np.einsum("nhwc,nc->nhw", maps, slopes.mean(axis=(1, 2)))


def _picked(output, chosen: np.ndarray, log: bool):
    """The answer of each example (n,): a logit, or the logarithm of a probability."""
    picked = ops.sum(output * keras.utils.to_categorical(chosen, output.shape[-1]).astype(np.float32), axis=-1)
    return ops.log(picked + 1e-12) if log else picked


def _last(found):
    outputs, slopes = found
    (key,) = slopes
    return outputs[key], slopes[key]


def _tile(pixels: np.ndarray) -> np.ndarray:
    return _drawing.tile(pixels, _SIDE)


def _signed(values: np.ndarray) -> np.ndarray:
    """(H, W) -> white for 0, red above, blue below; the outermost hundredth is clipped."""
    strength = np.clip(values / max(np.quantile(np.abs(values), 0.99), 1e-12), -1, 1)[..., None]
    red, blue = np.array([0.0, 0.75, 0.85]), np.array([0.85, 0.55, 0.0])
    shade = 1 - np.maximum(strength, 0) * red - np.maximum(-strength, 0) * blue
    return np.round(255 * shade).astype(np.uint8)


_METHODS = (
    {
        "name": "integrated gradients",
        "formula": "(x - b) . integral of df/dx from b to x by Gauss-Legendre, b the mean colour; gap: how far their "
        "sum is from f(x) - f(b)",
        "source": "Sundararajan et al., 2017",
    },
    {
        "name": "Grad-CAM",
        "formula": "ReLU(sum_k a_k A_k), a_k = mean over positions of df/dA_k, at the last layer with maps",
        "source": "Selvaraju et al., 2017",
    },
)
