"""Tables, series in tables, and the archives of time series."""

import gzip
import io
import json

import numpy as np
import polars as pl
import pytest
from conftest import shared
from PIL import Image
from typer.testing import CliRunner

from dlcli import fingerprint, plan
from dlcli.cli import app
from dlcli.config import RunConfig
from dlcli.errors import DataError, DlcliError
from dlcli.formats import _parquet, aeon_ts, labelled_lines, m4, table, text_file, ucr


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows(n, line):
    return "".join(line(i) + "\n" for i in range(n))


def columns(data):
    return data.about["columns"]


# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, mark):
    lines = ["size,town,label", *(f"{i % 7}.5,Ulm{i % 3},{'ab'[i % 2]}" for i in range(30))]
    path = write(tmp_path / "a.csv", "\n".join(lines).replace(",", mark))
    data = table.open(path)
    assert (data.kind, data.about["target"], columns(data)) == (
        "table",
        "label",
        {"size": "numeric", "town": "category"},
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found(tmp_path, encoding):
    path = write(
        tmp_path / "a.csv",
        "größe,label\n" + rows(20, lambda i: f"{i % 5}.5,{'jä' if i % 2 else 'nö'}"),
        encoding,
    )
    data = table.open(path)
    assert set(data.splits["all"].y) == {"jä", "nö"}
    assert columns(data) == {"größe": "numeric"}
    assert bool([w for w in data.warnings if "cp1252" in w]) == (encoding == "cp1252")


def test_text_that_no_encoding_fits_is_refused_with_the_offset(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,\x00\n")
    with pytest.raises(DataError, match="offset 6"):
        table.open(path)
    path.write_bytes(b"a,b\n1,\xff\x01\n")
    with pytest.raises(DataError, match="offset 7"):
        table.open(path)
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(DataError, match="compressed"):
        table.open(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 fields where the first line has 2"),
        ("a,b\n1,2\n1\n", "line 3: 1 fields"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2: 3 fields where the first line has 2; so have 1 more lines"),
        ('a,b\n"x\ny",2\n3\n', "line 4: 1 fields"),
        ("a,a\n1,2\n", "columns of the same name: a"),
        ('a,b\n1,2\n"3,4\n5,6\n', "line 3: a quote that is never closed"),
        ("", "is empty"),
        ("a,b\n", "no rows"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        table.open(write(tmp_path / "a.csv", text), target="b")


def test_spaces_are_stripped_and_quoted_cells_are_whole(tmp_path):
    text = "label, note, x\n" + rows(20, lambda i: f' "a, {i % 2}" , one "two" three, {i}.5 ')
    data = table.open(write(tmp_path / "a.csv", text), target="label")
    assert set(data.splits["all"].y) == {"a, 0", "a, 1"}
    assert data.splits["all"].x["note"][0] == 'one "two" three'


@pytest.mark.parametrize("label", ["NA", "None", "null", "00501", "1e5", "True", "=cmd()", "a,b", 'q"q', "é\t", "🙂"])
def test_labels_keep_their_spelling(tmp_path, label):
    frame = pl.DataFrame({"x": [i + 0.5 for i in range(20)], "label": ["other", label] * 10})
    frame.write_csv(tmp_path / "a.csv")
    assert set(table.open(tmp_path / "a.csv", target="label").splits["all"].y) == {"other", label.strip()}


def test_codes_with_leading_zeros_stay_text(tmp_path):
    path = write(tmp_path / "a.csv", "zip,x,label\n" + rows(20, lambda i: f"00{500 + i % 4},{i}.5,{'ab'[i % 2]}"))
    data = table.open(path)
    assert columns(data)["zip"] == "category"
    assert data.splits["all"].x["zip"][1] == "00501"


def test_decimal_commas_are_numbers(tmp_path):
    data = table.open(write(tmp_path / "a.csv", "x;label\n" + rows(20, lambda i: f"{i},5;{'ab'[i % 2]}")))
    assert columns(data) == {"x": "numeric"}
    assert data.splits["all"].x["x"][3] == "3.5"
    assert any("decimal commas" in warning for warning in data.warnings)


@pytest.mark.parametrize(
    ("mark", "cells", "expected", "style"),
    [
        (",", ["950", "1,234", "12,500"], ["950", "1234", "12500"], "thousands"),
        (",", ["1,234", "12,500"], ["1234", "12500"], "thousands"),
        (",", ["1,234.5", "-1,234,567.25"], ["1234.5", "-1234567.25"], "thousands"),
        (";", ["1,234", "2"], ["1.234", "2"], "decimal"),
        (";", ["1.234,5", "1.234.567,25", "1.500", "7,5"], ["1234.5", "1234567.25", "1500", "7.5"], "decimal"),
        (",", ["1,5", "1,234"], ["1.5", "1.234"], "decimal"),
        (",", ["0,125", "1,234"], ["0.125", "1.234"], "decimal"),
    ],
)
def test_commas_between_thousands_are_no_decimal_commas(tmp_path, mark, cells, expected, style):
    lines = [mark.join([f'"{cells[i % len(cells)]}"', "ab"[i % 2]]) for i in range(24)]
    data = table.open(write(tmp_path / "a.csv", f"x{mark}label\n" + "\n".join(lines) + "\n"))
    assert columns(data) == {"x": "numeric"}
    assert data.splits["all"].x["x"][: len(cells)].to_list() == expected
    assert any(style in warning for warning in data.warnings)


@pytest.mark.parametrize(
    ("cells", "expected", "unit"),
    [
        (["$950", "-$1,234.50", "$ 12,500"], [950, -1234.5, 12500], "$"),
        (["12.5%", "7 %", "-0.25%"], [12.5, 7, -0.25], "%"),
        (["1.234,5 €", "7,5 €"], [1234.5, 7.5], "€"),
    ],
)
def test_numbers_with_a_unit_are_numbers(tmp_path, cells, expected, unit):
    """As what is learned from and as what is predicted; their column's name is no number with one."""
    lines = "".join(f'"{cells[i % len(cells)]}";{i % 7}.5;{"ab"[i % 2]}\n' for i in range(24))
    data = table.open(write(tmp_path / "a.csv", "x;y;label\n" + lines))
    assert columns(data) == {"x": "numeric", "y": "numeric"}
    assert [float(cell) for cell in data.splits["all"].x["x"][: len(cells)]] == expected
    assert any(f"'x' has numbers with {unit}" in warning for warning in data.warnings)
    data = table.open(tmp_path / "a.csv", target="x")
    assert np.asarray(data.splits["all"].y[: len(cells)], float).tolist() == expected


@pytest.mark.parametrize("cells", [["$5", "€5", "$7"], ["A5", "A7", "A9"], ["5%", "half", "7%"], ["$a", "$b"]])
def test_marks_of_several_sorts_and_names_are_no_numbers(tmp_path, cells):
    lines = "".join(f"{cells[i % len(cells)]},{i % 7}.5,{'ab'[i % 2]}\n" for i in range(24))
    data = table.open(write(tmp_path / "a.csv", "x,y,label\n" + lines))
    assert columns(data) == {"x": "category", "y": "numeric"}


def test_empty_columns_and_rows_at_the_end_are_left_out(tmp_path):
    text = "Date;Time;CO;T;;\n" + "".join(
        f"{10 + i // 24}/03/2004;{i % 24:02d}.00.00;{i % 5},5;{i * 7 % 13};;\n" for i in range(96)
    )
    data = table.open(write(tmp_path / "a.csv", text + ";;;;;\n" * 7))
    assert (data.kind, data.about["columns"], data.about["frequency"]) == ("series", ["CO", "T"], "1 hour")
    assert len(data.splits["all"].x[0].values) == 96
    assert any("2 columns of a.csv without a name and a value" in warning for warning in data.warnings)
    assert any("7 rows of a.csv have no value" in warning for warning in data.warnings)


def test_decimal_commas_do_not_hide_the_header(tmp_path):
    text = '"";"A";"B"\n' + "".join(f'"2011-01-01 {i:02d}:00:00";{i},5;0,{i}\n' for i in range(24))
    assert table.open(write(tmp_path / "a.csv", text)).about["columns"] == ["A", "B"]
    bare = "".join(f"{i},5;{i % 7},25;{i % 2}\n" for i in range(24))
    assert len(table.open(write(tmp_path / "b.csv", bare)).splits["all"]) == 24


def test_a_column_called_like_a_pattern_is_that_column_alone(tmp_path):
    """polars' `select` takes * for all columns: found by a search."""
    path = write(tmp_path / "a.csv", "*,x1,x2,label\n" + rows(20, lambda i: f"{i}.5,{i}.25,{-i}.5,{'ab'[i % 2]}"))
    data = table.open(path, target="label")
    assert columns(data) == {"*": "numeric", "x1": "numeric", "x2": "numeric"}
    assert data.splits["all"].x.rows()[3][:3] == ("3.5", "3.25", "-3.5")
    assert list(columns(table.open(path, target="label", drop="*"))) == ["x1", "x2"]
    arguments = ["train", str(path), "--target", "label", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_column_called_like_a_regular_expression_is_refused(tmp_path, suffix):
    frame = pl.DataFrame({"^x.*$": ["1.5"] * 4, "x1": ["2.5"] * 4, "label": ["a", "b"] * 2})
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[suffix](
        tmp_path / f"a.{suffix}"
    )
    with pytest.raises(DataError, match=r"a column called '\^x\.\*\$', which stands for many columns"):
        table.open(tmp_path / f"a.{suffix}", target="label")


def test_parquet_and_json_lines_give_the_same_table(tmp_path):
    frame = pl.DataFrame(
        {"x": [0.5, None, 2.25] * 10, "town": ["Ulm", "Bonn", "Ulm"] * 10, "label": ["a", "b", "b"] * 10}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.write_csv(tmp_path / "a.csv")
    found = [table.open(tmp_path / f"a.{suffix}") for suffix in ("csv", "parquet", "jsonl")]
    for data in found:
        assert columns(data) == {"x": "numeric", "town": "category"}
        assert data.splits["all"].x.equals(found[0].splits["all"].x)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "line 3"),
        ('{"a": [1]}', "line 3: a is nested"),
        ("[1]", "line 3 holds list"),
        ('{"a":1,"a":2}', "twice"),
    ],
)
def test_broken_json_lines_are_named(tmp_path, line, message):
    path = write(tmp_path / "a.jsonl", '{"a": 1}\n{"a": 2}\n' + line + "\n")
    with pytest.raises(DataError, match=message):
        table.open(path)


def test_a_truncated_parquet_file_is_refused(tmp_path):
    pl.DataFrame({"a": range(1000)}).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:500])
    with pytest.raises(DataError, match="Parquet"):
        table.open(tmp_path / "a.parquet")


def test_a_header_is_told_from_data(tmp_path):
    without = write(tmp_path / "a.csv", rows(30, lambda i: f"{i}.5,Ulm{i % 3},{'yes' if i % 2 else 'no'}"))
    data = table.open(without)
    assert columns(data) == {"column1": "numeric", "column2": "category"}
    assert len(data.splits["all"]) == 30
    counted = write(tmp_path / "b.csv", "0,1,2\n" + rows(30, lambda i: f"{i}.5,{i % 4}.25,{i % 2}"))
    assert len(table.open(counted, target="2").splits["all"]) == 30
    forced = table.open(without, header="yes", target="no")
    assert len(forced.splits["all"]) == 29
    words = write(
        tmp_path / "c.csv",
        "colour,mood\n" + rows(30, lambda i: f"{'red' if i % 2 else 'blue'},{'ab'[i % 2]}"),
    )
    assert table.open(words, target="mood").about["columns"] == {"colour": "category"}


# ---- kinds of columns ------------------------------------------------------------------------


def test_kinds_of_columns_are_found(tmp_path):
    head = "PassengerId,age,town,when,note,same,nothing,label\n"
    text = rows(
        40,
        lambda i: (
            f"{i + 1},{'?' if i % 9 == 0 else i * 1.5},{'NA' if i % 5 == 0 else 'Ulm'},2020-01-{i % 28 + 1:02d},"
            f"the {i}th of many notes,x,,{'ab'[i % 2]}"
        ),
    )
    data = table.open(write(tmp_path / "a.csv", head + text), kind="table")
    assert columns(data) == {"age": "numeric", "town": "category", "when": "time", "note": "text"}
    assert set(data.about["unused"]) == {"PassengerId", "same", "nothing"}
    assert any("PassengerId (a different value in every row)" in warning for warning in data.warnings)


def test_a_few_stray_values_in_a_numeric_column_count_as_missing(tmp_path):
    text = "x,label\n" + rows(1000, lambda i: f"{'oops' if i == 7 else 'inf' if i == 8 else i / 4},{'ab'[i % 2]}")
    data = table.open(write(tmp_path / "a.csv", text))
    assert columns(data) == {"x": "numeric"}
    assert any("2 of 1000 values of column 'x'" in warning and "oops" in warning for warning in data.warnings)


# ---- the target ------------------------------------------------------------------------------


def test_an_unknown_target_is_answered_with_the_nearest(tmp_path):
    path = write(tmp_path / "a.csv", "age,answer\n" + rows(20, lambda i: f"{i}.5,{i % 2}"))
    with pytest.raises(DlcliError) as error:
        table.open(path, target="anser")
    assert "did you mean 'answer'" in error.value.hint
    assert "age" in error.value.hint


def test_a_target_that_is_not_clear_is_asked_for(tmp_path):
    path = write(tmp_path / "a.csv", "age,size\n" + rows(20, lambda i: f"{i}.5,{i % 3}.5"))
    with pytest.raises(DataError) as error:
        table.open(path)
    assert "age (numeric), size (numeric)" in error.value.message
    assert "--target" in error.value.hint


def test_numbers_are_told_from_classes(tmp_path):
    path = write(tmp_path / "a.csv", "x,few,many\n" + rows(200, lambda i: f"{i * 0.5},{i % 4},{i * 3}"))
    few, many = table.open(path, target="few"), table.open(path, target="many")
    assert (few.about["target_kind"], many.about["target_kind"]) == ("classes", "numbers")
    assert isinstance(few.splits["all"].y[0], str)
    assert many.splits["all"].y.dtype == np.float64


def test_missing_targets_are_an_error_or_left_out(tmp_path):
    path = write(tmp_path / "a.csv", "x,label\n" + rows(20, lambda i: f"{i}.5,{'' if i in (3, 5) else 'ab'[i % 2]}"))
    with pytest.raises(
        DataError, match=r"2 of 20 values of the target 'label' are missing or no numbers \(rows 4, 6\)"
    ):
        table.open(path)
    data = table.open(path, missing_target="drop")
    assert len(data.splits["all"]) == 18
    assert any("2 of 20 rows have no target" in warning for warning in data.warnings)


def test_a_column_that_tells_the_target_is_reported(tmp_path):
    path = write(tmp_path / "a.csv", "x,spy,label\n" + rows(40, lambda i: f"{i * 0.5},{'uv'[i % 2]},{'ab'[i % 2]}"))
    assert any("'spy' tells the target" in warning for warning in table.open(path).warnings)


def test_labels_that_differ_only_in_case_are_reported(tmp_path):
    path = write(tmp_path / "a.csv", "x,label\n" + rows(20, lambda i: f"{i}.5,{('cat', 'Cat', 'dog')[i % 3]}"))
    assert any("'Cat' and 'cat'" in warning for warning in table.open(path).warnings)


# ---- several files ---------------------------------------------------------------------------


def test_train_and_test_files_are_splits_and_final_dots_are_mended(tmp_path):
    write(tmp_path / "p-train.csv", rows(40, lambda i: f"{i}, a{i % 3}, {'<=50K' if i % 2 else '>50K'}"))
    write(tmp_path / "p-test.csv", rows(10, lambda i: f"{i}, a{i % 3}, {'<=50K' if i % 2 else '>50K'}."))
    for path in (tmp_path, tmp_path / "p-train.csv"):
        data = table.open(path)
        assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 40, "test": 10}
        assert set(data.splits["test"].y) == {"<=50K", ">50K"}
        assert any("without their final dot" in warning for warning in data.warnings)
    assert set(table.open(tmp_path / "p-test.csv").splits) == {"all"}


def test_a_test_file_without_the_target_is_no_split_but_shows_what_the_target_is(tmp_path):
    write(tmp_path / "train.csv", "id,x,won\n" + rows(30, lambda i: f"{i},{i % 7}.5,{i % 2}"))
    write(tmp_path / "test.csv", "id,x\n" + rows(10, lambda i: f"{i},{i % 7}.5"))
    data = table.open(tmp_path)
    assert (data.about["target"], set(data.splits)) == ("won", {"all"})
    assert any("test file has no column 'won'" in warning for warning in data.warnings)
    later = table.open(tmp_path / "test.csv", target="won", unlabelled=True, kind="table")
    assert later.splits["all"].y is None
    assert len(later.splits["all"]) == 10


def test_a_folder_of_unrelated_tables_is_not_taken(tmp_path):
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "b.csv", "a,b\n1,2\n")
    assert not table.matches(tmp_path)
    assert not table.matches(tmp_path / "absent.csv")


