"""The hierarchy of what draws pictures, which runs the other way round: early layers lay out, late ones draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.inspection.hierarchy import LAYERS, SIGNIFICANT
from dlcli.inspection.kendall import kendall

KIND = "coarse to fine"

METHOD = {
    "name": "coarse to fine",
    "formula": "Kendall's tau-b between depth and the spectrum of the change that noise in a layer makes; exact p over all "
    f"orders; at least {LAYERS} layers; depth of a part of the picture = sum of l share / sum of share",
    "source": "",
}


def hierarchy(
    names: list[str], footprints: Sequence[int], spectra: Sequence[float], shares: np.ndarray, parts: Sequence[str]
) -> dict[str, Any]:
    """What the document says of a generator or decoder.  footprints (L,) in pixels, spectra (L,) in cycles per pixel,
    shares (L, parts) of the variance of each part of the picture."""
    depths = np.arange(len(names)) + 1.0
    totals = shares.sum(axis=0)
    emergence = {
        part: {"value": float(depths @ shares[:, i] / totals[i]), "low": None, "high": None, "gain": float(totals[i])}
        if totals[i] > 0
        else None
        for i, part in enumerate(parts)
    }
    tau = p = None
    said = "too few layers to test"
    if len(names) >= LAYERS:
        tau, p = kendall(np.asarray(spectra))
        said = f"tau = {tau:.2f}, p = {p:.3f}" if p < SIGNIFICANT else "no measurable order from coarse to fine"
    moved = [part for part in parts if emergence[part]]
    return {
        "kind": KIND,
        "levels": list(parts),
        "emergence": emergence,
        "tau": tau,
        "p": p,
        "order": sorted(moved, key=lambda part: emergence[part]["value"]),
        "said": said,
        "layers": [
            {
                "name": name.rpartition("/")[2],
                "path": name,
                "footprint": int(footprint),
                "spectrum": float(spectrum),
                "shares": dict(zip(parts, map(float, many), strict=True)),
            }
            for name, footprint, spectrum, many in zip(names, footprints, spectra, shares, strict=True)
        ],
    }


def told(found: dict[str, Any]) -> str:
    """Its verdict in two sentences."""
    order = " > ".join(found["order"])
    decided = f" Decided, in order of depth: {order}." if order else ""
    if found["tau"] is None:
        return f"Too few layers to test for an order from coarse to fine.{decided}"
    numbers = f"tau = {found['tau']:.2f}, p = {found['p']:.3f} of the spectrum over depth"
    if found["p"] < SIGNIFICANT:
        return f"Drawn from coarse to fine ({numbers}).{decided}"
    return f"No measurable order from coarse to fine ({numbers}).{decided}"
