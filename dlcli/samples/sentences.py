"""Sentences: four animals and a thing; the class is who has the thing in the end.

Every sentence names all four animals once, so no word tells the class. It takes who did what to
whom (word order, passive), the kind of verb (to give, to take) and whether it happened at all.
"""

from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import Draws, is_test, read_back, write_csv, write_factors

SIZE = 5000  # sentences, when no number is given
COLUMNS = 48
PLURALS = {"cat": "cats", "dog": "dogs", "fox": "foxes", "owl": "owls"}
ANIMALS = tuple(PLURALS)
# base form: (participle, the word before the other animal)
VERBS = {
    "give": {"give": "given", "hand": "handed", "sell": "sold", "lend": "lent"},
    "take": {"take": "taken", "buy": "bought", "steal": "stolen", "borrow": "borrowed"},
}
PREPOSITIONS = {"give": "to", "take": "from"}
FORMS = {"give": ("active", "double", "passive", "receiver"), "take": ("active", "passive")}
THINGS = ("ball", "bone", "coin", "apple", "shell", "ring")
COLOURS = ("red", "blue", "green", "white", "")
ADJECTIVES = ("small", "old", "young", "hungry", "clever", "", "", "")
LINKS = ("near", "behind", "that saw", "that followed", "with")
SCENES = ("while {} slept", "before {} came", "when {} looked away", "as {} watched")
NEGATIONS = ("not", "never")

# Factors by level; the class needs the last.
LEVELS = {
    "word": ("verb", "thing", "thing_colour"),
    "word class": ("verb_kind",),
    "phrase": ("subject_number", "attractor", "opening"),
    "sentence": ("form", "negated", "doer", "other"),
    "meaning": ("holder",),
}


def make(n: int, *, seed: int = 0) -> Data:
    """n texts, with the name of the animal that ends up with the thing."""
    from dlcli.formats import table

    return read_back(write, n, seed=seed, open=lambda folder: table.open(folder, target="label"))


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """train.tsv and test.tsv with the columns label and text, and factors.csv."""
    columns = factors(n, seed=seed)
    test = is_test(n, len(ANIMALS))
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", ~test), ("test", test)):
        if rows.any():
            shown = {"label": columns["holder"][rows], "text": columns["text"][rows]}
            write_csv(shown, folder / f"{part}.tsv", separator="\t")
    told = {name: columns[name] for level in LEVELS.values() for name in level}
    write_factors(folder, {"split": np.where(test, "test", "train"), **told}, LEVELS)


def factors(n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """The sentences and what each is made of."""
    draws = Draws(n, seed=seed, columns=COLUMNS)
    holder = np.asarray(ANIMALS)[np.arange(n) % len(ANIMALS)]
    kind = draws.choice(["give", "take"])
    negated = draws.chance(0.5)
    # A gift that happens goes to the other; one that does not stays. With taking it is the reverse.
    doer_holds = (kind == "take") != negated
    others = draws.order(len(ANIMALS) - 1)
    rest = np.array([[a for a in ANIMALS if a != h] for h in holder], dtype=str).reshape(n, -1)
    rest = np.take_along_axis(rest, others, axis=1)
    pick = draws.uniform()
    table = {
        "text": np.empty(n, dtype=object),
        "holder": holder,
        "doer": np.where(doer_holds, holder, rest[:, 0]),
        "other": np.where(doer_holds, rest[:, 0], holder),
        "bystander1": rest[:, 1],
        "bystander2": rest[:, 2],
        "verb_kind": kind,
        "verb": np.array([_at(list(VERBS[k]), p) for k, p in zip(kind, pick, strict=True)], dtype=object),
        "negated": np.where(negated, "yes", "no"),
        "negation": np.where(negated, draws.choice(NEGATIONS), ""),
    }
    pick = draws.uniform()
    table["form"] = np.array([_at(FORMS[k], p) for k, p in zip(kind, pick, strict=True)], dtype=object)
    table["thing"] = draws.choice(THINGS)
    table["thing_colour"] = draws.choice(COLOURS)
    for who in ("doer", "other", "bystander1", "bystander2"):
        table[f"{who}_number"] = draws.choice(["one", "many"])
        table[f"{who}_adjective"] = draws.choice(ADJECTIVES)
    for who in ("bystander1", "bystander2"):
        table[f"{who}_link"] = draws.choice(LINKS)
        table[f"{who}_scene"] = draws.choice(SCENES)
        table[f"{who}_place"] = draws.choice(["phrase", "phrase", "scene"])
    table["opening"] = np.where(
        table["bystander1_place"] == "phrase", "none", draws.choice(["scene first", "scene last"])
    )
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    told = [_told(row) for row in rows]
    table["text"] = np.array([text for text, _, _ in told], dtype=object)
    table["subject_number"] = np.array([number for _, number, _ in told], dtype=object)
    table["attractor"] = np.array([attractor for _, _, attractor in told], dtype=object)
    return table


def _told(row: dict) -> tuple[str, str, str]:
    """The sentence, the number of its subject, and of an animal between subject and verb."""
    doer, other = _animal(row, "doer"), _animal(row, "other")
    scenes = []
    for phrase_of, who in (("doer", "bystander1"), ("other", "bystander2")):
        if row[f"{who}_place"] == "scene":
            scenes.append(row[f"{who}_scene"].format(_animal(row, who)))
        elif phrase_of == "doer":
            doer = f"{doer} {row[f'{who}_link']} {_animal(row, who)}"
        else:
            other = f"{other} {row[f'{who}_link']} {_animal(row, who)}"
    thing = _words("the", row["thing_colour"], row["thing"])
    done = VERBS[row["verb_kind"]][row["verb"]]
    to, negation, form = PREPOSITIONS[row["verb_kind"]], row["negation"], row["form"]

    subject = {"passive": "thing", "receiver": "other"}.get(form, "doer")
    number = row.get(f"{subject}_number", "one")
    beside = {"doer": "bystander1", "other": "bystander2"}.get(subject)
    attractor = row[f"{beside}_number"] if beside and row[f"{beside}_place"] == "phrase" else "none"
    has, was = ("has", "was") if number == "one" else ("have", "were")
    if form == "active":
        words = [doer, has, negation, done, thing, to, other]
    elif form == "double":
        words = [doer, has, negation, done, other, thing]
    elif form == "passive":
        words = [thing, was, negation, done, to, other, "by", doer]
    else:
        words = [other, was, negation, done, thing, "by", doer]
    text = _words(*words)
    if scenes and row["opening"] == "scene first":
        text = _words(scenes.pop(0), ",", text)
    return _words(text, *scenes, "."), number, attractor


def _animal(row: dict, who: str) -> str:
    name = row[who] if row[f"{who}_number"] == "one" else PLURALS[row[who]]
    return _words("the", row[f"{who}_adjective"], name)


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _at(options, share: float):
    return options[int(share * len(options))]
