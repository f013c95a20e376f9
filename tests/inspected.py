"""Documents of `dlcli inspect-layers --json` as they may come: a CNN, fifty layers, an RNN, structure only, hostile."""

import base64
import io
import math

import numpy as np
from PIL import Image

LEVELS = ["colour", "edge", "texture", "junction", "shape", "relation", "object"]

# Trained accuracy, chance-normalised, and that of an untrained copy, of a net of six convolutions; the input first.
TRAINED = [
    [1.00, 1.00, 0.90, 0.70, 0.55, 0.40, 0.33],
    [0.00, 0.44, 0.68, 0.86, 0.87, 0.88, 0.81],
    [0.28, 0.75, 0.83, 0.81, 0.80, 0.78, 0.68],
    [0.08, 0.33, 0.29, 0.44, 0.49, 0.70, 0.70],
    [0.09, 0.22, 0.19, 0.30, 0.44, 0.60, 0.65],
    [0.00, 0.04, 0.03, 0.31, 0.45, 0.91, 0.92],
    [0.00, 0.03, 0.00, 0.21, 0.40, 0.98, 0.98],
]
UNTRAINED = [
    [1.00, 1.00, 1.00, 1.00, 0.99, 0.98, 0.92],
    [0.00, 0.32, 0.39, 0.54, 0.58, 0.59, 0.40],
    [0.28, 0.68, 0.65, 0.60, 0.49, 0.40, 0.20],
    [0.08, 0.22, 0.14, 0.14, 0.10, 0.10, 0.05],
    [0.09, 0.19, 0.17, 0.11, 0.11, 0.08, 0.07],
    [0.00, 0.00, 0.00, 0.04, 0.05, 0.22, 0.18],
    [0.00, 0.02, 0.05, 0.04, 0.06, 0.09, 0.08],
]


