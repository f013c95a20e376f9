"""The document on a terminal: 80 columns are enough, and no colour is needed to read it."""

from typing import Any

from dlcli import console
from dlcli.inspection import judged
from dlcli.inspection.folding import fold
from dlcli.inspection.page_wording import amount
from dlcli.inspection.tree import Row

_SHOWN = 20  # rows of a table; the document has all
_ROOMY = 7  # levels that a line of 80 columns has wide cells for
_GLYPHS, _PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*#%"


def show(document: dict[str, Any], *, expand: bool = False, plain: bool = False) -> None:
    """Header, table of layers, level strip, other tables, what was lost, verdict and failed gates."""
    console.say(_header(document), style="bold")
    rows = fold([_as_row(layer) for layer in document["layers"]], expand=expand)
    layers = {layer["path"]: layer for layer in document["layers"]}
    _layers(document, rows, layers)
    if found := judged.levels_of(document):
        _strip(found, layers, plain or not _blocks())
    _rest(document)


def levels(document: dict[str, Any]) -> None:
    """The level strip alone, and what it comes to."""
    if found := judged.levels_of(document):
        _strip(found, {layer["path"]: layer for layer in document["layers"]}, not _blocks())
    _rest({**document, "tables": [], "warnings": []})


def _rest(document: dict[str, Any]) -> None:
    for table in document["tables"]:
        rows = [[str(cell) for cell in row] for row in table["rows"]]
        console.table(table["title"], table["columns"], rows[:_SHOWN])
        if len(rows) > _SHOWN:
            console.say(f"… and {len(rows) - _SHOWN} more rows: --json and --html have all")
        if table.get("note"):
            console.say(table["note"])
    for lost in document["lost"]:
        console.say(
            f"lost: {lost['level']} falls from {lost['from']:.2f} in {lost['layer']} to {lost['to']:.2f} in the last layer."
        )
    if document["verdict"]:
        console.say(document["verdict"], style="bold")
    failed: dict[str, list[dict[str, Any]]] = {}
    for gate in document["gates"]:
        if not gate["passed"]:
            failed.setdefault(gate["name"], []).append(gate)
    for name, gates in failed.items():
        more = f" (also: {', '.join(gate['subject'] for gate in gates[1:])})" if len(gates) > 1 else ""
        console.warn(f"check {name} failed: {gates[0]['message']}{more}")
    for warning in document["warnings"]:
        console.note(f"note: {warning}")


def _header(document: dict[str, Any]) -> str:
    model = document["model"]
    parts = [model["name"], model["family"], f"{count(model['parameters'])} parameters"]
    parts.append(f"{count(model['flops'])}FLOP")
    if document["seconds"].get("data") is not None:
        parts.append(f"{document['samples']} examples")
    if document["stimuli"]:
        parts.append(f"{document['stimuli']} stimuli")
    parts.append(f"{document['seconds']['total']:.0f} s")
    return " · ".join(parts)


def count(value: float | None) -> str:
    """1 234 567 as 1.23 M."""
    return amount(value) or "?"


def _as_row(layer: dict[str, Any]) -> Row:
    path, _, call = layer["path"].partition("#")
    return Row(
        name=layer["name"],
        path=path,
        call=int(call or 0),
        depth=layer["depth"],
        type=layer["type"],
        output_shape=tuple(layer["output_shape"]),
        parameters=layer["parameters"],
        trainable=layer["trainable"],
        flops=layer["flops"],
        memory_bytes=layer["memory_bytes"],
        receptive_field=layer["receptive_field"],
        calls=layer["calls"],
        members=(layer["path"],),
    )