# ---- texts and images ------------------------------------------------------------------------


def test_a_label_and_a_text_per_line_are_texts(tmp_path):
    starts = ['"quoted" start' if i == 4 else "Go until" for i in range(60)]
    text = rows(60, lambda i: f"{'ham' if i % 3 else 'spam'}\t{starts[i]} jurong point number {i}")
    data = table.open(write(tmp_path / "sms.tsv", text))
    assert (data.kind, len(data.splits["all"])) == ("texts", 60)
    assert data.splits["all"].x[4] == '"quoted" start jurong point number 4'
    assert set(data.splits["all"].y) == {"ham", "spam"}


def test_a_review_with_its_date_is_a_text(tmp_path):
    text = "day,review,mood\n" + rows(
        60, lambda i: f"2024-{1 + i % 12:02d}-{1 + i % 28:02d},what number {i} has to say of it,{'ab'[i % 2]}"
    )
    data = table.open(write(tmp_path / "a.csv", text), target="mood")
    assert (data.kind, data.splits["all"].x[3]) == ("texts", "what number 3 has to say of it")
    assert "only texts are read, not day" in data.warnings[0]
    whole = table.open(tmp_path / "a.csv", target="mood", kind="table")
    assert (whole.kind, whole.about["columns"]) == ("table", {"day": "time", "review": "text"})


