"""What is handed to `predict`: few rows, odd cells and answers that are not there are read as training read its own."""

import pytest

from dlcli import inputs
from dlcli.config import RunConfig
from dlcli.errors import DataError

COLUMNS = [{"name": "size", "kind": "numeric"}, {"name": "place", "kind": "category"}]
TABLE = {"kind": "table", "format": "table", "learned": {"columns": COLUMNS}}
NEWS = {"kind": "texts", "format": "table", "learned": {}, "texts": ["title", "body"]}


def read(tmp_path, spec, text, **options):
    (tmp_path / "new.csv").write_text(text)
    config = RunConfig(data="old.csv", set={"data": options})
    return inputs.read(spec, config, [str(tmp_path / "new.csv")]).x


@pytest.mark.parametrize("rows", ["141,9;here\n", "141,9;here\n141,9;here\n", "141,9;here\n?;\n"])
def test_one_row_and_rows_that_are_equal_can_be_predicted(tmp_path, capsys, rows):
    assert read(tmp_path, TABLE, "size;place\n" + rows)["size"][0] == "141.9"
    assert "not used" not in capsys.readouterr().err


def test_a_word_among_numbers_leaves_the_others_numbers_and_is_told(tmp_path, capsys):
    found = read(tmp_path, TABLE, "size;place\n141,9;here\nunknown;there\n1,250;there\n")
    assert found["size"].to_list() == ["141.9", "unknown", "1.250"]
    said = " ".join(capsys.readouterr().err.split())
    assert "1 of 3 values of column 'size' are no numbers" in said
    assert "count as missing: unknown" in said


@pytest.mark.parametrize("answers", [["", "", ""], ["7", "", "x"]])
def test_answers_that_are_missing_or_odd_do_not_matter(tmp_path, answers):
    rows = "".join(f"{i},here,{answer}\n" for i, answer in enumerate(answers))
    assert read(tmp_path, TABLE, "size,place,price\n" + rows, target="price").height == 3


def test_a_text_of_two_columns_is_read_from_both_however_few_the_rows(tmp_path):
    assert read(tmp_path, NEWS, "title,body\nRain,It will rain all day\n") == ["Rain It will rain all day"]
    with pytest.raises(DataError, match="no column 'title'"):
        read(tmp_path, NEWS, "body\nIt will rain all day\n")


def test_the_only_column_of_texts_may_be_called_otherwise(tmp_path):
    one = {**NEWS, "texts": ["text"]}
    assert read(tmp_path, one, "review,stars\nIt will rain all day,5\n") == ["It will rain all day"]
    assert read(tmp_path, one, "link,text\nwww.x.org/an/address/of/some/length,It rains\n") == ["It rains"]
