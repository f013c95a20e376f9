"""Keras reads a file that was judged before: within the numbers of its own weights, and what comes out is looked at."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from dlcli import console, registry
from dlcli.errors import DlcliError, some
from dlcli.safety import limits, preflight, versions
from dlcli.safety.refusal import damaged, refused, told
from dlcli.safety.verdict import Verdict


def model(path: Path, *, finite: bool = True) -> keras.Model:
    """A model file, without its training state. finite: refuse weights that are no numbers; else they are said.

    Raises: DlcliError (exit code 4) with the reason when it should not or cannot be read.
    """
    with preflight.held(path) as held:
        verdict = held.verdict
        if verdict.kind not in ("keras", "h5"):
            raise _no_architecture(path)
        _register(verdict)
        old = {"DepthwiseConv2D": _OldDepthwiseConv2D} if verdict.kind == "h5" else None
        with _said(path, held.path, verdict), _budget(verdict, path):
            found = keras.saving.load_model(held.path, custom_objects=old, compile=False, safe_mode=True)
    _check_model(found, verdict, path)
    check_finite(verdict, path, finite=finite)
    if verdict.made and versions.newer(verdict.made):
        console.warn(f"{path} was made with Keras {verdict.made}; you have {versions.installed()}.")
    return found


def weights(found: keras.Model, path: Path) -> None:
    """Fill a built model from a file of weights, or of a model with the same layers.

    Raises: DlcliError (exit code 4) when it should not be read, or does not fit.
    """
    with preflight.held(path) as held, _said(path, held.path, held.verdict):
        found.load_weights(held.path)


def check_finite(verdict: Verdict, path: Path, *, finite: bool) -> None:
    """Raises: DlcliError (exit code 4) for weights that are NaN or infinite; a warning where they may be."""
    if not verdict.unfinite:
        return
    said = f"NaN or infinite numbers stand in {some(verdict.unfinite)}"
    if finite:
        raise refused(
            path, said, "was its training stopped when it diverged? --budget static of inspect-layers reads it."
        )
    console.warn(f"{path}: {said}.")


def _no_architecture(path: Path) -> DlcliError:
    hint = (
        f"name the architecture that they belong to: keras:NAME:{path}; of one that Keras does not have, "
        "build the model in Python, load them there, and save it as .keras."
    )
    return told(f"{path} holds weights and no architecture.", hint)


def _register(verdict: Verdict) -> None:
    """Importing what defines layers of dlcli's own, or of the user's, is what makes Keras find them."""
    if verdict.own:
        for entry in registry.entries("architectures").values():
            entry.load()
    if any(">" in name and not name.startswith("dlcli>") for name in verdict.names):
        for name in sorted(registry.named()):
            if "." in name:
                registry.find("architectures", name).load()


@contextmanager
def _budget(verdict: Verdict, path: Path) -> Iterator[None]:
    """No layer may make room for more numbers than the file holds weights, or twice as many: Keras builds what stands in a
    wrapper such as Bidirectional from its configuration, and then copies of it.

    A configuration of a few bytes can ask for a thousand million units; every weight of every layer of Keras is
    made by `add_weight`, which is where they are counted before there is any room for them.
    """
    room, made = 2 * verdict.values + limits.SPARE, 0
    original = keras.layers.Layer.add_weight

    def counted(self, *args, **options):
        nonlocal made
        shape = options.get("shape", args[0] if args else None)
        if isinstance(shape, tuple | list) and all(isinstance(side, int) for side in shape):
            made += math.prod(shape)
        if made > room:
            raise refused(
                path,
                f"layer {self.name!r} needs {made:,} weights with those before it, and the file holds {verdict.values:,}",
                "its configuration does not belong to its weights.",
            )
        return original(self, *args, **options)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = original


def _check_model(found: Any, verdict: Verdict, path: Path) -> None:
    if not isinstance(found, keras.Model):
        raise damaged(path, f"it holds a {type(found).__name__} and no model", "put it into a model, and save that.")
    built = sum(math.prod(variable.shape) for variable in found.variables)
    if verdict.values > built * 101 // 100 + limits.SPARE:
        raise refused(
            path,
            f"it holds {verdict.values:,} weights, and its layers have room for {built:,}",
            "its configuration does not belong to its weights.",
        )
    for operation in [*found._flatten_layers(include_self=False), *getattr(found, "operations", [])]:
        for output in keras.tree.flatten(getattr(operation, "output", None)):
            count = math.prod(side or 1 for side in getattr(output, "shape", None) or ())
            if count > limits.ACTIVATIONS:
                raise refused(
                    path,
                    f"layer {operation.name!r} makes {count:,} numbers of one example",
                    f"at most {limits.ACTIVATIONS:,} are allowed.",
                )


@contextmanager
def _said(path: Path, link: Path, verdict: Verdict) -> Iterator[None]:
    """Whatever Keras raises on a file is said of that file."""
    try:
        yield
    except DlcliError:
        raise
    except Exception as error:  # a configuration that makes no sense raises nearly anything
        reason = " ".join(str(error).split()).replace(str(link), str(path)) or type(error).__name__
        message, hint = _told(path, reason)
        if verdict.made and versions.newer(verdict.made):
            hint = f"it was made with Keras {verdict.made}, and you have {versions.installed()}."
        raise told(message, hint) from None


def _told(path: Path, reason: str) -> tuple[str, str]:
    """What a user is told of a file that Keras cannot read, and what to do, from what Keras says."""
    unknown = re.search(r"Could not locate (?:class|function) '(\w+)'|Unknown layer: '?(\w+)", reason)
    if unknown:
        name = next(group for group in unknown.groups() if group)
        return f"{path} has a layer {name!r}, which is not one of Keras.", "save the model with layers that Keras has."
    missing = re.search(r"Layer '([^']+)' expected (\d+) variables, but received (\d+)", reason)
    if missing:
        layer, expected, received = missing.groups()
        return (
            f"{path} does not fit its own layers: {layer!r} has {expected} weights, and the file holds {received} for it.",
            "its configuration does not belong to its weights.",
        )
    shapes = re.search(r"object <\w+ name=([^,>]+).*?variable\.shape=(\([^)]*\)).*?value\.shape=(\([^)]*\))", reason)
    if shapes:
        layer, expected, received = shapes.groups()
        return (
            f"{path} does not fit its own layers: a weight of {layer!r} has shape {expected}, and the file's has {received}.",
            "its configuration does not belong to its weights.",
        )
    return f"{path} could not be read: {reason[:200].rstrip(chr(46))}.", "is it whole, and of this version?"


class _OldDepthwiseConv2D:
    """Keras 2 wrote into these layers a key `groups`, which never meant anything there and is refused today."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Layer:
        return keras.layers.DepthwiseConv2D.from_config({k: v for k, v in config.items() if k != "groups"})
