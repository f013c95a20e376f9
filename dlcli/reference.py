"""What a user may name as MODEL: a run directory, a model file, or one of Keras' own architectures."""

import re
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from dlcli.errors import MODEL, DlcliError
from dlcli.safety import kinds, preflight

# Scales that a model's pixels may have; what they mean stands in pretrained.RANGES.
PIXELS = ("0..255", "0..1", "-1..1", "imagenet", "caffe")
_FILES = (".keras", ".h5", ".hdf5")
_ELSEWHERE = re.compile(r"(?:^|:)(?:[a-z][a-z0-9+.-]*://|(?:hf|gs|s3|https?|ftp|file|kaggle|hdfs):/)", re.IGNORECASE)
_WEIGHTS = (".th", ".pt", ".pth", ".ckpt", ".safetensors", ".bin")
FORMS = (
    "a run directory, a .keras or .h5 file, weights (.th, .pt, .safetensors, llama2.c's .bin), "
    "keras:NAME[,OPTION=VALUE…][:WEIGHTS], or hub:PRESET"
)

HELP = (
    "Run directory, .keras or .h5 file, weights (.th, .pt, .safetensors, .bin), or keras:NAME[,OPTION=VALUE][:WEIGHTS]."
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """kind "run": path is a run directory.  "file": path is a model file.  "checkpoint": path holds weights for
    an architecture of dlcli's own, vocabulary the pieces of its text where named.  "keras": `name` of
    keras.applications, `options` of its constructor (and `input`, the side in pixels), `weights`
    "imagenet", a path, or None for none.  "hub": `name` is a preset of KerasHub, or its folder."""

    text: str
    kind: str
    path: Path | None = None
    name: str = ""
    options: dict[str, str] = field(default_factory=dict)
    weights: str | None = None
    vocabulary: Path | None = None


def parse(text: str) -> Reference:
    """Read MODEL. Raises: DlcliError for what is none of these."""
    _here(text)
    if text.startswith("keras:"):
        return _keras(text)
    if text.startswith("hub:"):
        return _preset(text, text.removeprefix("hub:"))
    path = Path(text)
    if path.is_dir():
        if (path / "spec.json").is_file():
            return Reference(text=text, kind="run", path=path)
        if (path / "saved_model.pb").is_file():
            raise DlcliError(
                f"{path} is a TensorFlow SavedModel: it holds a graph without layers, and Keras 3 reads none of it.",
                "save the model as .keras with the Keras that made it (model.save('model.keras')).",
                code=MODEL,
            )
        if (path / "config.json").is_file() and any(path.glob("*.weights.h5")):
            return _preset(text, str(path))
        raise DlcliError(f"{path} is no run directory: it has no spec.json.", f"MODEL is {FORMS}.")
    before, colon, after = text.rpartition(":")
    if colon and not path.exists() and Path(before).is_file():
        return _with_vocabulary(text, Path(before), Path(after))
    if not path.exists():
        raise DlcliError(f"there is no model {text!r}.", f"MODEL is {FORMS}.")
    if path.name.endswith(".weights.h5"):
        raise DlcliError(
            f"{path} holds weights and no architecture.",
            f"name the architecture that they belong to: keras:NAME:{path}.",
            code=MODEL,
        )
    if path.suffix.lower() in _WEIGHTS:
        return Reference(text=text, kind="checkpoint", path=path)
    if path.suffix.lower() not in _FILES:
        with path.open("rb") as file:
            kind = kinds.of(file.read(512), path.stat().st_size)
        raise DlcliError(f"{path} is not a model file that Keras reads, but {kind}.", f"MODEL is {FORMS}.", code=MODEL)
    preflight.check(path)
    return Reference(text=text, kind="file", path=path)


def _preset(text: str, name: str) -> Reference:
    """hub:resnet_18_imagenet, or a folder. Raises: DlcliError where KerasHub is not installed."""
    if not name:
        raise DlcliError(f"{text!r} names no preset.", "as in hub:resnet_18_imagenet, or hub:PATH of a folder.")
    if util.find_spec("keras_hub") is None:
        raise DlcliError(f"{text} needs KerasHub, which is not installed.", "pip install 'dlcli[hub]'.")
    return Reference(text=text, kind="hub", name=name)


def _with_vocabulary(text: str, path: Path, vocabulary: Path) -> Reference:
    """stories260K.bin:tok512.bin"""
    if not vocabulary.is_file():
        raise DlcliError(f"there is no vocabulary {str(vocabulary)!r}.", "it is a file such as llama2.c's tok512.bin.")
    if path.suffix not in _WEIGHTS:
        raise DlcliError(f"{path} takes no vocabulary.", f"MODEL is {FORMS}.")
    return Reference(text=text, kind="checkpoint", path=path, vocabulary=vocabulary)


def _here(text: str) -> None:
    """Only files of this machine: a name must not make anything be fetched, or an address be looked up."""
    if _ELSEWHERE.search(text):
        raise DlcliError(
            f"{text!r} lies elsewhere, and dlcli opens files of this machine only.",
            "fetch it first, and name the file.",
            code=MODEL,
        )


def _keras(text: str) -> Reference:
    """keras:MobileNet,alpha=0.25,input=128:weights.h5"""
    described, _, weights = text.removeprefix("keras:").partition(":")
    name, *pairs = described.split(",")
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise DlcliError(
                f"{pair!r} in {text!r} is not OPTION=VALUE.", "as in keras:MobileNet,alpha=0.25,input=128."
            )
        options[key] = value
    if not name:
        raise DlcliError(f"{text!r} names no architecture.", "as in keras:ResNet50 or keras:ResNet50:imagenet.")
    if weights and weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise DlcliError(
            f"there is no weights file {weights!r}.", "weights are a path, imagenet (downloaded by Keras), or none."
        )
    if weights and weights not in ("imagenet", "none"):
        preflight.check(Path(weights))
    return Reference(
        text=text, kind="keras", name=name, options=options, weights=None if weights in ("", "none") else weights
    )
