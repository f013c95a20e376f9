"""The page's map of a generator or decoder: what each layer decides of the picture, from coarse to fine."""

from dlcli.inspection.coarse_to_fine import told
from dlcli.inspection.page_levels import step
from dlcli.inspection.page_markup import Markup, join, name_of, tag
from dlcli.inspection.page_wording import fraction, number

MEANING = (
    "Each layer is disturbed, and the change of the picture is looked at. Footprint: side of the square that holds 95% "
    "of it, in pixels. Spectrum: how fine it is, in cycles per pixel. The coloured columns: the share of all variance of "
    "that part of the picture which the layer has a hand in; shares may add up to more than 1."
)


def generator_map(found: dict | None) -> Markup | None:
    """A row per layer; None for a model that draws nothing."""
    if not found or not found.get("layers"):
        return None
    parts = found["levels"]
    heads = [
        tag("th", tag("span", title), scope="col", class_="upright") for title in ("footprint", "spectrum", *parts)
    ]
    table = tag(
        "table",
        tag("caption", "What each layer decides", class_="unseen"),
        tag("thead", tag("tr", tag("th", "layer", scope="col"), heads)),
        tag("tbody", [_row(i, layer, parts) for i, layer in enumerate(found["layers"], 1)]),
        class_="heat",
    )
    return join(
        tag("p", tag("strong", told(found))),
        tag("p", MEANING),
        tag("div", table, class_="box", tabindex=0, role="region", aria_label="Map: what each layer decides"),
    )


def _row(position: int, layer: dict, parts: list[str]) -> Markup:
    named = tag("div", tag("span", position, class_="position"), " ", tag("span", name_of(layer["name"])))
    cells = [tag("td", fraction(layer["shares"][part]) or "–", class_=step(layer["shares"][part])) for part in parts]
    plain = [tag("td", number(layer["footprint"]) or "–"), tag("td", fraction(layer["spectrum"]) or "–")]
    return tag("tr", tag("th", named, scope="row", title=layer["path"]), plain, cells)