def test_one_column_of_texts_is_a_corpus(tmp_path):
    path = write(tmp_path / "a.jsonl", rows(30, lambda i: json.dumps({"text": f"story number {i} begins\nhere"})))
    data = table.open(path)
    assert (data.kind, data.splits["all"].y) == ("corpus", None)
    assert data.splits["all"].x[2] == "story number 2 begins\nhere"


def test_paths_of_pictures_are_images(tmp_path):
    (tmp_path / "pictures").mkdir()
    for i in range(6):
        Image.new("RGB", (8, 6), (40 * i, 0, 0)).save(tmp_path / "pictures" / f"{i}.png")
    write(tmp_path / "labels.csv", "file,label\n" + rows(6, lambda i: f"{i}.png,{'ab'[i % 2]}"))
    data = table.open(tmp_path / "labels.csv")
    assert (data.kind, len(data.splits["all"].x), list(data.splits["all"].y[:2])) == ("images", 6, ["a", "b"])
    pictures = data.splits["all"].x.prepare(6, 8, 3)
    assert pictures.read(np.array([2]))[0, 0, 0].tolist() == [80, 0, 0]
    (tmp_path / "pictures" / "3.png").unlink()
    with pytest.raises(DataError, match=r"1 of 6 images in column 'file' could not be read: 3\.png \(No such file"):
        table.open(tmp_path / "labels.csv")