def png(width: int = 96, height: int = 96, seed: int = 0) -> str:
    """A picture of noise, which does not compress, in base64."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def picture(title: str, **size) -> dict:
    return {
        "title": title,
        "caption": "nine filters, each scaled to its own range",
        "alt": f"{title}, nine squares",
        "png": png(**size),
    }


def cnn() -> dict:
    """Six convolutions over the levels of vision, everything measured; the gate of one stimulus failed."""
    layers = [_convolution(i, f"stage{1 + i // 2}_block0_conv{1 + i % 2}", i) for i in range(6)]
    layers[0]["pictures"] = [picture("filters"), picture("patches", width=640, height=64)]
    emergence = zip(LEVELS, [None, 2.1, 2.1, 3.4, 4.0, 4.2, 4.4], strict=True)
    return _document("resnet on cifar10-jpg", "cnn", "pixels", [None, 32, 32, 3], [None, 10]) | {
        "verdict": "Levels emerge in the order edge, texture, junction, shape, relation, object: from simple to complex.",
        "hierarchy": {
            "levels": LEVELS,
            "emergence": {level: _emergence(value) for level, value in emergence},
            "tau": 0.905,
            "p": 0.0014,
            "order": LEVELS[1:],
            "said": "tau = 0.90, p = 0.001",
        },
        "gates": [
            {"name": "leak", "passed": False, "subject": "texture", "message": "The input alone answers texture with 0.28 (limit 0.10)."},
            {"name": "samples", "passed": True, "subject": None, "message": "2,000 samples are enough for 10 classes."},
        ],
        "layers": layers,
        "lost": [{"level": "colour", "from": 1.0, "to": 0.33, "layer": "stage3_block0_conv2"}],
        "cka": _cka([layer["name"] for layer in layers]),
        "pictures": [picture("class means")],
        "tables": [
            {
                "title": "Dead units",
                "columns": ["layer", "unit", "highest answer"],
                "rows": [["stage1_block0_conv1", 3, 0.0], ["stage2_block0_conv2", 11, None]],
                "note": "A unit is dead when it never answers.",
            }
        ],
    }  # fmt: skip


def fifty() -> dict:
    """Fifty layers with names as long as they come."""
    names = [
        f"encoder_stage{1 + i // 10}_bottleneck_residual_block{i % 10}_depthwise_separable_convolution"
        for i in range(50)
    ]
    layers = [_convolution(i, name, min(5, i // 9)) | {"depth": i % 5} for i, name in enumerate(names)]
    document = cnn() | {"layers": layers, "cka": _cka(names)}
    document["hierarchy"]["emergence"] = {level: _emergence(6.0 * i) for i, level in enumerate(LEVELS)}
    return document


def beside() -> dict:
    """Six convolutions beside thirty layers with long names: a matrix that is no square."""
    document, other = cnn(), fifty()["layers"][:30]
    rows, columns = ([layer["name"] for layer in layers] for layers in (document["layers"], other))
    matrix = [[round(math.exp(-abs(i / 6 - j / 30)), 3) for j in range(30)] for i in range(6)]
    compare = {"model": document["model"] | {"source": "runs/another"}, "hierarchy": None, "layers": other}
    return document | {"compare": compare | {"cka": {"rows": rows, "columns": columns, "matrix": matrix}}}


def rnn() -> dict:
    """Two recurrent layers without levels, with columns of their own and warnings."""
    layers = [
        {
            "name": name, "path": name, "depth": 0, "type": kind, "output_shape": [None, 96, 64], "parameters": 33024, "trainable": 33024,
            "flops": 6_300_000, "memory_bytes": 24576, "receptive_field": 31, "calls": 1, "measured": True,
            "units": {"count": 64, "dead": 0, "dead_bound": 0.0015, "duplicates": 2, "selectivity": None},
            "geometry": {"effective_rank": 9.2, "intrinsic_dimension": 6.4, "cka_input": 0.41, "cka_labels": None, "nc1": None},
            "probe": None, "levels": None, "label": "–",
            "own": {"gates i/f/o": "2% / 71% / 8%", "tau": 9.92, "memory": 5.0, "radius": 0.973},
        }
        for name, kind in (("body_lstm1", "LSTM"), ("body_gru2", "GRU"))
    ]  # fmt: skip
    return _document("gru on a series", "rnn", "steps", [None, 96, 1], [None, 24, 1]) | {
        "verdict": "No levels were measured.",
        "hierarchy": None,
        "gates": [],
        "layers": layers,
        "warnings": ["The model was given no labels: no probe.", "The series is shorter than 500 steps."],
    }


def static() -> dict:
    """Nothing was run: structure alone."""
    layers = [
        {"name": "stem", "path": "stem", "depth": 0, "type": "Conv2D", "output_shape": [None, None, None, 32], "parameters": 896,
         "trainable": 896, "flops": 1_769_472, "memory_bytes": 131072, "receptive_field": 3, "calls": 1, "measured": False},
        {"name": "squeeze", "path": "block/squeeze", "depth": 1, "type": "GlobalAveragePooling2D", "output_shape": [None, 32],
         "parameters": 0, "trainable": 0, "flops": None, "memory_bytes": 128, "receptive_field": None, "calls": 2, "measured": False},
    ]  # fmt: skip
    document = _document("keras:EfficientNetB0", "cnn", "pixels", [None, 32, 32, 3], [None, 10])
    return document | {
        "budget": "static",
        "samples": None,
        "stimuli": None,
        "seconds": {"total": 0.1},
        "data": None,
        "layers": layers,
    }


HOSTILE = "</script><script>document.title='run'</script><img src=http://example.invalid/a onerror=\"document.title='run'\">'\"&<!--"


def hostile() -> dict:
    """The CNN with a name that breaks out of HTML, wherever a text can stand."""
    return _spoiled(cnn() | {"warnings": [""], "verdict": ""})


def _spoiled(value, key: str = ""):
    if isinstance(value, dict):
        return {
            (f"{name}{HOSTILE}" if key in {"own", "versions", "seconds"} else name): _spoiled(item, name)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_spoiled(item, key) for item in value]
    # names of levels tie tables together, and a picture is made by us
    return f"{value}{HOSTILE}" if isinstance(value, str) and key not in {"png", "levels", "order"} else value


def _document(name: str, family: str, unit: str, taken: list, given: list) -> dict:
    return {
        "schema_version": 1,
        "model": {
            "name": name, "source": "runs/an-example", "family": family, "parameters": 78042, "trainable": 77000, "flops": 12345678,
            "memory_bytes": 123456, "input_shape": taken, "output_shape": given, "unit": unit,
        },
        "budget": "standard", "seed": 0, "data": "sample_data/cifar10", "samples": 2000, "stimuli": 400,
        "seconds": {"data": 1.2, "stimuli": 3.4, "twin": 3.3, "solving": 1.0, "total": 9.9},
        "verdict": None, "hierarchy": None, "gates": [], "layers": [], "lost": [], "cka": None, "pictures": [], "tables": [],
        "methods": [
            {"name": "learned decodability D", "formula": "D = max(0, (A − b) / (1 − b)), b = max(input, untrained, control, 0)",
             "source": "Alain & Bengio, 2016; Hewitt & Liang, 2019"},
            {"name": "emergence depth E", "formula": "E = Σ l·G / Σ G", "source": "Tenney et al., 2019"},
        ],
        "versions": {"dlcli": "0.1.0", "keras": "3.15.1", "backend": "tensorflow", "numpy": "2.5.5"},
        "warnings": [],
    }  # fmt: skip


def _convolution(i: int, name: str, scores: int) -> dict:
    levels = {}
    for level, trained, untrained in zip(LEVELS, TRAINED, UNTRAINED, strict=True):
        a, twin, taken = trained[scores + 1], untrained[scores + 1], trained[0]
        baseline = max(taken, twin, 0.02)
        learned = max(0.0, (a - baseline) / (1 - baseline)) if baseline < 1 else 0.0
        levels[level] = {"trained": a, "untrained": twin, "input": taken, "control": 0.02, "learned": learned,
                         "low": max(0.0, learned - 0.07), "high": min(1.0, learned + 0.07), "gain": learned / 3}  # fmt: skip
    return {
        "name": name, "path": f"resnet/{name}", "depth": 0, "type": "Conv2D", "output_shape": [None, 32, 32, 16], "parameters": 2320,
        "trainable": 2320, "flops": 4718592, "memory_bytes": 65536, "receptive_field": 3 + 4 * i, "calls": 1, "measured": True,
        "units": {"count": 16, "dead": i % 2, "dead_bound": 0.0015, "duplicates": 0, "selectivity": 0.31},
        "geometry": {"effective_rank": 11.2, "intrinsic_dimension": 8.1, "cka_input": 0.71, "cka_labels": 0.08, "nc1": 3.4},
        "probe": {"accuracy": 0.41, "low": 0.38, "high": 0.44, "control": 0.10, "chance": 0.1, "n": 1024},
        "levels": levels, "label": "edge .21" if i else "edge/texture", "milliseconds": 0.3, "own": {"OSI": 0.4}, "pictures": [],
    }  # fmt: skip


def _emergence(value: float | None) -> dict | None:
    return value and {"value": value, "low": value - 0.3, "high": value + 0.3, "gain": 0.55}


def _cka(names: list[str]) -> dict:
    positions = np.arange(len(names))
    matrix = np.exp(-np.abs(positions[:, None] - positions) / (len(names) / 3))
    return {"layers": names, "matrix": matrix.round(3).tolist()}
