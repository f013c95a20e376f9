"""The page's matrix of how alike the layers are (debiased linear CKA; Kornblith et al., 2019)."""

from dlcli.inspection.page_levels import step
from dlcli.inspection.page_markup import Markup, join, name_of, tag
from dlcli.inspection.page_wording import fraction, is_number

# more columns than this do not fit with numbers on a phone
WITH_NUMBERS = 12

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
            tag("th", tag("span", i, class_="position"), name_of(name), scope="row"),
            [_cell(value) for value in row],
        )
        for i, (name, row) in enumerate(zip(names, matrix, strict=True), 1)
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="heat")
    return tag("div", table, class_="box", tabindex=0, role="region", aria_label="Similarity of layers")


def _cell(value) -> Markup:
    return tag("td", fraction(value) or "–", class_=step(value))


def _drawing(names: list[str], matrix: list[list]) -> Markup:
    """One square per pair; each says its names and number when pointed at. The list below says which number is which."""
    margin = 26
    side = margin + CELL * len(names)
    squares = [
        tag(
            "rect",
            tag("title", f"{names[i]} – {names[j]}: {fraction(value) or 'not measured'}"),
            x=margin + j * CELL, y=margin + i * CELL, width=CELL, height=CELL, class_=step(value),
        )
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
    ]  # fmt: skip
    ticks = [_tick(i, margin) for i in range(len(names)) if i == 0 or (i + 1) % 5 == 0]
    drawing = tag(
        "svg", ticks, squares, viewBox=f"0 0 {side} {side}", role="img", class_="cka",
        aria_label=f"Similarity matrix of {len(names)} layers; the sentence above names the biggest change",
    )  # fmt: skip
    items = [tag("li", name_of(name)) for name in names]
    return join(
        drawing, tag("details", tag("summary", "Which number is which layer"), tag("ol", items, class_="columns"))
    )


def _tick(i: int, margin: int) -> Markup:
    middle = margin + (i + 0.5) * CELL
    return join(
        tag("text", i + 1, x=margin - 4, y=middle + 4, text_anchor="end"),
        tag("text", i + 1, x=middle, y=margin - 6, text_anchor="middle"),
    )
