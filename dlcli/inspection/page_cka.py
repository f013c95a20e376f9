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
        _shown(names, names, matrix),
    )


def crossed(compare: dict | None) -> Markup | None:
    """Every layer of one model (down) with every layer of another (across); None without two models."""
    if not compare:
        return None
    second = (compare.get("model") or {}).get("source") or "the second model"
    found = compare.get("cka") or {}
    if not found.get("matrix"):
        return tag("p", "Beside ", tag("strong", name_of(second)), "; the tables below say what is gained and lost.")
    return join(
        tag(
            "p",
            "How alike the layers of this model (down) and of ",
            tag("strong", name_of(second)),
            " (across) arrange the same samples. 1: the same up to rotation and scale. 0: nothing in common. "
            "A strong diagonal: the layers still do what they did; where it fades, the two part.",
        ),
        _shown(found["rows"], found["columns"], found["matrix"]),
    )


def _shown(down: list[str], across: list[str], matrix: list[list]) -> Markup:
    few = max(len(down), len(across)) <= WITH_NUMBERS
    return _table(down, across, matrix) if few else _drawing(down, across, matrix)


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


def _table(down: list[str], across: list[str], matrix: list[list]) -> Markup:
    heads = [tag("th", i, scope="col", title=name) for i, name in enumerate(across, 1)]
    head = tag("tr", tag("th", "layer", scope="col"), heads)
    rows = [
        tag(
            "tr",
            tag("th", tag("div", tag("span", i, class_="position"), " ", name_of(name)), scope="row", title=name),
            [_cell(value) for value in row],
        )
        for i, (name, row) in enumerate(zip(down, matrix, strict=True), 1)
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="heat")
    drawn = tag("div", table, class_="box", tabindex=0, role="region", aria_label="Similarity of layers")
    return drawn if across == down else join(drawn, _listed("Which number is which layer across", across))


def _cell(value) -> Markup:
    return tag("td", fraction(value) or "–", class_=step(value))


def _drawing(down: list[str], across: list[str], matrix: list[list]) -> Markup:
    """Squares by number; the lists below say which number is which. Of very many layers, every second, third, …"""
    stride = -(-max(len(down), len(across)) // AT_MOST)
    places = [range(0, len(names), stride) for names in (down, across)]
    height, width = (CELL * len(some) for some in places)
    margin = 0.08 * max(height, width)
    drawing = tag(
        "svg",
        [_tick(k, i + 1, margin, left=True) for k, i in _marked(places[0])],
        [_tick(k, i + 1, margin, left=False) for k, i in _marked(places[1])],
        [_runs(k, i, [matrix[i][j] for j in places[1]], places[1], margin) for k, i in enumerate(places[0])],
        viewBox=f"0 0 {margin + width:.0f} {margin + height:.0f}",
        role="img",
        class_="cka",
        aria_label=f"Similarity matrix of {len(down)} layers with {len(across)}"
        if across != down
        else f"Similarity matrix of {len(down)} layers; the sentence above names the biggest change",
    )
    said = tag("p", f"Drawn: one layer in {stride}.", class_="note") if stride > 1 else None
    if across == down:
        return join(drawing, said, _listed("Which number is which layer", down))
    return join(drawing, said, _listed("Which number is which layer down", down), _listed("… and across", across))


def _listed(title: str, names: list[str]) -> Markup:
    items = [tag("li", name_of(name)) for name in names]
    return tag("details", tag("summary", title), tag("ol", items, class_="columns"))


def _marked(places: range) -> list[tuple[int, int]]:
    """About ten of the places, with their numbers in the drawing."""
    every = max(1, len(places) // 10)
    return [(k, i) for k, i in enumerate(places) if k == 0 or (k + 1) % every == 0]


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


def _tick(k: int, text: int, margin: float, *, left: bool) -> Markup:
    middle, size = margin + (k + 0.5) * CELL, 0.36 * margin
    if left:
        x, y, anchor = 0.85 * margin, middle + 0.36 * size, "end"
    else:
        x, y, anchor = middle, 0.75 * margin, "middle"
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", font_size=f"{size:.1f}", text_anchor=anchor)