# ---- series ----------------------------------------------------------------------------------


def test_hourly_rows_are_a_series_and_missing_hours_are_gaps(tmp_path):
    hours = [f"2020-01-{1 + i // 24:02d} {i % 24:02d}:00:00" for i in range(96)]
    text = "date,load,temp\n" + "".join(f"{h},{i}.5,{i * 2}\n" for i, h in enumerate(hours) if i not in (10, 11))
    data = table.open(write(tmp_path / "a.csv", text))
    span = data.splits["all"].x[0]
    assert (data.kind, data.about["frequency"], data.about["season"]) == ("series", "1 hour", 24)
    assert span.values.shape == (96, 2)
    assert np.isnan(span.values[10:12]).all()
    assert span.values[12].tolist() == [12.5, 24.0]
    assert span.times[10] == "2020-01-01T10:00:00"
    assert any("2 missing times were inserted" in warning for warning in data.warnings)
    assert table.open(tmp_path / "a.csv", target="temp").about["target_columns"] == ["temp"]


@pytest.mark.parametrize(
    ("times", "frequency", "season"),
    [
        ([f"{1949 + i // 12}-{i % 12 + 1:02d}" for i in range(40)], "1 month", 12),
        ([f"2021/1/{i + 1} 0:00" for i in range(31)], "1 day", 7),
        ([f"{i + 1}.03.2021" for i in range(31)], "1 day", 7),
        ([f"2021-01-01T{i // 2:02d}:{i % 2 * 30:02d}:00Z" for i in range(48)], "30 minute", 48),
        ([f"{1900 + 5 * i}-01-01" for i in range(20)], "row", 7),
        ([str(1_600_000_000 + 300 * i) for i in range(40)], "5 minute", 288),
    ],
)
def test_the_step_and_season_are_found(tmp_path, times, frequency, season):
    text = "date,value\n" + "".join(f"{time},{i % 5}.5\n" for i, time in enumerate(times))
    data = table.open(write(tmp_path / "a.csv", text))
    assert data.kind == "series"
    assert len(data.splits["all"].x[0].values) == len(times)
    if frequency != "row":
        assert (data.about["frequency"], data.about["season"]) == (frequency, season)


