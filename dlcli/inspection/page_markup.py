"""HTML from functions: every text is escaped unless it was made by `tag`."""

import re
from html import escape

# characters; numbers with their interval are shorter
LONG = 40

VOID = {"br", "img", "input", "link", "meta", "wbr"}


class Markup(str):
    """Text that is HTML already, and so is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children, **attributes) -> Markup:
    """<name attributes>children</name>. `class_` gives class, `aria_label` gives aria-label; None and False
    leave an attribute or a child out, True gives it without a value."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children) -> Markup:
    """Children one after another; lists are opened, plain text is escaped."""
    return Markup("".join(_child(child) for child in children))


def raw(text: str) -> Markup:
    """Text of this package – a style sheet, a drawing – that is HTML as it stands. Never text from a user."""
    return Markup(text)


def name_of(text) -> Markup:
    """A name from outside: it may break after _ / and :, and its writing direction stays within it."""
    parts = [part for part in re.split(r"(?<=[_/:])", str(text)) if part]
    return tag("bdi", [join(part, tag("wbr") if i < len(parts) - 1 else None) for i, part in enumerate(parts)])


def cell(text) -> Markup:
    """A cell of a table. Short text stays on one line, long text is broken."""
    written = str(text)
    return tag("td", written, class_="long" if len(written) > LONG else None)


def _child(child) -> str:
    if child is None or child is False:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, list | tuple):
        return join(*child)
    return escape(str(child), quote=True)


def _attribute(key: str, value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{escape(str(value), quote=True)}"'
