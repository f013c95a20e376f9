"""Open a model that nobody here trained: Keras' own architectures and model files of others."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from dlcli import console, finished, hub, pixel_scale
from dlcli.errors import MODEL, DlcliError
from dlcli.reference import Reference
from dlcli.registry import nearest
from dlcli.safety import loading, preflight

# Ways to scale bytes; "given" leaves them, for models that scale by themselves.
RANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0..255": lambda x: x,
    "0..1": lambda x: x / np.float32(255),
    "-1..1": lambda x: x / np.float32(127.5) - 1,
    "imagenet": lambda x: (x / np.float32(255) - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225]),
    "caffe": lambda x: x[..., ::-1] - np.float32([103.939, 116.779, 123.68]),
}


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A model and what its pixels must look like: bytes 0..255 (B, H, W, C) -> its input.

    side: of the pictures, for a model that takes any.  headless: it ends in features.
    """

    model: keras.Model
    scale: Callable[[np.ndarray], np.ndarray]
    scaled: str
    side: tuple[int, int] = (128, 128)
    headless: bool = False


def load(reference: Reference, *, pixels: str | None = None, finite: bool = True) -> Pretrained:
    """Build or read the model. pixels: one of RANGES, where the model does not tell. finite: weights must be numbers.

    Raises: DlcliError (exit code 4) with the reason when it cannot be read.
    """
    if reference.kind == "hub":
        return _preset(reference, pixels)
    if reference.kind == "keras":
        model, own = _application(reference, finite=finite)
    else:
        model, own = _with_inputs(finished.model(reference.path, finite=finite)), None
    if pixels is None and own is not None:
        return Pretrained(model=model, scale=own, scaled="by its own preprocess_input")
    chosen = pixels or ("0..255" if _scales_itself(model) else _guessed(model))
    return Pretrained(model=model, scale=RANGES[chosen], scaled=chosen)


def _guessed(model: keras.Model) -> str:
    """The scale of a model that says nothing of it, which is told."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):
        return "0..1"  # no pictures
    found = pixel_scale.by_norms(model, RANGES)
    if found is None:
        console.warn("nothing in the model says how its pixels are scaled: 0..1 is a guess; --pixels names another.")
        return "0..1"
    console.note(f"pixels are scaled to {found}, with which its first batch normalisation sees what it is used to")
    return found


def _preset(reference: Reference, pixels: str | None) -> Pretrained:
    found = hub.load(reference.name)
    told = {"side": found.side} if found.side else {}
    if pixels is None and found.scale is not None:
        return Pretrained(model=found.model, scale=found.scale, scaled="by its preset", headless=True, **told)
    chosen = pixels or ("0..255" if _scales_itself(found.model) else "0..1")
    return Pretrained(model=found.model, scale=RANGES[chosen], scaled=chosen, headless=True, **told)


def _with_inputs(model: keras.Model) -> keras.Model:
    """A model of which only `call` is written says what goes in once it is a layer of one that does."""
    shape = (model.get_build_config() or {}).get("input_shape") if not getattr(model, "inputs", None) else None
    if not isinstance(shape, list | tuple) or not all(side is None or isinstance(side, int) for side in shape):
        return model
    inputs = keras.Input(tuple(shape[1:]))
    return keras.Model(inputs, model(inputs), name=f"{model.name}_opened")


def _application(reference: Reference, *, finite: bool) -> tuple[keras.Model, Callable]:
    classes = {name: maker for name, maker in vars(keras.applications).items() if inspect.isfunction(maker)}
    by_lower = {name.lower(): name for name in classes}
    name = by_lower.get(reference.name.lower())
    if name is None:
        raise DlcliError(f"keras.applications has no {reference.name!r}.", nearest(reference.name, classes))
    maker = classes[name]
    options = _options(maker, reference)
    weights = reference.weights
    if weights == "imagenet":
        model = _downloaded(maker, name, options)
    else:
        model = _with_weights(maker, options, weights, reference.text, finite=finite)
    return model, _preprocessing(name)


def _options(maker, reference: Reference) -> dict[str, Any]:
    """The constructor's options in their types; `input` is the side of the pictures."""
    known = inspect.signature(maker).parameters
    options: dict[str, Any] = {}
    for key, value in reference.options.items():
        if key == "input":
            side = _value(key, value, number=True)
            options["input_shape"] = (side, side, 3)
        elif key in known:
            default = known[key].default
            options[key] = _value(key, value, number=type(default) in (int, float))
        else:
            raise DlcliError(f"{reference.name} has no option {key!r}.", f"it has: input, {', '.join(sorted(known))}.")
    return options


def _value(key: str, text: str, *, number: bool):
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        if number:
            raise DlcliError(f"{key}={text!r} is no number.") from None
        return text


def _downloaded(maker, name: str, options: dict[str, Any]) -> keras.Model:
    try:
        return maker(weights="imagenet", **options)
    except Exception as error:  # whatever the network, or its absence, raises
        reason = " ".join(str(error).split())[:160]
        raise DlcliError(
            f"the ImageNet weights of {name} could not be fetched: {reason}.",
            f"name a file instead: keras:{name}:PATH.",
            code=MODEL,
        ) from None


def _with_weights(maker, options: dict[str, Any], weights: str | None, text: str, *, finite: bool) -> keras.Model:
    """The whole network, or the one without its top where the weights hold none."""
    try:
        model = maker(weights=None, **options)
    except (ValueError, TypeError) as error:
        raise DlcliError(f"{text!r} cannot be built: {' '.join(str(error).split())[:200]}") from None
    if weights is None:
        return model if None not in model.input_shape[1:3] or "input_shape" in options else _sized(maker, options)
    path, reasons = Path(weights), []
    verdict = preflight.check(path)
    if verdict.kind in ("keras", "h5"):
        raise DlcliError(
            f"{weights} holds a model of its own, layers and all.", f"name the file alone: {weights}.", code=MODEL
        )
    loading.check_finite(verdict, path, finite=finite)
    for built in (lambda: model, lambda: maker(weights=None, include_top=False, **options)):
        try:
            candidate = built()
            loading.weights(candidate, path)
            return candidate
        except (DlcliError, ValueError, TypeError) as error:
            reasons.append(" ".join(str(error).split())[:160])
    raise DlcliError(
        f"the weights {weights} do not fit {text.split(':')[1]}: {reasons[0]}",
        "name the options that they were made with, as in keras:MobileNet,alpha=0.25,input=128:PATH.",
        code=MODEL,
    )


def _sized(maker, options: dict[str, Any]) -> keras.Model:
    """At the usual size, where the architecture leaves it open."""
    return maker(weights=None, input_shape=(224, 224, 3), **options)


def _preprocessing(name: str) -> Callable[[np.ndarray], np.ndarray]:
    for module in vars(keras.applications).values():
        if inspect.ismodule(module) and hasattr(module, name) and hasattr(module, "preprocess_input"):
            return lambda x: np.asarray(module.preprocess_input(np.array(x, np.float32)), np.float32)
    return RANGES["0..255"]


def _scales_itself(model: keras.Model) -> bool:
    """Whether one of its first layers brings pixels to scale."""
    first = [layer for layer in model._flatten_layers() if not isinstance(layer, layers.InputLayer | keras.Model)][:4]
    return any(isinstance(layer, layers.Rescaling | layers.Normalization) for layer in first)