def test_working_days_are_no_gaps(tmp_path):
    days = np.arange("2021-01-04", "2021-06-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    data = table.open(
        write(tmp_path / "a.csv", "date,rate\n" + "".join(f"{day},{i}.5\n" for i, day in enumerate(days)))
    )
    assert (data.about["frequency"], len(data.splits["all"].x[0].values)) == ("1 business day", len(days))


def test_an_id_column_makes_many_series(tmp_path):
    text = "shop,date,sales\n" + "".join(
        f"{shop},2021-01-{i + 1:02d},{i + 100 * (shop == 'B')}\n" for shop in "AB" for i in range(30)
    )
    data = table.open(write(tmp_path / "a.csv", text))
    assert [span.name for span in data.splits["all"].x] == ["A", "B"]
    assert data.splits["all"].x[1].values[:2, 0].tolist() == [100, 101]
    assert data.about["series_column"] == "shop"


def test_unsorted_and_doubled_times_are_mended_with_a_warning(tmp_path):
    order = [*range(1, 28), 0, 5]
    text = "date,value\n" + "".join(f"2021-01-{i + 1:02d},{i}.5\n" for i in order)
    data = table.open(write(tmp_path / "a.csv", text))
    assert data.splits["all"].x[0].values[:, 0].tolist() == [i + 0.5 for i in range(28)]
    assert any("sorted by time" in warning for warning in data.warnings)
    assert any("1 rows have a time that stood before" in warning for warning in data.warnings)