def _layers(document: dict[str, Any], rows: list[Row], layers: dict[str, Any]) -> None:
    """One line per row; as many columns as fit, the most telling first."""
    cost = [
        ("out", lambda row, _: "×".join(str(side or "?") for side in row.output_shape[1:])),
        ("params", lambda row, _: count(row.parameters) if row.parameters else ""),
        ("FLOP", lambda row, _: count(row.flops) if row.flops else ""),
        ("RF", lambda row, _: "all" if row.receptive_field is None else str(row.receptive_field)),
        ("probe (control)", lambda _, layer: _probe(layer.get("probe"))),
        *([("type", lambda row, _: row.type)] if document["budget"] == "static" else []),
    ]
    titles = list(dict.fromkeys(title for layer in layers.values() for title in layer.get("own", {})))
    own = [(title, lambda _, layer, title=title: _text(layer.get("own", {}).get(title))) for title in titles]
    measured = [
        ("dead", lambda _, layer: _of(layer, "units", "dead", lambda v: str(v) if v else "·")),
        ("rank", lambda _, layer: _of(layer, "geometry", "effective_rank", lambda v: f"{v:.0f}")),
        ("dim", lambda _, layer: _of(layer, "geometry", "intrinsic_dimension", lambda v: f"{v:.0f}")),
        ("CKA in/labels", lambda _, layer: _cka(layer.get("geometry"))),
        ("selective", lambda _, layer: _of(layer, "units", "selectivity", lambda v: f"{v:.2f}")),
        ("NC1", lambda _, layer: _of(layer, "geometry", "nc1", lambda v: f"{v:.2g}")),
        ("twins", lambda _, layer: _of(layer, "units", "duplicates", lambda v: str(v) if v else "·")),
        ("ms", lambda _, layer: "" if layer.get("milliseconds") is None else f"{layer['milliseconds']:.1f}"),
        ("memory", lambda row, _: "" if row.memory_bytes is None else f"{count(row.memory_bytes)}B"),
    ]
    columns = [*cost, *own, *measured]
    shown = [(row, {**_measured(row, layers), "own": _own(row, layers)}) for row in rows]
    room = max(24, console.results.width // 3)
    names = [
        _cut("  " * row.depth + row.name, room, not _blocks()) + (f" [x{row.folded}]" if row.folded > 1 else "")
        for row, _ in shown
    ]
    cells = [(title, [cell(row, layer) for row, layer in shown]) for title, cell in columns]
    cells = [(title, values) for title, values in cells if any(values)]
    # a column costs its widest cell, two spaces and a line
    left = console.results.width - max(len(name) for name in names) - 4
    kept = []
    for title, values in cells:
        left -= max(len(title), *(len(value) for value in values)) + 3
        if left < 0 and kept:
            break
        kept.append((title, values))
    lines = [[name, *(values[i] for _, values in kept)] for i, name in enumerate(names)]
    console.table("layers", ["layer", *(title for title, _ in kept)], lines)
    if len(kept) < len(cells):
        console.note(
            f"not shown for want of room: {', '.join(t for t, _ in cells[len(kept) :])}; --json and --html have all"
        )


def _measured(row: Row, layers: dict[str, Any]) -> dict[str, Any]:
    """The last measured layer behind a row."""
    return next((layers[key] for key in reversed(row.members) if layers[key]["measured"]), {})


def _own(row: Row, layers: dict[str, Any]) -> dict[str, Any]:
    """The own columns of the last of a row's layers that has any."""
    return next((layers[key]["own"] for key in reversed(row.members) if layers[key].get("own")), {})


def _probe(probe: dict[str, Any] | None) -> str:
    return f"{probe['accuracy']:.2f} ({probe['control']:.2f})" if probe else ""


def _cka(found: dict[str, Any] | None) -> str:
    if not found or found["cka_input"] is None:
        return ""
    return f"{found['cka_input']:.2f}" + (f" {found['cka_labels']:.2f}" if found["cka_labels"] is not None else "")


def _of(layer: dict[str, Any], part: str, name: str, written) -> str:
    value = (layer.get(part) or {}).get(name)
    return "" if value is None or value != value else written(value)


def _text(value) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _strip(hierarchy: dict[str, Any], layers: dict[str, Any], plain: bool) -> None:
    """The levels that each layer makes readable. Lines of its own, since no table fits so much into 80 columns."""
    levels = hierarchy["levels"]
    measured = [layer for layer in layers.values() if layer.get("levels")]
    glyphs = _PLAIN if plain else _GLYPHS
    step = 7 if len(levels) <= _ROOMY else 6
    width = min(max(len(layer["name"]) for layer in measured), max(12, console.results.width - step * len(levels) - 18))
    console.say("")
    console.say("what each layer has learned, 0 to 1, beyond its input and an untrained twin", style="bold")
    console.say(" " * width + "".join(f"{short(level, step - 1):>{step}}" for level in levels) + "  new here")
    for layer in measured:
        cells = "".join(f"{_cell(layer['levels'][level]['learned'], glyphs):>{step}}" for level in levels)
        label = _fitting(layer["label"].replace("–", ""), console.results.width - width - len(cells) - 2, plain)
        console.say(f"{_cut(layer['name'], width, plain):<{width}}{cells}  {label}".rstrip())
    emergence = [hierarchy["emergence"][level] for level in levels]
    comes = "".join(f"{'-' if found is None else format(found['value'], '.1f'):>{step}}" for found in emergence)
    console.say(f"{'comes at layer':<{width}}{comes}")
    console.say("")


def _fitting(label: str, room: int, plain: bool) -> str:
    """A label may be too long for a line: then without its interval, or with the short names of two levels."""
    if plain:
        label = label.replace("±", "+-")
    if len(label) > room and "/" in label:
        label = "/".join(short(level) for level in label.split("/"))
    if len(label) > room:
        label = label.partition("+-" if plain else "±")[0]
    return _cut(label, max(room, 6), plain)


def _cut(name: str, room: int, plain: bool) -> str:
    if len(name) <= room:
        return name
    head = (room - 1) // 2
    return name[:head] + ("~" if plain else "…") + name[-(room - 1 - head) :]


def short(level: str, room: int = 6) -> str:
    """Names of levels that leave room for numbers."""
    return level if len(level) <= room else level[: room - 1] + "."


def _cell(value: float, glyphs: str) -> str:
    if value < 0.005:
        return "·" if glyphs is _GLYPHS else "."
    return f"{glyphs[min(8, 1 + int(value * 8))]} {min(0.99, value):.2f}".replace(" 0.", " .")


def _blocks() -> bool:
    """Whether the terminal's encoding has block characters."""
    try:
        _GLYPHS.encode(console.results.encoding or "ascii")
        return True
    except (UnicodeEncodeError, LookupError):
        return False
