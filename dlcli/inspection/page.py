"""The whole report as one HTML file: no network, no script, light and dark, for people new to deep learning."""

import base64
import hashlib
import json
from importlib import resources
from itertools import groupby

from dlcli.inspection.page_cka import crossed, similarity
from dlcli.inspection.page_generator import generator_map
from dlcli.inspection.page_layers import layer_cards, layer_table
from dlcli.inspection.page_levels import level_map
from dlcli.inspection.page_markup import Markup, cell, join, name_of, raw, tag
from dlcli.inspection.page_methods import gates, methods
from dlcli.inspection.page_timeline import timeline_map
from dlcli.inspection.page_wording import amount, bytes_of, count, number, shape
from dlcli.rundir import finite

LIMIT = 5_000_000

TABLE_ROWS = 500

# What goes, one after another, from a page that is too large even without pictures.
FIRST_TO_GO = ("document", "cards", "similarity", "compare", "map", "timeline", "generator", "tables", "layers")

LEFT_OUT = "Left out to keep this page small; the document of --json has it."


def write(document: dict, *, limit: int = LIMIT) -> str:
    """The page of a document, at most `limit` bytes in UTF-8: what does not fit is left out, and said so where it
    would stand. Pictures go first, then the parts of FIRST_TO_GO."""
    document = finite(document)
    for parts in range(len(FIRST_TO_GO) + 1):
        left_out = FIRST_TO_GO[:parts]
        bare = _size(_page(document, set(), left_out))
        if bare <= limit:
            break
    kept = set()
    for entry in _pictures(document):
        size = len(entry.get("png") or "") + len(entry.get("alt") or entry.get("title") or "") * 6 + 100
        if bare + size <= limit:
            kept.add(id(entry))
            bare += size
    # a lone surrogate, as in a path that is not UTF-8, cannot be written to a file
    return _page(document, kept, left_out).encode("utf-8", "replace").decode("utf-8")


