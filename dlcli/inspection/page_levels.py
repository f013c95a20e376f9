"""The page's map of levels and layers: what each layer knows, as coloured tables to switch between."""

from dlcli.inspection.judged import levels_of
from dlcli.inspection.page_markup import Markup, join, name_of, tag
from dlcli.inspection.page_wording import fraction, interval, is_number

STEPS = 10

VIEWS = {
    "learned": (
        "Learned (D)",
        "What training added: how well a linear reader can tell the answers of a level from this layer, beyond the "
        "input and an untrained copy of the network. 0: nothing beyond them. 1: everything that was left to learn.",
    ),
    "trained": (
        "Trained (A)",
        "How well a linear reader can tell the answers of a level from this layer of the trained network. "
        "0: no better than guessing. 1: always right.",
    ),
    "baseline": (
        "Baseline (b)",
        "What the same reader gets without any training: the best of the raw input, untrained copies of the network "
        "and what else varies in the stimuli. Where this is high, a high A says little.",
    ),
}

TAU = "tau: 1 is exactly that order, 0 no order, −1 the reverse. p: how often chance alone would give so good an order."


def view(scores: dict | None, name: str) -> float | None:
    """A, b or D of one layer and level. b as measured, else max(input, untrained, 0)."""
    if not scores:
        return None
    if name != "baseline":
        return scores.get(name)
    measured = [scores[key] for key in ("baseline", "input", "untrained") if is_number(scores.get(key))]
    return max([*measured, 0.0]) if measured else None


def step(value) -> str:
    """The colour class of a value in [0, 1]: k0 to k10, or none."""
    return f"k{round(min(max(value, 0.0), 1.0) * STEPS)}" if is_number(value) else "none"


def level_map(document: dict) -> Markup | None:
    """The map with its switch, legend and markers; None when no level was measured."""
    hierarchy = levels_of(document) or {}
    # the card of a layer is named by its place among all layers
    layers = [layer | {"card": i} for i, layer in enumerate(document.get("layers") or [], 1) if layer.get("levels")]
    levels = [level for level in hierarchy.get("levels") or [] if any(level in layer["levels"] for layer in layers)]
    shown = [
        name for name in VIEWS if any(is_number(view(layer["levels"].get(t), name)) for layer in layers for t in levels)
    ]
    if not shown:
        return None
    switch = [_choice(name, first=name == shown[0]) for name in shown]
    return join(
        _lead(hierarchy),
        tag(
            "div",
            # before the tables and next to them: the style sheet shows the table of the button that is pressed
            switch,
            [_view(name, layers, levels, hierarchy) for name in shown],
            class_="map",
            role="group",
            aria_label="Which number the map shows",
        ),
        _legend(),
        _lost(document.get("lost") or []),
    )


def _lead(hierarchy: dict) -> Markup:
    order = hierarchy.get("order") or []
    said = hierarchy.get("said")
    return join(
        tag("p", "Order in which levels emerge, first to last: ", tag("strong", " → ".join(map(str, order))), ".")
        if order
        else None,
        tag("p", "Does that order follow the levels from low to high? ", tag("strong", said), ".") if said else None,
        tag("p", TAU, class_="note") if said and is_number(hierarchy.get("tau")) else None,
    )


def _choice(name: str, *, first: bool) -> Markup:
    identity = f"map-{name}"
    return join(
        tag("input", type="radio", name="map", id=identity, checked=first),
        tag("label", VIEWS[name][0], for_=identity),
    )


def _view(name: str, layers: list[dict], levels: list[str], hierarchy: dict) -> Markup:
    emergence = hierarchy.get("emergence") or {}
    marked = emergence if name != "baseline" else {}
    table = tag(
        "table",
        tag("caption", VIEWS[name][0], class_="unseen"),
        tag("thead", _names(levels), _depths(levels, emergence)),
        tag("tbody", [_row(i, layer, levels, name, marked) for i, layer in enumerate(layers, 1)]),
        class_="heat",
    )
    return tag(
        "div",
        tag("p", VIEWS[name][1]),
        tag("div", table, class_="box", tabindex=0, role="region", aria_label=f"Map: {VIEWS[name][0]}"),
        class_=f"view view-{name}",
    )


