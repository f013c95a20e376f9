"""The whole report as one HTML file: no network, no script, light and dark, for people new to deep learning."""

import base64
import hashlib
import json
from collections.abc import Callable
from importlib import resources

from dlcli.inspection.page_cka import similarity
from dlcli.inspection.page_layers import layer_cards, layer_table
from dlcli.inspection.page_levels import level_map
from dlcli.inspection.page_markup import Markup, join, name_of, raw, tag
from dlcli.inspection.page_wording import amount, bytes_of, count, number, shape
from dlcli.rundir import finite

LIMIT = 5_000_000

TABLE_ROWS = 500


def write(document: dict, *, limit: int = LIMIT) -> str:
    """The page of a document, at most `limit` bytes in UTF-8: pictures that do not fit are left out, and said so."""
    document = finite(document)
    data = _data(document)
    bare = _size(_page(document, set(), data))
    if bare > limit:
        data, bare = None, _size(_page(document, set(), None))
    kept = set()
    for entry in _pictures(document):
        size = len(entry.get("png") or "") + len(entry.get("alt") or entry.get("title") or "") * 6 + 100
        if bare + size <= limit:
            kept.add(id(entry))
            bare += size
    # a lone surrogate, as in a path that is not UTF-8, cannot be written to a file
    return _page(document, kept, data).encode("utf-8", "replace").decode("utf-8")


def _page(document: dict, kept: set[int], data: Markup | None) -> str:
    title = f"{(document.get('model') or {}).get('name') or 'model'} – layers"
    style = raw(resources.files("dlcli.inspection").joinpath("page.css").read_text(encoding="utf-8"))
    sections = [part for part in _sections(document, kept) if part[2]]
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
        data,
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en")


def _policy(style: str) -> str:
    """Nothing may be fetched and nothing may run, whatever a name in the document tries; only this style counts."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _sections(document: dict, kept: set[int]) -> list[tuple[str, str, Markup | None]]:
    """(id, heading, content or None) in the order of the page."""

    def picture(entry: dict) -> Markup:
        return _picture(entry, shown=id(entry) in kept)

    pictures = join([picture(entry) for entry in document.get("pictures") or []])
    tables = join([_table(entry) for entry in document.get("tables") or []])
    return [
        ("map", "What each layer knows", level_map(document)),
        ("layers", "Layers", layer_table(document)),
        ("cards", "Layer by layer", layer_cards(document, picture)),
        ("similarity", "How alike the layers are", similarity(document.get("cka"))),
        ("pictures", "Pictures of the whole model", pictures or None),
        ("tables", "Tables", tables or None),
        ("methods", "How this was measured", _methods(document)),
    ]


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
        [_alert(gate) for gate in _gates(document, passed=False)],
        tag("p", tag("a", f"{len(warnings)} warning{'s' * (len(warnings) != 1)}", href="#warnings"))
        if warnings
        else None,
        tag("dl", [tag("div", tag("dt", title), tag("dd", text)) for title, text in stated if text], class_="facts"),
    )


def _alert(gate: dict) -> Markup:
    subject = f" ({gate['subject']})" if gate.get("subject") else ""
    return tag(
        "p",
        tag("strong", f"Check failed: {gate.get('name', '')}{subject}. "),
        gate.get("message") or "",
        class_="alert",
    )


def _gates(document: dict, *, passed: bool) -> list[dict]:
    return [gate for gate in document.get("gates") or [] if bool(gate.get("passed")) is passed]


def _picture(entry: dict, *, shown: bool) -> Markup:
    title, alt = entry.get("title") or "picture", entry.get("alt") or entry.get("title") or "picture"
    if not entry.get("png"):
        drawn = tag("p", "This picture was not made.", class_="note")
    elif not shown:
        drawn = tag("p", "Left out to keep this page small; the document of --json has it.", class_="note")
    else:
        drawn = tag("img", src=f"data:image/png;base64,{entry['png']}", alt=alt)
    caption = tag("figcaption", tag("b", title), f" – {entry['caption']}" if entry.get("caption") else None)
    return tag("figure", drawn, caption)


def _table(entry: dict) -> Markup:
    rows, columns = entry.get("rows") or [], entry.get("columns") or []
    head = tag("thead", tag("tr", [tag("th", column, scope="col") for column in columns])) if columns else None
    body = tag("tbody", [tag("tr", [tag("td", _value(value)) for value in row]) for row in rows[:TABLE_ROWS]])
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


def _methods(document: dict) -> Markup:
    """Everything that is needed to judge the numbers, or to get them again."""
    model, seconds = document.get("model") or {}, document.get("seconds") or {}
    known = [
        ("model", model.get("source")),
        ("data", document.get("data") or "none was given"),
        ("seed", number(document.get("seed"))),
        *[(f"seconds: {key}", number(value)) for key, value in (seconds.items() if isinstance(seconds, dict) else ())],
        *[(key, number(value)) for key, value in (document.get("versions") or {}).items()],
        ("version of the document", number(document.get("schema_version"))),
    ]
    missing = _missing(document)
    return join(
        _warnings(document.get("warnings") or []),
        tag("p", f"Not measured in this run: {', '.join(missing)}.") if missing else None,
        _checks(document),
        _formulas(document.get("methods") or []),
        tag("h3", "Run"),
        tag(
            "dl",
            [tag("div", tag("dt", title), tag("dd", name_of(text))) for title, text in known if text],
            class_="facts",
        ),
        tag(
            "p",
            "A linear reader that can tell something shows that it is there, not that the network uses it.",
            class_="note",
        ),
    )


def _missing(document: dict) -> list[str]:
    layers = document.get("layers") or []

    def somewhere(key: str) -> bool:
        return any(layer.get(key) for layer in layers)

    parts: list[tuple[str, Callable[[], bool]]] = [
        ("levels", lambda: somewhere("levels")),
        ("probe of your labels", lambda: somewhere("probe")),
        ("units", lambda: somewhere("units")),
        ("geometry", lambda: somewhere("geometry")),
        ("similarity of layers", lambda: bool((document.get("cka") or {}).get("layers"))),
    ]
    return [title for title, measured in parts if not measured()]


def _warnings(warnings: list[str]) -> Markup | None:
    if not warnings:
        return None
    return tag(
        "div",
        tag("h3", "Warnings"),
        tag("ul", [tag("li", warning) for warning in warnings]),
        id="warnings",
        class_="alert",
    )


def _checks(document: dict) -> Markup | None:
    """Gates, failed ones first."""
    gates = [*_gates(document, passed=False), *_gates(document, passed=True)]
    if not gates:
        return None
    items = [
        tag("li", tag("b", f"{'passed' if gate.get('passed') else 'FAILED'}: {gate.get('name', '')}"),
            f" ({gate['subject']})" if gate.get("subject") else None, f" – {gate.get('message') or ''}")
        for gate in gates
    ]  # fmt: skip
    return join(tag("h3", "Checks"), tag("ul", items))


def _formulas(methods: list[dict]) -> Markup | None:
    if not methods:
        return None
    items = [
        join(
            tag("dt", method.get("name", "")),
            tag("dd", tag("code", method["formula"])) if method.get("formula") else None,
            tag("dd", method["source"], class_="note") if method.get("source") else None,
        )
        for method in methods
    ]
    return join(tag("h3", "Formulas and sources"), tag("dl", items, class_="meanings"))


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
