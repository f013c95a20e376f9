"""The page's layers: one row each in a table, and one card each with everything that is known."""

from collections.abc import Callable
from dataclasses import dataclass

from dlcli.inspection.page_levels import view
from dlcli.inspection.page_markup import Markup, cell, join, name_of, tag
from dlcli.inspection.page_wording import amount, bytes_of, count, fraction, interval, is_number, number, shape


@dataclass(frozen=True)
class Fact:
    """Something to say of a layer. cell(layer) gives text, or None where it was not measured."""

    title: str
    meaning: str
    cell: Callable[[dict], str | None]
    in_table: bool = True


def facts(document: dict) -> list[Fact]:
    """All facts of a layer that the page knows, those of the family included, in their order."""
    unit = (document.get("model") or {}).get("unit")
    return [
        Fact("type", "The class of the layer.", lambda layer: layer.get("type")),
        Fact("path", "Where the layer sits in the model.", lambda layer: layer.get("path"), False),
        Fact("output", "Shape of its output for one sample.", lambda layer: shape(layer.get("output_shape"))),
        Fact("parameters", "Numbers that the layer holds.", lambda layer: count(layer.get("parameters"))),
        Fact("trainable", "Those of them that training changes.", lambda layer: count(layer.get("trainable")), False),
        Fact("FLOPs", "Additions and multiplications for one sample.", lambda layer: amount(layer.get("flops"))),
        Fact("memory", "Size of its output for one sample.", lambda layer: bytes_of(layer.get("memory_bytes")), False),
        Fact(
            f"sees ({unit})" if unit else "sees",
            "Receptive field: how much of the input one position of the output can depend on; “all” is everything.",
            _field,
        ),
        Fact("calls", "How often the model uses the layer in one pass.", lambda layer: count(layer.get("calls")), False),
        Fact("new level", "What a linear reader can tell here that it could not tell before.", _label),
        Fact(
            "probe (control)",
            "Accuracy of a linear reader of your labels on samples it has not seen; in brackets the same for labels "
            "drawn by chance. A high control means that the reader memorises.",
            _probe,
        ),
        Fact("selectivity", "How much the units of the layer prefer one class: 0 not at all, 1 one class only.", lambda layer: fraction(_in(layer, "units", "selectivity"))),
        Fact("dead", "Units that never answered, of all units.", _dead),
        Fact("duplicates", "Units that answer like another one.", lambda layer: count(_in(layer, "units", "duplicates")), False),
        Fact("effective rank", "How many directions the answers really use (participation ratio).", lambda layer: number(_in(layer, "geometry", "effective_rank"))),
        Fact("intrinsic dimension", "How many numbers would be enough to describe the answers (TwoNN).", lambda layer: number(_in(layer, "geometry", "intrinsic_dimension"))),
        Fact("CKA input", "How alike the layer and the raw input arrange the samples: 0 to 1.", lambda layer: fraction(_in(layer, "geometry", "cka_input"))),
        Fact("CKA labels", "How alike the layer and your labels arrange the samples: 0 to 1.", lambda layer: fraction(_in(layer, "geometry", "cka_labels"))),
        Fact("NC1", "Spread within classes against spread between them: 0 is fully collapsed.", lambda layer: number(_in(layer, "geometry", "nc1")), False),
        Fact("ms", "Milliseconds of the layer in a pass.", lambda layer: number(layer.get("milliseconds"))),
        *[Fact(title, "", _own(title)) for title in _own_titles(document)],
    ]  # fmt: skip


def layer_table(document: dict) -> Markup | None:
    """A row per layer; columns that nothing was measured for are left out and named below."""
    layers = document.get("layers") or []
    if not layers:
        return None
    known = [fact for fact in facts(document) if fact.in_table]
    shown = [fact for fact in known if any(fact.cell(layer) for layer in layers)]
    missing = [fact.title for fact in known if fact not in shown]
    head = tag("tr", tag("th", "layer", scope="col"), [tag("th", fact.title, scope="col") for fact in shown])
    rows = [_row(i, layer, shown) for i, layer in enumerate(layers, 1)]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="wide")
    meanings = [join(tag("dt", fact.title), tag("dd", fact.meaning)) for fact in shown if fact.meaning]
    return join(
        tag("div", table, class_="box", tabindex=0, role="region", aria_label="Layers"),
        tag(
            "p",
            "–: not measured.",
            (f" Not measured for any layer: {', '.join(missing)}." if missing else None),
            class_="note",
        ),
        tag("details", tag("summary", "What the columns mean"), tag("dl", meanings, class_="meanings")),
    )