def test_dates_beside_a_class_are_a_table(tmp_path):
    text = "date,size,label\n" + rows(28, lambda i: f"2021-01-{i + 1:02d},{i}.5,{'ab'[i % 2]}")
    data = table.open(write(tmp_path / "a.csv", text))
    assert (data.kind, columns(data)) == ("table", {"date": "time", "size": "numeric"})


def test_a_later_file_has_the_earlier_as_history(tmp_path):
    write(tmp_path / "train.csv", "date,v\n" + rows(20, lambda i: f"2021-01-{i + 1:02d},{i}.5"))
    write(tmp_path / "test.csv", "date,v\n" + rows(5, lambda i: f"2021-01-{i + 21:02d},{i + 20}.5"))
    data = table.open(tmp_path)
    span = data.splits["test"].x[0]
    assert (span.start, span.stop, span.values[20, 0]) == (20, 25, 20.5)


@pytest.mark.parametrize("options", [{}, {"target": "sum"}, {"target": "sum", "kind": "table"}])
def test_a_later_file_without_what_is_forecast_is_no_split(tmp_path, options):
    """As competitions have it: the test file lacks the target, and the two columns that add up to it."""
    lines = "date,temp,note,one,two,sum\n" + rows(
        28, lambda i: f"2021-01-{i + 1:02d},{i}.5,x,{i % 5},{i * 3 % 7},{i * 5}"
    )
    write(tmp_path / "train.csv", lines)
    write(tmp_path / "test.csv", "date,temp\n" + rows(5, lambda i: f"2021-02-{i + 1:02d},{i + 20}.5"))
    data = table.open(tmp_path, **options)
    assert (data.kind, set(data.splits)) == (options.get("kind", "series"), {"all"})
    assert [
        warning for warning in data.warnings if "test file has no" in warning and "sum" in warning and "two" in warning
    ]


def test_m4_rows_are_ragged_series(tmp_path):
    head = ",".join(f'"V{i}"' for i in range(1, 14)) + "\n"
    write(
        tmp_path / "Hourly-train.csv",
        head + '"H1",' + ",".join("123456789") + ",,,\n" + '"H2",' + ",".join("12345") + "," * 8 + "\n",
    )
    write(
        tmp_path / "Hourly-test.csv",
        head + '"H1",' + ",".join("12") + "," * 11 + "\n" + '"H2",' + ",".join("34") + "," * 11 + "\n",
    )
    path = tmp_path / "Hourly-train.csv"
    assert m4.matches(path)
    assert not table.matches(path)
    data = m4.open(path)
    assert [len(span.values) for span in data.splits["train"].x] == [9, 5]
    span = data.splits["test"].x[1]
    assert (span.start, span.stop, span.values[5:, 0].tolist()) == (5, 7, [3, 4])
    assert (data.about["season"], data.about["horizon"]) == (24, 2)


# ---- archives --------------------------------------------------------------------------------


def test_ucr_files_give_sequences_without_their_padding(tmp_path):
    write(tmp_path / "Toy_TRAIN.tsv", "-1\t1\t2\tNaN\n2\t4\t5\t6\n")
    write(tmp_path / "Toy_TEST.tsv", "2.0\t7\tNaN\t9\n")
    for path in (tmp_path, tmp_path / "Toy_TRAIN.tsv"):
        assert ucr.matches(path)
        assert not table.matches(path)
        data = ucr.open(path)
        assert data.kind == "sequences"
        assert [x.shape for x in data.splits["train"].x] == [(2, 1), (3, 1)]
        assert data.splits["train"].y.tolist() == ["-1", "2"]
        assert data.splits["test"].y.tolist() == ["2"]
        assert any("gaps" in warning for warning in data.warnings)


@pytest.mark.parametrize(("suffix", "mark"), [(".txt", "  "), (".csv", ","), ("", ","), (".tsv", "\t")])
def test_releases_of_the_ucr_archive_differ_in_their_marks(tmp_path, suffix, mark):
    for part in ("TRAIN", "TEST"):
        lines = [mark.join(f"{v:.7e}" for v in (1 + i % 2, *range(30))) for i in range(12)]
        write(tmp_path / f"Toy_{part}{suffix}", ("\n  " if suffix == ".txt" else "\n").join(lines))
    path = tmp_path / f"Toy_TRAIN{suffix}"
    assert ucr.matches(path)
    assert not any(other.matches(path) for other in (table, text_file, labelled_lines))
    data = ucr.open(tmp_path)
    assert (set(data.splits["train"].y), data.splits["test"].x[0].shape) == ({"1", "2"}, (30, 1))


