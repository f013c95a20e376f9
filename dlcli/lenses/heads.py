"""Attention heads: what each looks at (previous, first or same token, induction), how far and how widely."""

from collections import Counter

import numpy as np
from keras import layers, ops, tree

from dlcli.inspection.attention import ATTENTION, Attention
from dlcli.inspection.tap import Tap, mask_of
from dlcli.inspection.view import Finding, View
from dlcli.lenses import _heads
from dlcli.lenses._places import reported, short

BUDGET = "fast"
FAMILIES = ("transformer",)
# Numbers in all maps of one layer for a batch, and the longest side of a map that is drawn.
_ROOM, _DRAWN = 2**24, 64
_TITLES = {"prev": "previous", "self": "self", "first": "first", "dup": "duplicate", "induct": "induction"}


def look(view: View) -> Finding | None:
    """Scores of all heads of self-attention, on the data; of repeated tokens, on random ids said twice."""
    seen = [visit for visit in view.visits if isinstance(visit.layer, ATTENTION)]
    if not seen:
        return None
    most = max(_heads_of(visit.layer) * (visit.inputs[0].shape[1] or 512) ** 2 for visit in seen)
    x = view.examples(int(np.clip(_ROOM // most, 1, 32)))
    if x is None:
        return None
    maps = observed(view.subject.model, x, lambda found, mask: _data_scores(view, found, mask))
    again = repeated(view, x)
    twice = (
        {} if again is None else observed(view.subject.model, again, lambda found, _: _heads.of_tokens(found, again))
    )
    if not maps:
        return None
    names, finding, rows = reported(view), Finding(), []
    for key, (scores, picture, _) in maps.items():
        scores = scores | twice.get(key, {})
        roles = _heads.roles(scores)
        rows += _rows(short(key), roles, scores)
        if key in names:
            finding.own[names[key]] = {
                "heads": said(roles),
                "distance": round(float(scores["distance"].mean()), 1),
                "quartiles": quartiles(scores["distance"]),
            }
            finding.pictures[names[key]] = [_picture(short(key), roles, picture)]
    columns = [*_TITLES.values(), "entropy", f"distance ({next(iter(maps.values()))[2]})"]
    finding.tables.append(
        {
            "title": "Attention heads",
            "columns": ["layer", "head", "role", *columns],
            "rows": rows,
            "note": f"Shares of attention; a role takes more than {_heads.ROLE}. "
            + ("Duplicate and induction: on random tokens said again and again." if twice else ""),
        }
    )
    finding.methods.append(
        {
            "name": "head roles",
            "formula": "mean attention to the token before, itself, the first, the same token elsewhere, the token behind "
            "an occurrence of the same token (induction); a head's role is the largest above 0.4; entropy in nats; "
            "distance sum of A |t - s|, its mean and its quartiles over the heads of a layer",
            "source": "Clark et al., 2019; Olsson et al., 2022",
        }
    )
    return finding


def observed(model, x, scored) -> dict:
    """One eager call: key of each self-attention -> scored(maps (B, heads, T, T), mask (B, T) or None).

    Maps are let go layer by layer: all of them would not fit.
    """
    found = {}

    def look(visit):
        if isinstance(visit.layer, ATTENTION):
            maps = attention.taken(visit.layer)
            if maps is not None and len(maps.shape) == 4 and maps.shape[-1] == maps.shape[-2]:
                output = tree.flatten(visit.output)[0]
                mask = mask_of(output)  # the queries' own was taken off them by the call
                mask = None if mask is None else ops.convert_to_numpy(mask).astype(bool)
                found[visit.key] = scored(ops.convert_to_numpy(ops.cast(maps, "float32")), mask)

    with Attention() as attention, Tap(change=look):
        model(x, training=False)
    return found


def repeated(view: View, x) -> np.ndarray | None:
    """Sequences (B, T) of random ids, without a repeat in the first half, said again to the end.

    Ids are of those that the data hold. None where no ids go in.
    """
    x = [np.asarray(values) for values in tree.flatten(x)]
    tables = [visit.layer for visit in view.visits if isinstance(visit.layer, layers.Embedding)]
    if len(x) != 1 or x[0].ndim != 2 or not np.issubdtype(x[0].dtype, np.integer) or not tables or x[0].shape[1] < 8:
        return None
    ids = np.unique(x[0])
    if tables[0].mask_zero or len(ids) > 8:
        ids = ids[ids > 0]  # padding, by custom
    if len(ids) < 4:
        ids = np.arange(1, tables[0].input_dim)
    rng = np.random.default_rng([view.seed, 13])
    length = min(x[0].shape[1] // 2, len(ids))
    rows = [np.resize(rng.permutation(ids)[:length], x[0].shape[1]) for _ in range(len(x[0]))]
    return np.stack(rows).astype(x[0].dtype)


def quartiles(distances: np.ndarray) -> str:
    """Of the heads of a layer: a mean would hide near ones beside far ones."""
    low, middle, high = np.quantile(distances, [0.25, 0.5, 0.75])
    return f"{low:.1f} {middle:.1f} {high:.1f}"


def said(roles: list[str]) -> str:
    """2 prev 1 first 1 other"""
    counts = Counter(roles)
    order = sorted(counts, key=lambda role: (role == "other", -counts[role]))
    return " ".join(f"{counts[role]} {role}" for role in order)


def _data_scores(view: View, maps: np.ndarray, mask: np.ndarray | None) -> tuple:
    """Scores, the first example's maps for a picture, and the unit of distance."""
    shape = tuple(view.subject.model.inputs[0].shape[1:])
    size = maps.shape[-1]
    apart = _heads.pixels_apart(size, *shape[:2]) if len(shape) == 3 and None not in shape else None
    scores = _heads.fixed(maps, mask, _heads.tokens_apart(size) if apart is None else apart)
    shown = int(size if mask is None else max(mask[0].sum(), 2))
    side = min(shown, _DRAWN)
    return scores, maps[0, :, :side, :side].copy(), "tokens" if apart is None else "pixels"


def _heads_of(layer) -> int:
    return layer.num_query_heads if isinstance(layer, layers.GroupQueryAttention) else layer.num_heads


def _rows(name: str, roles: list[str], scores: dict[str, np.ndarray]) -> list[list]:
    def cell(score: str, head: int) -> str:
        return f"{scores[score][head]:.2f}" if score in scores else "–"

    return [
        [name, head, role, *(cell(score, head) for score in (*_TITLES, "entropy")), f"{scores['distance'][head]:.1f}"]
        for head, role in enumerate(roles)
    ]


def _picture(name: str, roles: list[str], maps: np.ndarray) -> dict[str, str]:
    side = maps.shape[-1]
    return {
        "title": "attention",
        "caption": f"Who looks (down) at whom (across), {side} tokens of one example; heads in order: "
        f"{', '.join(roles)}. Dark: more, each head to its own maximum.",
        "alt": f"attention maps of {len(maps)} heads of {name}",
        "png": _heads.drawn(maps),
    }