def layer_cards(document: dict, picture: Callable[[dict], Markup]) -> Markup | None:
    """One folded card per layer. picture(entry) draws one picture."""
    known = facts(document)
    return join([_card(i, layer, known, picture) for i, layer in enumerate(document.get("layers") or [], 1)]) or None


def _row(position: int, layer: dict, shown: list[Fact]) -> Markup:
    depth = min(int(layer.get("depth") or 0), 6)
    name = tag("a", name_of(layer.get("name", "")), href=f"#layer-{position}", class_=f"depth{depth}")
    return tag("tr", tag("th", name, scope="row"), [cell(fact.cell(layer) or "–") for fact in shown])


def _card(position: int, layer: dict, known: list[Fact], picture: Callable) -> Markup:
    said = [(fact, fact.cell(layer)) for fact in known]
    missing = [fact.title for fact, text in said if not text]
    summary = [tag("b", name_of(layer.get("name", ""))), " ", tag("span", layer.get("type") or "", class_="type")]
    if _label(layer):
        summary += [" ", tag("span", _label(layer), class_="label")]
    return tag(
        "details",
        tag("summary", summary),
        # the target of links is inside: browsers open the card around it
        tag(
            "div",
            tag(
                "dl",
                [tag("div", tag("dt", fact.title), tag("dd", name_of(text))) for fact, text in said if text],
                class_="facts",
            ),
            tag("p", f"Not measured: {', '.join(missing)}.", class_="note") if missing else None,
            _probe_sentence(layer.get("probe")),
            _dead_sentence(layer.get("units")),
            _levels(layer.get("levels")),
            [picture(entry) for entry in layer.get("pictures") or []],
            id=f"layer-{position}",
            class_="inside",
        ),
        class_="card",
    )


def _probe_sentence(probe: dict | None) -> Markup | None:
    if not probe or not is_number(probe.get("accuracy")):
        return None
    parts = [
        f"A linear reader of this layer is right in {interval(probe['accuracy'], probe.get('low'), probe.get('high'))} of "
    ]
    parts.append(
        f"{count(probe.get('n'))} samples it has not seen"
        if is_number(probe.get("n"))
        else "the samples it has not seen"
    )
    for title, key in (("; guessing: ", "chance"), ("; labels drawn by chance: ", "control")):
        if is_number(probe.get(key)):
            parts.append(f"{title}{fraction(probe[key])}")
    return tag("p", "".join(parts), ".")


def _dead_sentence(units: dict | None) -> Markup | None:
    if not units or not units.get("dead") or not is_number(units.get("dead_bound")):
        return None
    return tag("p", f"A unit counted as dead may still answer in up to {100 * units['dead_bound']:.2g}% of samples.")


def _levels(levels: dict | None) -> Markup | None:
    if not levels:
        return None
    titles = [
        "level",
        "trained A",
        "untrained copy",
        "input",
        "control",
        "baseline b",
        "learned D (95% interval)",
        "new here",
    ]
    keys = ("trained", "untrained", "input", "control")
    rows = [
        tag(
            "tr",
            tag("th", level, scope="row"),
            [tag("td", fraction(scores.get(key)) or "–") for key in keys],
            tag("td", fraction(view(scores, "baseline")) or "–"),
            tag("td", interval(scores.get("learned"), scores.get("low"), scores.get("high")) or "–"),
            tag("td", fraction(scores.get("gain")) or "–"),
        )
        for level, scores in levels.items()
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", title, scope="col") for title in titles])),
        tag("tbody", rows),
        class_="wide",
    )
    return tag("div", table, class_="box", tabindex=0, role="region", aria_label="Levels in this layer")


def _in(layer: dict, part: str, key: str):
    return (layer.get(part) or {}).get(key)


def _label(layer: dict) -> str | None:
    if layer.get("label") in (None, "", "–", "-"):
        return "nothing new" if layer.get("levels") else None
    return layer["label"]


def _field(layer: dict) -> str | None:
    if "receptive_field" not in layer:
        return None
    return number(layer["receptive_field"]) or "all"


def _probe(layer: dict) -> str | None:
    accuracy, control = fraction(_in(layer, "probe", "accuracy")), fraction(_in(layer, "probe", "control"))
    return f"{accuracy} ({control})" if accuracy and control else accuracy


def _dead(layer: dict) -> str | None:
    dead, units = _in(layer, "units", "dead"), _in(layer, "units", "count")
    if not is_number(dead):
        return None
    return f"{count(dead)} of {count(units)}" if is_number(units) else count(dead)


def _own_titles(document: dict) -> list[str]:
    """Columns of the family in the order in which layers first name them."""
    return list(dict.fromkeys(title for layer in document.get("layers") or [] for title in layer.get("own") or {}))


def _own(title: str) -> Callable[[dict], str | None]:
    return lambda layer: number(_in(layer, "own", title))