def test_aeon_labels_are_numbers_where_they_look_like_them(tmp_path):
    head = "@problemName Toy\n@timeStamps false\n@classLabel true 1 2\n@data\n"
    write(tmp_path / "Toy_TRAIN.ts", head + "1,2:1.0\n1,2:2.0\n")
    write(tmp_path / "Toy_TEST.ts", head + "1,2:1\n")
    write(tmp_path / "Toy_TRAIN.tsv", "1\t2\t3\n2\t2\t3\n")
    assert not ucr.matches(tmp_path)
    assert {part: examples.y.tolist() for part, examples in aeon_ts.open(tmp_path).splits.items()} == {
        "train": ["1", "2"],
        "test": ["1"],
    }


def test_aeon_files_give_channels_and_gaps(tmp_path):
    folder = tmp_path / "Toy"
    folder.mkdir()
    head = "# note\n@problemName Toy\n@timeStamps false\n@univariate false\n@classLabel true left right\n@data\n"
    write(folder / "Toy_TRAIN.ts", head + "1,2,3:4,5,6:left\n1,?:3,4:right\n")
    write(folder / "Toy_TEST.ts", head + "1,2:3,4:left\n")
    write(folder / "Toy_eq_TRAIN.ts", head + "9,9:9,9:left\n")
    assert aeon_ts.matches(folder)
    data = aeon_ts.open(folder)
    assert [x.shape for x in data.splits["train"].x] == [(3, 2), (2, 2)]
    assert data.splits["train"].x[0].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert np.isnan(data.splits["train"].x[1][1, 0])
    assert data.splits["train"].y.tolist() == ["left", "right"]


# ---- public data -----------------------------------------------------------------------------


def test_adult():
    data = table.open(shared("tabular/adult"))
    assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 32561, "test": 16281}
    assert set(data.splits["test"].y) == {"<=50K", ">50K"}
    assert list(columns(data).values()).count("category") == 8
    # 2 399 rows with a missing cell: the number that the data's own documentation counts
    cells = data.splits["train"].x
    assert cells.filter(pl.any_horizontal(pl.all() == "?")).height == 2399


def test_titanic_and_california():
    assert table.open(shared("tabular/titanic")).about["target"] == "Survived"
    data = table.open(shared("tabular/california-housing"), target="median_house_value")
    assert (data.about["target_kind"], len(data.splits["all"])) == ("numbers", 20640)
    with pytest.raises(DataError, match="which column"):
        table.open(shared("tabular/california-housing"))


@pytest.mark.parametrize(
    ("path", "shape", "frequency", "season"),
    [
        ("ett/ETTh1.csv", (17420, 7), "1 hour", 24),
        ("exchange_rate/exchange_rate.csv", (7588, 8), "1 day", 7),
        ("ili", (966, 7), "1 week", 52),
        ("ts-small/pollution.csv", (43824, 7), "1 hour", 24),
        ("ts-small/airline-passengers.csv", (144, 1), "1 month", 12),
        ("ts-small/monthly-sunspots.csv", (2820, 1), "1 month", 12),
        ("nab/realKnownCause/nyc_taxi.csv", (10320, 1), "30 minute", 48),
    ],
)
def test_series_of_the_literature(path, shape, frequency, season):
    data = table.open(shared(path))
    assert data.splits["all"].x[0].values.shape == shape
    assert (data.about["frequency"], data.about["season"]) == (frequency, season)


def test_sms_and_japanese_vowels():
    data = table.open(shared("sms-spam/sms.tsv"))
    assert (data.kind, len(data.splits["all"]), (data.splits["all"].y == "spam").sum()) == (
        "texts",
        5574,
        747,
    )
    data = aeon_ts.open(shared("aeon-mts/JapaneseVowels"))
    lengths = [len(x) for x in data.splits["train"].x]
    assert (len(lengths), min(lengths), max(len(x) for x in data.splits["test"].x)) == (270, 7, 29)


# ---- tables in pieces --------------------------------------------------------------------------


