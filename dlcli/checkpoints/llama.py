"""Weights of Llama under the names of its authors (llama2.c, and .pt files of the same) for the architecture llama."""

import re
from pathlib import Path

import numpy as np

from dlcli.checkpoints import llama2c
from dlcli.checkpoints.copying import Lists, fill
from dlcli.errors import MODEL, DlcliError
from dlcli.text import END

ARCHITECTURE = "llama"
KIND = "corpus"
TASK = "language-modeling"

_LAYER = re.compile(r"layers\.(\d+)\.([\w.]+)\.weight")
_DENSE = {"feed_forward.w1": "mlp_gate", "feed_forward.w3": "mlp_in", "feed_forward.w2": "mlp_out"}
_HEADS = {"attention.wq": "query", "attention.wk": "key", "attention.wv": "value"}
_NORMS = {"attention_norm": "attention_norm", "ffn_norm": "mlp_norm"}
# The names of settings in .pt files of llama2.c, and here.
_SETTINGS = {"n_heads": "heads", "n_kv_heads": "key_value_heads", "max_seq_len": "context"}


def named(settings: dict) -> dict:
    """The `model_args` of a .pt file under the names that are used here."""
    plain = {_SETTINGS.get(key, key): value for key, value in settings.items() if isinstance(value, int | float | str)}
    return plain | ({"key_value_heads": plain["heads"]} if "heads" in plain and "key_value_heads" not in plain else {})


def options(tensors: dict[str, np.ndarray], settings: dict) -> dict | None:
    """The architecture's options, or None when these are not its weights. The number of heads is in no shape."""
    embedding, gate = tensors.get("tok_embeddings.weight"), tensors.get("layers.0.feed_forward.w1.weight")
    if embedding is None or gate is None or embedding.ndim != 2 or gate.ndim != 2 or "heads" not in settings:
        return None
    blocks = {match[1] for match in map(_LAYER.fullmatch, tensors) if match}
    return {
        "width": int(embedding.shape[1]),
        "depth": len(blocks),
        "heads": int(settings["heads"]),
        "key_value_heads": int(settings["key_value_heads"]),
        "hidden": int(gate.shape[0]),
    }


def learned(tensors: dict[str, np.ndarray], settings: dict, path: Path, vocabulary: Path | None) -> dict:
    """Fields of the task. vocabulary: its file, where it does not lie beside the weights.

    Raises: DlcliError (exit code 4) when there is none, or it is another model's.
    """
    size = len(tensors["tok_embeddings.weight"])
    file = vocabulary or llama2c.beside(path, size)
    if file is None:
        raise DlcliError(
            f"{path} knows {size} tokens by their numbers only: their text is in a file of its own.",
            f"name it behind a colon: {path}:tok{size}.bin.",
            code=MODEL,
        )
    pieces = llama2c.vocabulary(file)
    if len(pieces) + llama2c.BYTES != size:
        raise DlcliError(
            f"{file} holds {len(pieces) + llama2c.BYTES} pieces, and {path} knows {size} tokens.",
            "name the vocabulary that the model was trained with.",
            code=MODEL,
        )
    context = int(settings.get("context", 256))
    known = {"tokenizer": "sentencepiece", "vocabulary": [*pieces, END]}
    return {**known, "context": context, "stride": context, "windows": 1, "length": 1}


def rows(learned: dict) -> list[int]:
    """For each id here the id in the checkpoint: padding has none there; the start of a text is the end of that before."""
    pieces = len(learned["vocabulary"]) - 1
    return [-1, llama2c.UNKNOWN, *range(llama2c.BYTES, llama2c.BYTES + pieces), llama2c.BEGIN]


def weights(tensors: dict[str, np.ndarray], model, rows: list[int]) -> Lists:
    """Fill a model of the architecture llama.

    rows: for each id of the model's vocabulary the id in the checkpoint's that means the same, or -1 for
    none, which gets the mean of all rows. Without an output matrix of its own the
    checkpoint's embedding is both; here they are two weights that begin alike.
    """
    tensors = {name: value for name, value in tensors.items() if not name.startswith("freqs_")}
    embedding = tensors["tok_embeddings.weight"]
    output = "output.weight" if "output.weight" in tensors else "tok_embeddings.weight"
    found = {
        "stem_embedding/embeddings": ("tok_embeddings.weight", _rows(embedding, rows)),
        "head_logits/kernel": (output, _rows(tensors[output], rows).T),
        # Llama's output has no bias
        "head_logits/bias": (output, np.zeros(len(rows))),
    }
    if "norm.weight" in tensors:
        found["norm/scale"] = ("norm.weight", tensors["norm.weight"])
    for name, value in tensors.items():
        match = _LAYER.fullmatch(name)
        placed = _placed(match[1], match[2], value, model) if match else None
        if placed is not None:
            found[placed[0]] = (name, placed[1])
    return fill(model, found, tensors)


def _rows(matrix: np.ndarray, rows: list[int]) -> np.ndarray:
    chosen = np.asarray(rows)
    return np.where((chosen < 0)[:, None], matrix.mean(axis=0), matrix[np.maximum(chosen, 0)])


def _placed(block: str, part: str, value: np.ndarray, model) -> tuple[str, np.ndarray] | None:
    """The path in the model, and the matrix (out, in) as (in, out), that of attention by heads."""
    if part in _NORMS:
        return f"block{block}_{_NORMS[part]}/scale", value
    if part in _DENSE:
        return f"block{block}_{_DENSE[part]}/kernel", value.T
    path = f"block{block}_attention/{_HEADS.get(part, 'attention_output')}/kernel"
    shape = next((tuple(weight.shape) for weight in model.weights if weight.path == path), None)
    if shape is None or value.size != np.prod(shape):
        return None
    if part in _HEADS or part == "attention.wo":
        return path, value.T.reshape(shape)
    return None