def _page(document: dict, kept: set[int], left_out: tuple[str, ...]) -> str:
    title = f"{(document.get('model') or {}).get('name') or 'model'} – layers"
    style = raw(resources.files("dlcli.inspection").joinpath("page.css").read_text(encoding="utf-8"))
    sections = [part for part in _sections(document, kept, left_out) if part[2]]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", style),
    )
    contents = [tag("li", tag("a", heading, href=f"#{identity}")) for identity, heading, _ in sections]
    body = tag(
        "body",
        tag("a", "Skip to the results", href="#results", class_="skip"),
        _header(document),
        tag("nav", tag("ul", contents), aria_label="Contents") if contents else None,
        tag(
            "main",
            [tag("section", tag("h2", heading), content, id=identity) for identity, heading, content in sections],
            id="results",
            tabindex=-1,
        ),
        None if "document" in left_out else _data(document),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en")


def _policy(style: str) -> str:
    """Nothing may be fetched and nothing may run, whatever a name in the document tries; only this style counts."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _sections(document: dict, kept: set[int], left_out: tuple[str, ...]) -> list[tuple[str, str, Markup | None]]:
    """(id, heading, content or None) in the order of the page."""

    def picture(entry: dict) -> Markup:
        return _picture(entry, shown=id(entry) in kept)

    pictures = join([picture(entry) for entry in document.get("pictures") or []])
    tables = join([_table(entry) for entry in document.get("tables") or []])
    sections = [
        ("map", _knowing(document), level_map(document)),
        ("compare", "Two models side by side", crossed(document.get("compare"))),
        ("timeline", "Which level came at which epoch", timeline_map(document.get("timeline"))),
        ("generator", "What each layer decides", generator_map(document.get("generator"))),
        ("layers", "Layers", layer_table(document)),
        ("cards", "Layer by layer", layer_cards(document, picture)),
        ("similarity", "How alike the layers are", similarity(document.get("cka"))),
        ("pictures", "Pictures of the whole model", pictures or None),
        ("tables", "Tables", tables or None),
        ("methods", "How this was measured", methods(document, embedded="document" not in left_out)),
    ]
    note = tag("p", LEFT_OUT, class_="note")
    return [
        (identity, heading, note if content and identity in left_out else content)
        for identity, heading, content in sections
    ]


def _knowing(document: dict) -> str:
    judged = (document.get("hierarchy") or {}).get("kind", "levels") != "levels"
    return "What each layer of the discriminator knows" if judged else "What each layer knows"


def _header(document: dict) -> Markup:
    model, seconds = document.get("model") or {}, document.get("seconds") or {}
    total = seconds.get("total") if isinstance(seconds, dict) else seconds
    stated = [
        ("family", model.get("family")),
        ("parameters", count(model.get("parameters"))),
        ("FLOPs per sample", amount(model.get("flops"))),
        ("memory", bytes_of(model.get("memory_bytes"))),
        ("input", shape(model.get("input_shape"))),
        ("output", shape(model.get("output_shape"))),
        ("layers", count(len(document["layers"])) if document.get("layers") else None),
        ("budget", document.get("budget")),
        ("samples", count(document.get("samples"))),
        ("stimuli", count(document.get("stimuli"))),
        ("seconds", number(total)),
    ]
    warnings = document.get("warnings") or []
    return tag(
        "header",
        tag("p", "dlcli inspect-layers", class_="tool"),
        tag("h1", name_of(model.get("name") or "model")),
        tag("p", document["verdict"], class_="verdict") if document.get("verdict") else None,
        [_alert(list(alike)) for _, alike in groupby(gates(document, passed=False), key=lambda gate: gate.get("name"))],
        tag("p", tag("a", f"{len(warnings)} warning{'s' * (len(warnings) != 1)}", href="#warnings"))
        if warnings
        else None,
        tag("dl", [tag("div", tag("dt", title), tag("dd", text)) for title, text in stated if text], class_="facts"),
    )


def _alert(alike: list[dict]) -> Markup:
    """One box for the checks of one name: they fail together, and the list at the end of the page has each."""
    gate, others = alike[0], [str(other["subject"]) for other in alike[1:] if other.get("subject")]
    subject = f" ({gate['subject']})" if gate.get("subject") else ""
    return tag(
        "p",
        tag("strong", f"Check failed: {gate.get('name', '')}{subject}. "),
        gate.get("message") or "",
        f" The same holds for {', '.join(others)}." if others else None,
        class_="alert",
    )


def _picture(entry: dict, *, shown: bool) -> Markup:
    title, alt = entry.get("title") or "picture", entry.get("alt") or entry.get("title") or "picture"
    if not entry.get("png"):
        drawn = tag("p", "This picture was not made.", class_="note")
    elif not shown:
        drawn = tag("p", LEFT_OUT, class_="note")
    else:
        drawn = tag("img", src=f"data:image/png;base64,{entry['png']}", alt=alt)
    caption = tag("figcaption", tag("b", title), f" – {entry['caption']}" if entry.get("caption") else None)
    return tag("figure", drawn, caption)


def _table(entry: dict) -> Markup:
    rows, columns = entry.get("rows") or [], entry.get("columns") or []
    head = tag("thead", tag("tr", [tag("th", column, scope="col") for column in columns])) if columns else None
    body = tag("tbody", [tag("tr", [cell(_value(value)) for value in row]) for row in rows[:TABLE_ROWS]])
    left = len(rows) - TABLE_ROWS
    title = entry.get("title") or "table"
    return join(
        tag("h3", title),
        tag("div", tag("table", head, body, class_="wide"), class_="box", tabindex=0, role="region", aria_label=title),
        tag("p", f"{left:,} more rows are in the document of --json.", class_="note") if left > 0 else None,
        tag("p", entry["note"], class_="note") if entry.get("note") else None,
    )


def _value(value) -> str:
    text = number(value)
    return "–" if text is None else text


def _data(document: dict) -> Markup:
    """The document for other programs, without pictures: they are in the page. JSON, which no browser runs."""
    text = json.dumps(_without_pictures(document), ensure_ascii=False, separators=(",", ":"))
    # no "</script>" and no "<!--" may come from a name
    return tag("script", raw(text.replace("<", "\\u003c")), type="application/json", id="document")


def _without_pictures(value):
    if isinstance(value, dict):
        return {key: _without_pictures(item) for key, item in value.items() if key != "png"}
    if isinstance(value, list | tuple):
        return [_without_pictures(item) for item in value]
    return value


def _pictures(document: dict) -> list[dict]:
    layers = document.get("layers") or []
    return [*(document.get("pictures") or []), *(entry for layer in layers for entry in layer.get("pictures") or [])]


def _size(page: str) -> int:
    return len(page.encode("utf-8", "replace"))
