"""Tables that lie, break off or are far too large, given to the command as a user would."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dlcli import columns as prepared
from dlcli import prediction, splits
from dlcli.config import RunConfig
from dlcli.errors import DataError
from dlcli.formats import _encoding, _parquet, _room, table
from dlcli.inputs import read as ask
from tests.opening import opened

# Resident memory of a whole command until Keras starts, on files that are refused.
BOUND = 1 << 28


def rows(count, line) -> str:
    return "".join(line(i) + "\n" for i in range(count))


GOOD = "x,y,label\n" + rows(60, lambda i: f"{i}.5,{i % 7},{'ab'[i % 2]}")

REFUSED = {
    "all rows one field longer": (
        "x,y,label\n" + rows(60, lambda i: f"r{i},{i}.5,{i % 7},{'ab'[i % 2]}"),
        "line 2: 4 fields where the first line has 3; so have 59 more",
    ),
    "one row short": (GOOD + "1,2\n", "line 62: 2 fields where the first line has 3"),
    "one row long": (GOOD + "1,2,a,b\n", "line 62: 4 fields"),
    "NUL": (GOOD + "1,2,a\0b\n", "NUL byte at offset 545, line 62"),
    "two encodings": (
        GOOD.replace("a\n", "ä\n").encode() + b"1,2,\xe4\n",
        "mixes encodings: 30 characters are UTF-8 and 1 are not, the first a byte 0xe4 at offset 574, line 62",
    ),
    "decimal comma between commas": (
        "x,label\n" + rows(60, lambda i: f"{i},5,{'ab'[i % 2]}"),
        "a decimal comma needs another delimiter",
    ),
    "a delimiter nobody tries": (GOOD.replace(",", "^"), "data.delimiter='^'"),
    "names twice": ("x,x,label\n" + GOOD[10:], "columns of the same name: x"),
    "a name of a million characters": ("x," + "h" * 1_000_000 + ",label\n" + GOOD[10:], "1,000,000 characters"),
    "a quote open from the first line": ('x,y,"label\n' + GOOD * 5, "line 1: a quote that is never closed"),
    "one class": (GOOD.replace(",b\n", ",a\n"), "have the same label: a"),
    "one row": ("x,y,label\n1.5,2,a\n", "no column to learn from"),
    "equal rows": ("x,y,label\n" + "1.5,2,a\n1.5,2,b\n" * 30, "x (the same value in every row)"),
    "labels missing": ("x,label\n" + rows(60, lambda i: f"{i}.5,{['', 'a', 'b'][i % 3]}"), "rows 1, 4, 7 and 17 more"),
    "a header alone": ("x,y,label\n", "a header line and no rows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_used_is_refused_with_its_place(tmp_path, case):
    content, said = REFUSED[case]
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        up_to_training(path)
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.code == 3


def up_to_training(path):
    data, _ = splits.split(table.open(path, target="label"))
    splits.check_labels(data)


def written(path, blocks) -> None:
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)


HUGE = {
    "a million columns": (
        lambda: [",".join(f"c{i}" for i in range(10**6)).encode(), *[b"\n" + b"1," * (10**6 - 1) + b"2"] * 3],
        "1,000,000 columns",
    ),
    "a field of 40 MB": (lambda: [b'x,label\n1,"', *[b"y" * (1 << 20)] * 40, b'"\n2,b\n'], "line 2 has more than"),
    "a line of 40 MB": (lambda: [b"x,label\n1,a\n", *[b"y" * (1 << 20)] * 40, b"\n2,b\n"], "line 3 has more than"),
    "a quote open over 40 MB": (
        lambda: [b'x,"label\n', *[b"1.5,a\n" * 174_763] * 40],
        "line 1: a quote that is never",
    ),
}


@pytest.mark.parametrize("case", HUGE)
def test_what_is_too_large_to_be_a_table_is_refused_in_little_memory(tmp_path, case):
    blocks, said = HUGE[case]
    written(tmp_path / "a.csv", blocks())
    answer = opened("train", "a.csv", "--target", "label", cwd=tmp_path)
    assert answer.code == 3
    assert said in answer.said
    assert "Traceback" not in answer.said
    assert answer.peak < BOUND


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "end"), [(b'x,label\n1,"', b'"\n2,b\n'), (b"x,label\n1,a\n", b"\n2,b\n"), (b'x,"label\n', b"\n")]
)
def test_a_field_a_line_and_an_open_quote_of_a_gigabyte(tmp_path, start, end):
    """Each refused in the same memory as a small file, in seconds (10 on an idle machine)."""
    filling = b"y" * (1 << 20) if end != b"\n" else b"1.5,a\n" * 174_763
    written(tmp_path / "a.csv", [start, *[filling] * 1024, end])
    answer = opened("train", "a.csv", "--target", "label", cwd=tmp_path, timeout=60)
    (tmp_path / "a.csv").unlink()
    assert answer.code == 3
    assert answer.peak < BOUND


@pytest.mark.slow
def test_a_table_larger_than_memory_is_refused_with_both_numbers(tmp_path):
    """A limit of 2 GB of address space; 40 MB are read, and 3 GB are not begun."""
    head = "x,y,label\n" + rows(10_000, lambda i: f"{i}.5,{i % 7},{'ab'[i % 2]}")
    with (tmp_path / "a.csv").open("wb") as file:
        for _ in range(200):
            file.write(head.encode())
    answer = opened("train", "a.csv", "--target", "label", cwd=tmp_path, limit=2 << 30)
    assert answer.code == 0, answer.said
    with (tmp_path / "a.csv").open("ab") as file:
        for _ in range(20):
            file.write(head.encode() * 1000)
    answer = opened("train", "a.csv", "--target", "label", cwd=tmp_path, limit=2 << 30)
    assert answer.code == 3
    assert "as a table would take about" in answer.said
    assert "GB are free" in answer.said


def test_free_memory_is_what_the_tightest_limit_leaves(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("5000000")
    (tmp_path / "current").write_text("2000000")
    monkeypatch.setattr(_room, "_LIMITS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    assert _room.free() == 3_000_000
    (tmp_path / "max").write_text("max")
    assert _room.free() > 3_000_000
    monkeypatch.setattr(_room, "free", lambda: 1000)
    _room.check(800, "it")
    with pytest.raises(DataError, match="it would take about"):
        _room.check(801, "it")
    (tmp_path / "a.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"as a table would take about .* GB of memory, and .* GB are free"):
        table.open(tmp_path / "a.csv", target="label")


LABELS = [
    "NA",
    "None",
    "null",
    "nan",
    "00501",
    "1e5",
    "True",
    "2020-01-01",
    'a "quoted", one',
    "two\nlines",
    "tab\there",
    "🙂",
]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_classes_and_counts_are_those_of_an_independent_reader(tmp_path, suffix):
    """Nothing is renamed, merged or lost: the csv and json modules count beside. Between tabs, quote
    marks are text, so a cell with line ends cannot be written there."""
    written = [label for label in LABELS if suffix != "tsv" or (label.isprintable() and '"' not in label)]
    labels = [written[i % len(written)] for i in range(240)]
    path = tmp_path / f"a.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps({"x": i / 7, "label": label}) + "\n" for i, label in enumerate(labels)))
        truth = Counter(json.loads(line)["label"] for line in path.read_text().splitlines())
    else:
        mark = "," if suffix == "csv" else "\t"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=mark)
            writer.writerows([["x", "label"], *([i / 7, label] for i, label in enumerate(labels))])
        with path.open(newline="", encoding="utf-8") as file:
            truth = Counter(row["label"] for row in csv.DictReader(file, delimiter=mark))
    found = table.open(path, target="label", kind="table").splits["all"].y
    assert Counter(found.tolist()) == truth
    assert len(truth) == len(written)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("utf-8 with a mark", b"\xef\xbb\xbf" + GOOD.encode()),
        ("utf-16", GOOD.encode("utf-16")),
        ("utf-32", GOOD.encode("utf-32")),
        ("carriage returns", GOOD.replace("\n", "\r").encode()),
        ("both", GOOD.replace("\n", "\r\n").encode()),
    ],
)
def test_every_way_to_write_the_same_table_gives_the_same_table(tmp_path, name, content):
    (tmp_path / "a.csv").write_bytes(content)
    (tmp_path / "b.csv").write_text(GOOD)
    found, plain = (table.open(tmp_path / file, target="label").splits["all"] for file in ("a.csv", "b.csv"))
    assert found.x.equals(plain.x)
    assert found.y.tolist() == plain.y.tolist()


@pytest.mark.parametrize("size", [1, 7, 8, 64])
def test_the_place_of_a_wrong_byte_does_not_depend_on_how_the_file_is_read(tmp_path, monkeypatch, size):
    monkeypatch.setattr(_encoding, "BLOCK", size)
    text = "ä€🙂\n" * 9
    (tmp_path / "a.csv").write_bytes(text.encode() + b"x\xffy\n" + text.encode())
    with pytest.raises(
        DataError, match=rf"mixes encodings: 54 .* and 1 are not.*0xff at offset {len(text.encode()) + 1}, line 10"
    ):
        _encoding.find(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(text.encode() + "€".encode()[:2])
    with pytest.raises(DataError, match=f"is not utf-8: it does not fit at offset {len(text.encode())}, line 10"):
        _encoding.find(tmp_path / "a.csv", "utf-8")


def test_a_text_that_begins_like_an_archive_is_read(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD.replace("x,y", "PK,BZ"))
    assert len(table.open(tmp_path / "a.csv", target="label").splits["all"]) == 60


def test_infinite_and_overflowing_numbers_are_missing_and_told(tmp_path):
    values = ["inf", "1e999", "NaN", "-inf"]
    text = "x,y,z,label\n" + rows(60, lambda i: f"{values[i % 5] if i % 5 < 4 else i},NaN,1,{'ab'[i % 2]}")
    (tmp_path / "a.csv").write_text(text)
    data = table.open(tmp_path / "a.csv", target="label")
    assert data.about["columns"] == {"x": "numeric"}
    assert any("36 of 48 values of column 'x' are no finite numbers" in warning for warning in data.warnings)
    assert any("y (no value in any row); z (the same value" in warning for warning in data.warnings)
    arrays = prepared.encode(
        data.splits["all"].x,
        prepared.learn(data.splits["all"].x, {"x": "numeric"}, numeric="quantile", bins=0, words=0),
    )
    assert np.isfinite(arrays["numeric"]).all()
    assert arrays["marks"].sum() == 48


def test_rows_of_another_width_are_left_out_where_that_is_allowed(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD + "1,2\n" + GOOD[10:] + "1,2,a,b\n")
    data = table.open(tmp_path / "a.csv", target="label", unreadable=0.02)
    assert len(data.splits["all"]) == 120
    assert "2 lines of a.csv do not have 3 fields and are left out: 62 (2 fields), 123 (4 fields)" in data.warnings
    with pytest.raises(DataError, match="line 62"):
        table.open(tmp_path / "a.csv", target="label", unreadable=0.01)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"x": 1, "label": "a"},', "line 3: Extra data"),
        ('{"x": ' + "[" * 100 + "]" * 100 + ', "label": "a"}', "line 3: x is nested"),
        ('{"x": ' + "[" * 100_000 + "]" * 100_000 + ', "label": "a"}', "line 3: maximum recursion"),
        ('{"x": ' + "9" * 5000 + ', "label": "a"}', "line 3: Exceeds the limit"),
        ('{"x": 1, "label": "\\ud800"}', "line 3: half of a surrogate pair"),
        ('{"x": 1, "x": 2, "label": "a"}', "line 3: a key stands twice"),
        ('{"x": 1, "label": null}', "rows 3"),
    ],
)
def test_json_lines_are_refused_with_their_line(tmp_path, line, said):
    good = '{"x": %d.5, "label": "%s"}'
    before, after = good % (1, "a") + "\n" + good % (2, "b"), "\n".join(good % (i, "ab"[i % 2]) for i in range(3, 40))
    (tmp_path / "a.jsonl").write_text(f"{before}\n{line}\n{after}\n")
    with pytest.raises(DataError, match=said):
        table.open(tmp_path / "a.jsonl", target="label")


def test_numbers_that_json_does_not_have_count_as_missing(tmp_path):
    values = ["NaN", "Infinity", "1.5", "2"]
    text = "".join(f'{{"x": {values[i % 4]}, "label": "{"ab"[i // 4 % 2]}"}}\n' for i in range(40))
    (tmp_path / "a.jsonl").write_text(text)
    data = table.open(tmp_path / "a.jsonl", target="label")
    assert data.about["columns"] == {"x": "numeric"}
    assert any("Infinity" in warning or "inf" in warning for warning in data.warnings)


def parquet(frame, **options) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file, **options)
    return file.getvalue()


def test_parquet_files_that_cannot_be_used_are_refused(tmp_path):
    good = parquet(pl.DataFrame({"x": [i * 1.5 for i in range(60)], "label": ["ab"[i % 2] for i in range(60)]}))
    nested = parquet(pl.DataFrame({"x": [[1, 2], [3]], "s": [{"a": 1}, {"a": 2}], "label": ["a", "b"]}))
    cases = {
        good[:-8]: "must end with PAR1",
        b"PAR1" + b"x" * 1000 + b"PAR1": "no Parquet file",
        b"": "no Parquet file",
        good[:20] + bytes(200) + good[220:]: "no Parquet file",
        nested: "nested or binary columns: x, s",
    }
    for data, said in cases.items():
        (tmp_path / "a.parquet").write_bytes(data)
        with pytest.raises(DataError, match=said):
            table.open(tmp_path / "a.parquet", target="label")


def test_parquet_of_decimals_and_categories_is_read(tmp_path):
    frame = pl.DataFrame(
        {
            "x": [f"{i}.25" for i in range(40)],
            "c": [["red", "blue"][i % 2] for i in range(40)],
            "label": ["a", "b", "b", "a"] * 10,
        }
    )
    frame = frame.with_columns(pl.col("x").cast(pl.Decimal(10, 2)), pl.col("c").cast(pl.Categorical))
    (tmp_path / "a.parquet").write_bytes(parquet(frame))
    data = table.open(tmp_path / "a.parquet", target="label")
    assert data.about["columns"] == {"x": "numeric", "c": "category"}
    assert data.splits["all"].x["x"][3] == "3.25"


@pytest.mark.slow
def test_a_parquet_bomb_is_refused(tmp_path):
    """60 million equal rows in less than 3 MB."""
    frame = pl.DataFrame({"x": pl.repeat(1.5, 60_000_000, eager=True), "label": pl.repeat("a", 60_000_000, eager=True)})
    (tmp_path / "a.parquet").write_bytes(parquet(frame, row_group_size=60_000_000))
    del frame
    assert (tmp_path / "a.parquet").stat().st_size < 3_000_000
    answer = opened("train", "a.parquet", "--target", "label", cwd=tmp_path, limit=3 << 30)
    assert answer.code == 3
    assert "GB" in answer.said
    assert "Traceback" not in answer.said
    assert answer.peak < BOUND


# ---- prediction ------------------------------------------------------------------------------


def asked(path, columns):
    """What a run that learned these columns makes of a table without answers."""
    config = RunConfig(data=str(path), format="table", set={"data": {"target": "label"}})
    examples = ask({"kind": "table", "format": "table"}, config, [str(path)])
    return prepared.encode(examples.x, columns)


def test_columns_are_found_by_name_at_prediction(tmp_path):
    """In any order; others are not looked at, and a missing one is named."""
    frame = pl.DataFrame({"x": [str(i / 2) for i in range(40)], "c": [["red", "blue"][i % 2] for i in range(40)]})
    learned = prepared.learn(frame, {"x": "numeric", "c": "category"}, numeric="standard", bins=0, words=0)
    expected = prepared.encode(frame, learned)
    frame.select("c", pl.lit("new").alias("more"), "x").write_csv(tmp_path / "other.csv")
    found = asked(tmp_path / "other.csv", learned)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    frame.with_columns(c=pl.lit("green")).write_csv(tmp_path / "unseen.csv")
    assert set(asked(tmp_path / "unseen.csv", learned)["categories"].ravel()) == {0}  # the number of "other"
    frame.select("x").write_csv(tmp_path / "short.csv")
    with pytest.raises(DataError, match="columns that the model was trained on are missing: c"):
        asked(tmp_path / "short.csv", learned)


def test_written_cells_are_no_formulas_and_can_be_taken_back(tmp_path):
    texts = [
        "=cmd()",
        "+cmd",
        "-cmd",
        "@cmd",
        "\tcmd",
        "\rcmd",
        "\n=cmd",
        "'quoted",
        "plain",
        "-1",
        "+2.5e3",
        "a=b",
        "",
    ]
    prediction._write(tmp_path / "p.csv", [{"name": text, "=head": text, "p": -0.5} for text in texts])
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    assert head == ["name", "'=head", "p"]
    cells = [line[0] for line in lines]
    assert not any(cell[:1] in "=@\t\r\n" for cell in cells if cell)
    assert not any(
        cell[:1] in "+-" and not cell[1:].replace(".", "").replace("e", "").isdigit() for cell in cells if cell
    )
    assert [cell.removeprefix("'") for cell in cells] == texts
    assert {line[2] for line in lines} == {"-0.5"}


def test_a_parquet_file_that_ends_the_process_that_reads_it_is_refused():
    """Found by a search: polars aborts, and the process that is lost is not ours."""
    file = Path(__file__).parent / "fuzz" / "corpus" / "parquet" / "ends-the-process"
    with pytest.raises(DataError, match="no Parquet file that can be read"):
        _parquet.read(file)
