"""A generator's judge in the document: the discriminator's layers have rows of their own, measured as any network's are."""

from typing import Any

PART = "discriminator"


def add_rows(document: dict[str, Any], judge: dict[str, Any]) -> None:
    """Put the rows of the judge's own document behind the generator's, below a row for the whole of it."""
    path = judge["layers"][0]["path"].partition("/")[0] if judge["layers"] else PART
    outermost = [row for row in judge["layers"] if row["depth"] == 0]
    whole = {
        "name": path,
        "path": path,
        "depth": 0,
        "type": "Functional",
        "output_shape": judge["model"]["output_shape"],
        "parameters": sum(row["parameters"] for row in outermost),
        "trainable": sum(row["trainable"] for row in outermost),
        "flops": judge["model"]["flops"],
        "memory_bytes": outermost[-1]["memory_bytes"] if outermost else None,
        "receptive_field": outermost[-1]["receptive_field"] if outermost else None,
        "calls": 1,
        "measured": False,
    }
    document["layers"] += [whole, *({**row, "depth": row["depth"] + 1, "part": PART} for row in judge["layers"])]


def add_rest(document: dict[str, Any], judge: dict[str, Any]) -> None:
    """Put all else that the judge's own document says where the generator's says it."""
    document["discriminator"] = {key: judge[key] for key in ("hierarchy", "verdict", "cka", "samples", "stimuli")}
    document["stimuli"] += judge["stimuli"]
    document["lost"] += judge["lost"]
    document["seconds"][PART] = judge["seconds"].get("total", 0.0)
    document["pictures"] += [{**entry, "title": f"{PART}: {entry['title']}"} for entry in judge["pictures"]]
    document["tables"] += [{**entry, "title": f"{entry['title']} ({PART})"} for entry in judge["tables"]]
    document["warnings"] += [f"{PART}: {text}" for text in judge["warnings"]]
    # how many examples there are is said of the generator
    document["gates"] += [
        {**gate, "message": f"{PART}: {gate['message']}"} for gate in judge["gates"] if gate["name"] != "samples"
    ]
    known = [method["name"] for method in document["methods"]]
    document["methods"] += [method for method in judge["methods"] if method["name"] not in known]


def levels_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The hierarchy whose levels the rows of layers carry: the model's, or its judge's; None where there is none."""
    for found in (document.get("hierarchy"), (document.get("discriminator") or {}).get("hierarchy")):
        if found and found.get("kind", "levels") == "levels":
            return found
    return None