def pieces(folder, names, *, rows=6):
    """Tables of numbers, each with its own; parquet or CSV by the ending."""
    for piece, name in enumerate(names):
        frame = pl.DataFrame({"x": [float(100 * piece + i) for i in range(rows)], "y": ["a", "b"] * (rows // 2)})
        frame.write_parquet(folder / name) if name.endswith(".parquet") else frame.write_csv(folder / name)


@pytest.mark.parametrize("ending", [".parquet", ".csv", "-0123456789abcdef.parquet"])
@pytest.mark.parametrize("named", [False, True])
def test_numbered_pieces_are_one_table(tmp_path, ending, named):
    names = [f"train-{i:05d}-of-00011{ending}" for i in range(11)]
    pieces(tmp_path, [*names, f"test-00000-of-00001{ending}"])
    path = tmp_path / names[0] if named else tmp_path
    assert table.matches(path)
    data = table.open(path, target="y")
    assert data.splits["train"].x["x"].cast(pl.Float64).to_list() == [
        100 * piece + i for piece in range(11) for i in range(6)
    ]
    assert (len(data.splits["train"].y), len(data.splits["test"])) == (66, 6)


def test_a_piece_that_is_missing_or_of_another_table_is_named(tmp_path):
    pieces(tmp_path, [f"train-{i:05d}-of-00003.csv" for i in (0, 2)])
    with pytest.raises(DataError, match="first of 3 pieces; not there: number 1"):
        table.open(tmp_path, target="y")
    (tmp_path / "train-00001-of-00003.csv").write_text("x,z\n1,a\n2,b\n")
    with pytest.raises(DataError, match=r"piece 1 of .* has other columns \(x, z\) than the first \(x, y\)"):
        table.open(tmp_path, target="y")


def test_a_later_piece_that_is_named_alone_is_read_alone(tmp_path):
    pieces(tmp_path, [f"data-{i}-of-2.csv" for i in range(2)])
    data = table.open(tmp_path / "data-1-of-2.csv", target="y")
    assert data.splits["all"].x["x"].cast(pl.Float64).to_list() == [100, 101, 102, 103, 104, 105]


# ---- pictures in tables ------------------------------------------------------------------------


def png(value):
    file = io.BytesIO()
    Image.new("L", (6, 4), value).save(file, "PNG")
    return file.getvalue()


def hub(path, pictures, labels, *, names=None, bare=False, **more):
    """A Parquet file as the data sets of Hugging Face are kept."""
    cells = pictures if bare else [{"bytes": one, "path": None} for one in pictures]
    frame = pl.DataFrame({"image": cells, "label": labels, **more})
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names} if names else {}}
    frame.write_parquet(path, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def values(examples):
    return examples.x.prepare(4, 6, 1).read(np.arange(len(examples)))[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("bare", [False, True])
def test_pictures_that_lie_in_parquet_files(tmp_path, bare):
    """In two pieces for training and one for test, in a folder called data, beside a README."""
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("# pictures")
    for name, first in (("train-00000-of-00002", 0), ("train-00001-of-00002", 20), ("test-00000-of-00001", 40)):
        labels = [i % 2 for i in range(20)]
        hub(
            tmp_path / "data" / f"{name}.parquet",
            [png(first + i) for i in range(20)],
            labels,
            names=["cat", "dog"],
            bare=bare,
        )
    config = RunConfig(data=str(tmp_path))
    entry = plan.locate(config)
    data = plan.open_data(entry, config)
    assert (entry.name, data.kind, data.about["target"]) == ("table", "images", "label")
    assert values(data.splits["train"]) == list(range(40))
    assert values(data.splits["test"]) == list(range(40, 60))
    assert data.splits["train"].y.tolist() == ["cat", "dog"] * 20
    assert data.splits["test"].names[2] == "test-00000-of-00001.parquet row 3"
    assert fingerprint.of(data) == fingerprint.of(plan.open_data(entry, config))


def test_damaged_pictures_in_parquet_files_are_named_and_others_can_be_dropped(tmp_path):
    broken = [png(i) for i in range(40)]
    broken[3], broken[7] = b"sound", None
    hub(tmp_path / "a.parquet", broken, ["a", "b"] * 20, x=[i % 7 + 0.5 for i in range(40)])
    with pytest.raises(DataError) as caught:
        table.open(tmp_path / "a.parquet")
    assert "a.parquet row 4 (not a picture), a.parquet row 8 (empty file)" in caught.value.message
    assert "--set data.drop=image" in caught.value.hint
    assert len(table.open(tmp_path / "a.parquet", unreadable=0.1).splits["all"]) == 38
    assert table.open(tmp_path / "a.parquet", drop="image").kind == "table"


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        (["neg", "pos"], [0, 1, 1], ["neg", "pos", "pos"]),
        (["neg", "pos"], [0, 1, -1], ["neg", "pos", ""]),  # an answer that is kept back
        (["neg", "pos"], [0, 1, 2], ["0", "1", "2"]),  # numbers of something else
        (["neg", 3], [0, 1, 1], ["0", "1", "1"]),
        (None, [0, 1, 1], ["0", "1", "1"]),
    ],
)
def test_names_of_classes_that_parquet_files_note(tmp_path, names, labels, expected):
    hub(tmp_path / "a.parquet", [png(0)] * 3, labels, names=names)
    frame, _ = _parquet.read(tmp_path / "a.parquet")
    assert frame["label"].to_list() == expected


@pytest.mark.parametrize(
    "note", ["", "[", "[]", "{}", '{"info": 3}', '{"info": {"features": {"label": 3}}}', "[" * 100_000]
)
def test_notes_of_parquet_files_may_be_anything(tmp_path, note):
    frame = pl.DataFrame({"label": [0, 1]})
    frame.write_parquet(tmp_path / "a.parquet", metadata={"huggingface": note})
    assert _parquet.read(tmp_path / "a.parquet")[0]["label"].to_list() == ["0", "1"]
