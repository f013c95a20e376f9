"""The page's last box: what is needed to judge the numbers, or to get them again."""

from collections.abc import Callable

from dlcli.inspection.page_markup import Markup, join, name_of, tag
from dlcli.inspection.page_wording import number

EMBEDDED = "The document that this page was drawn from is in it as JSON, without pictures: the element “document”."

NOT_EMBEDDED = "The document that this page was drawn from is too large to be in it: see --json."


def methods(document: dict, *, embedded: bool) -> Markup:
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
        tag("p", EMBEDDED if embedded else NOT_EMBEDDED, class_="note"),
        tag(
            "p",
            "A linear reader that can tell something shows that it is there, not that the network uses it.",
            class_="note",
        ),
    )


def gates(document: dict, *, passed: bool) -> list[dict]:
    """The checks of a document that passed, or those that failed."""
    return [gate for gate in document.get("gates") or [] if bool(gate.get("passed")) is passed]


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
    both = [*gates(document, passed=False), *gates(document, passed=True)]
    if not both:
        return None
    items = [
        tag("li", tag("b", f"{'passed' if gate.get('passed') else 'FAILED'}: {gate.get('name', '')}"),
            f" ({gate['subject']})" if gate.get("subject") else None, f" – {gate.get('message') or ''}")
        for gate in both
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
