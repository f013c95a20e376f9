"""Weights of github.com/akamaster/pytorch_resnet_cifar10 (ResNet-20 to 1202) for the architecture resnet-cifar."""

import re
from pathlib import Path

import numpy as np

from dlcli.checkpoints.copying import Lists, fill
from dlcli.errors import DlcliError

ARCHITECTURE = "resnet-cifar"
KIND = "images"
TASK = "image-classification"

# What its pictures were brought to before training: RGB, black 0 and white 1.
MEAN = [0.485, 0.456, 0.406]
DEVIATION = [0.229, 0.224, 0.225]
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

_BLOCK = re.compile(r"layer([123])\.(\d+)\.(?:compressible_)?(conv|bn)([12])\.(\w+)")
_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def options(tensors: dict[str, np.ndarray], settings: dict) -> dict | None:
    """The architecture's options, or None when these are not its weights."""
    first = tensors.get("conv1.weight", tensors.get("compressible_conv1.weight"))
    if first is None or first.ndim != 4 or first.shape[2:] != (3, 3):
        return None
    known = [_path(name) for name in tensors if not name.endswith("num_batches_tracked")]
    blocks = {match[2] for match in map(_BLOCK.fullmatch, tensors) if match}
    if None in known or len(known) != len(set(known)) or len(known) != 7 + 30 * len(blocks) or not blocks:
        return None
    return {"width": int(first.shape[0]), "depth": len(blocks)}


def learned(tensors: dict[str, np.ndarray], settings: dict, path: Path, vocabulary: Path | None) -> dict:
    """Fields of the task: 32 x 32 RGB as its training had them, and CIFAR-10's classes where there are ten."""
    if vocabulary is not None:
        raise DlcliError(f"{vocabulary} is named as a vocabulary, and {path} is a network for pictures.")
    count = len(tensors["linear.weight" if "linear.weight" in tensors else "compressible_linear.weight"])
    classes = CLASSES if count == len(CLASSES) else [str(i) for i in range(count)]
    return {
        "classes": classes,
        "image": [32, 32, 3],
        "mean": MEAN,
        "deviation": DEVIATION,
        "augment": ["crop", "flip"],
        "count": 50_000,
    }


def rows(learned: dict) -> None:
    """Pixels have no vocabulary."""


def weights(tensors: dict[str, np.ndarray], model, rows: None = None) -> Lists:
    """Fill a model of resnet-cifar; what has another shape there (other classes, grey pictures) stays fresh."""
    # a counter of batches, which only an average without a momentum reads
    names = [name for name in tensors if not name.endswith("num_batches_tracked")]
    return fill(model, {_path(name): (name, _turned(tensors[name])) for name in names if _path(name)}, names)


def _path(name: str) -> str | None:
    """The path of the weight that a name in the checkpoint stands for."""
    plain = name.removeprefix("compressible_")
    if plain == "conv1.weight":
        return "stem_conv/kernel"
    if plain in ("linear.weight", "linear.bias"):
        return f"head_logits/{'kernel' if plain.endswith('weight') else 'bias'}"
    if plain.startswith("bn1.") and plain[4:] in _PARTS:
        return f"stem_norm/{_PARTS[plain[4:]]}"
    match = _BLOCK.fullmatch(name)
    if match is None:
        return None
    stage, block, kind, number, part = match.groups()
    layer = f"stage{int(stage) - 1}_block{block}_{'conv' if kind == 'conv' else 'norm'}{int(number) - 1}"
    if kind == "conv":
        return f"{layer}/kernel" if part == "weight" else None
    return f"{layer}/{_PARTS[part]}" if part in _PARTS else None


def _turned(value: np.ndarray) -> np.ndarray:
    """PyTorch's (out, in, H, W) and (out, in) as Keras' (H, W, in, out) and (in, out)."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
