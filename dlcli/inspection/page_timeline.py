"""The page's map of a run over time: how well each level could be read at best, epoch by epoch."""

from dlcli.inspection.page_levels import step
from dlcli.inspection.page_markup import Markup, join, tag
from dlcli.inspection.page_wording import fraction, number

MEANING = (
    "Each row is one kept epoch of the run. A cell is what training had added by then (D) in the layer where most of it "
    "was, beyond the input and an untrained copy. ◆ marks the epoch in which a level has first emerged."
)


def timeline_map(moments: list[dict] | None) -> Markup | None:
    """A row per epoch, a column per level; None for a document without a timeline."""
    if not moments:
        return None
    levels = list(moments[0]["levels"])
    came = {
        level: next((m["epoch"] for m in moments if m["levels"][level]["emergence"] is not None), None)
        for level in levels
    }
    heads = [tag("th", tag("span", level), scope="col", class_="upright") for level in levels]
    table = tag(
        "table",
        tag("caption", "Levels by epoch", class_="unseen"),
        tag(
            "thead",
            tag(
                "tr",
                tag("th", "epoch", scope="col"),
                heads,
                tag("th", tag("span", "tau"), scope="col", class_="upright"),
            ),
        ),
        tag("tbody", [_row(moment, levels, came) for moment in moments]),
        class_="heat",
    )
    return join(
        tag("p", MEANING),
        tag("div", table, class_="box", tabindex=0, role="region", aria_label="Map: levels by epoch"),
    )


def _row(moment: dict, levels: list[str], came: dict[str, int | None]) -> Markup:
    cells = [_cell(moment["levels"][level], here=came[level] == moment["epoch"]) for level in levels]
    tau = tag("td", number(moment["tau"]) or "–", class_="none")
    return tag("tr", tag("th", number(moment["epoch"]), scope="row"), cells, tau)


def _cell(found: dict, *, here: bool) -> Markup:
    return tag(
        "td",
        fraction(found["learned"]),
        tag("span", "◆", class_="emerges", aria_hidden="true") if here else None,
        tag("span", " has emerged", class_="unseen") if here else None,
        class_=step(found["learned"]),
        title=f"in {found['layer']}",
    )