def _names(levels: list[str]) -> Markup:
    heads = [tag("th", tag("span", level), scope="col", class_="upright") for level in levels]
    return tag("tr", tag("th", "layer", scope="col"), heads)


def _depths(levels: list[str], emergence: dict) -> Markup:
    """The row that says at which layer each level emerges."""
    return tag(
        "tr",
        tag("th", "emerges at layer", scope="row"),
        [_depth(emergence.get(level)) for level in levels],
        class_="depths",
    )


def _depth(found: dict | None) -> Markup:
    if not found or not is_number(found.get("value")):
        return tag("td", tag("span", "–", aria_hidden="true"), tag("span", "does not emerge", class_="unseen"))
    low, high = found.get("low"), found.get("high")
    known = is_number(low) and is_number(high)
    return tag(
        "td",
        tag("b", f"{found['value']:.1f}"),
        tag("small", f"{low:.1f}–", tag("wbr"), f"{high:.1f}") if known else None,
    )


def _row(position: int, layer: dict, levels: list[str], name: str, emergence: dict) -> Markup:
    cells = [_cell(position, layer["levels"].get(level), name, emergence.get(level)) for level in levels]
    link = tag("a", name_of(layer.get("name", "")), href=f"#layer-{layer['card']}")
    named = tag("div", tag("span", position, class_="position"), " ", link)
    head = tag("th", named, scope="row", title=layer.get("path") or layer.get("name"))
    return tag("tr", head, cells)


def _cell(position: int, scores: dict | None, name: str, found: dict | None) -> Markup:
    value = view(scores, name)
    if not is_number(value):
        return tag(
            "td", tag("span", "–", aria_hidden="true"), tag("span", "not measured", class_="unseen"), class_="none"
        )
    here, near = _marks(position, found)
    return tag(
        "td",
        fraction(value),
        tag("span", "◆", class_="emerges", aria_hidden="true") if here else None,
        tag("span", " emerges here", class_="unseen") if here else None,
        class_=f"{step(value)}{' near' if near else ''}",
        title=_spoken(scores),
    )


def _marks(position: int, found: dict | None) -> tuple[bool, bool]:
    """Whether the level emerges at this layer, and whether the layer lies in the interval of that depth."""
    if not found or not is_number(found.get("value")):
        return False, False
    here = round(found["value"]) == position
    if not (is_number(found.get("low")) and is_number(found.get("high"))):
        return here, here
    return here, round(found["low"]) <= position <= round(found["high"])


def _spoken(scores: dict) -> str:
    parts = [
        ("trained A", fraction(view(scores, "trained"))),
        ("baseline b", fraction(view(scores, "baseline"))),
        ("learned D", interval(scores.get("learned"), scores.get("low"), scores.get("high"))),
    ]
    return ", ".join(f"{title} {text}" for title, text in parts if text)


def _legend() -> Markup:
    swatches = [tag("span", class_=f"swatch k{i}") for i in range(STEPS + 1)]
    return tag(
        "p",
        tag("span", "0 ", swatches, " 1", class_="scale"),
        tag("span", "◆ the layer where the level emerges: the average layer of its gains"),
        tag("span", tag("span", class_="swatch bar"), " layers within the 95% interval of that depth"),
        tag("span", "– not measured"),
        class_="legend",
    )


def _lost(lost: list[dict]) -> Markup | None:
    if not lost:
        return None
    items = [
        tag("li", tag("b", entry.get("level", "")), f": {fraction(entry.get('from')) or '?'} → {fraction(entry.get('to')) or '?'}",
            join(" at ", name_of(entry["layer"])) if entry.get("layer") else None)
        for entry in lost
    ]  # fmt: skip
    return join(
        tag("h3", "What the network lets go"),
        tag("p", "A falls with depth: later layers no longer hold it."),
        tag("ul", items),
    )
