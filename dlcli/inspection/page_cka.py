"""The page's matrix of how alike the layers are (debiased linear CKA; Kornblith et al., 2019)."""

from itertools import groupby

from dlcli.inspection.page_levels import step
from dlcli.inspection.page_markup import Markup, join, name_of, tag
from dlcli.inspection.page_wording import fraction, is_number

# more columns than this do not fit with numbers on a phone
WITH_NUMBERS = 12

# more rows than this are thinner than a pixel on a phone, and large to store
AT_MOST = 128

CELL = 10


def similarity(cka: dict | None) -> Markup | None:
    """Numbers in a table for few layers, a drawing for many; None when nothing was measured."""
    names = (cka or {}).get("layers") or []
    matrix = (cka or {}).get("matrix") or []
    if len(names) < 2:
        return None
    return join(
        tag(
            "p",
            "How alike two layers arrange the samples. 1: the same up to rotation and scale. 0: nothing in common. "
            "Layers that form a block do about the same; at the border of a block the network changes its view.",
        ),
        _turn(names, matrix),
        _table(names, matrix) if len(names) <= WITH_NUMBERS else _drawing(names, matrix),
    )


def _turn(names: list[str], matrix: list[list]) -> Markup | None:
    """The pair of neighbours that differ most."""
    pairs = [(matrix[i][i + 1], i) for i in range(len(names) - 1) if is_number(matrix[i][i + 1])]
    if not pairs:
        return None
    value, i = min(pairs)
    return tag(
        "p",
        "The biggest change between neighbours: from ",
        tag("strong", name_of(names[i])),
        " to ",
        tag("strong", name_of(names[i + 1])),
        f" (CKA {fraction(value)}).",
    )


def _table(names: list[str], matrix: list[list]) -> Markup:
    head = tag("tr", tag("th", "layer", scope="col"), [tag("th", i, scope="col") for i in range(1, len(names) + 1)])
    rows = [
        tag(
            "tr",
            tag("th", tag("div", tag("span", i, class_="position"), " ", name_of(name)), scope="row", title=name),
            [_cell(value) for value in row],
        )
        for i, (name, row) in enumerate(zip(names, matrix, strict=True), 1)
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="heat")
    return tag("div", table, class_="box", tabindex=0, role="region", aria_label="Similarity of layers")


def _cell(value) -> Markup:
    return tag("td", fraction(value) or "–", class_=step(value))


def _drawing(names: list[str], matrix: list[list]) -> Markup:
    """Squares by number; the list below says which number is which. Of very many layers, every second, third, …"""
    stride = -(-len(names) // AT_MOST)
    places = range(0, len(names), stride)
    side = CELL * len(places)
    margin = 0.08 * side
    every = max(1, len(places) // 10)
    drawing = tag(
        "svg",
        [_tick(k, i + 1, margin) for k, i in enumerate(places) if k == 0 or (k + 1) % every == 0],
        [_runs(k, i, [matrix[i][j] for j in places], places, margin) for k, i in enumerate(places)],
        viewBox=f"0 0 {margin + side:.0f} {margin + side:.0f}",
        role="img",
        class_="cka",
        aria_label=f"Similarity matrix of {len(names)} layers; the sentence above names the biggest change",
    )
    said = tag("p", f"Drawn: one layer in {stride}.", class_="note") if stride > 1 else None
    items = [tag("li", name_of(name)) for name in names]
    return join(
        drawing, said, tag("details", tag("summary", "Which number is which layer"), tag("ol", items, class_="columns"))
    )


def _runs(k: int, i: int, row: list, places: range, margin: float) -> list[Markup]:
    """Row k of the drawing, that of layer i. Neighbours of one colour are one rectangle: most of a smooth matrix is."""
    runs = []
    for colour, run in groupby(enumerate(row), key=lambda item: step(item[1])):
        found = list(run)
        first, last, values = found[0][0], found[-1][0], [value for _, value in found if is_number(value)]
        columns = f"{places[first] + 1}" if first == last else f"{places[first] + 1} to {places[last] + 1}"
        bounds = " to ".join(sorted({fraction(min(values)), fraction(max(values))})) if values else "not measured"
        runs.append(
            tag(
                "rect",
                tag("title", f"{i + 1} and {columns}: {bounds}"),
                x=f"{margin + first * CELL:.1f}",
                y=f"{margin + k * CELL:.1f}",
                width=(last - first + 1) * CELL,
                height=CELL,
                class_=colour,
            )
        )
    return runs


def _tick(k: int, text: int, margin: float) -> Markup:
    middle, size = margin + (k + 0.5) * CELL, 0.36 * margin
    return join(
        tag(
            "text",
            text,
            x=f"{0.85 * margin:.1f}",
            y=f"{middle + 0.36 * size:.1f}",
            font_size=f"{size:.1f}",
            text_anchor="end",
        ),
        tag("text", text, x=f"{middle:.1f}", y=f"{0.75 * margin:.1f}", font_size=f"{size:.1f}", text_anchor="middle"),
    )
