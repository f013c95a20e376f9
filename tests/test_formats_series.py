"""Many series in one table: the columns that name them."""

import numpy as np
import pytest

from dlcli.errors import DataError
from dlcli.formats import table

HOURS = np.datetime64("2016-07-01T00:00") + 60 * np.arange(60)


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def spans(data):
    return {span.name: span.values for span in data.splits["all"].x}


@pytest.mark.parametrize("kind", [None, "series"])
def test_two_columns_may_name_the_series(tmp_path, kind):
    lines = [
        f"{hour},{shop},{item},{(7 * i + shop * item) % 11}"
        for shop in (1, 2)
        for item in (1, 2, 3)
        for i, hour in enumerate(HOURS)
    ]
    data = table.open(write(tmp_path / "a.csv", ["date,store,item,sales", *lines]), kind=kind)
    assert (data.kind, data.about["series_column"], data.about["columns"]) == ("series", "store,item", ["sales"])
    assert list(spans(data)) == ["1/1", "1/2", "1/3", "2/1", "2/2", "2/3"]
    assert spans(data)["2/3"][:3, 0].tolist() == [6, 2, 9]
    assert any("told apart by store, item" in warning for warning in data.warnings)


@pytest.mark.parametrize("options", [{"kind": "series"}, {"series": "room"}])
def test_series_without_a_name_are_refused_instead_of_all_but_one_left_out(tmp_path, options):
    lines = [f"{hour},{i % 2},{(7 * i + 3 * j) % 11}.5" for i, hour in enumerate(HOURS) for j in range(4)]
    path = write(tmp_path / "a.csv", ["date,room,load", *lines])
    with pytest.raises(DataError, match="75% of the rows have a time that stood before") as error:
        table.open(path, **options)
    assert "--set data.series=" in error.value.hint
    assert "--set data.drop=date" in error.value.hint
    assert len(spans(table.open(path, kind="series", drop="date"))["a"]) == 240


def test_the_columns_that_name_the_series_can_be_said(tmp_path):
    lines = [f"{hour},{tag},{place},{i % 7}.5" for tag, place in ("ax", "bx") for i, hour in enumerate(HOURS)]
    path = write(tmp_path / "a.csv", ["date,tag,place,load", *lines])
    assert table.open(path).about["series_column"] == "tag"
    assert list(spans(table.open(path, series="place,tag"))) == ["x/a", "x/b"]
    with pytest.raises(DataError, match="no column 'tags' to tell series apart") as error:
        table.open(path, series="tags")
    assert "did you mean 'tag'?" in error.value.hint


@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("in", "out")])
def test_a_measured_column_does_not_name_the_series(tmp_path, first, second):
    """Whole degrees that never meet at one time tell rows apart as well as the sensor does."""
    lines = [
        f"{hour},{2 * (i % 9) + (name == second)},{i % 5},{name}"
        for i, hour in enumerate(HOURS)
        for name in (first, second)
    ]
    data = table.open(write(tmp_path / "a.csv", ["time,temperature,humidity,sensor", *lines]))
    assert data.about["series_column"] == "sensor"
    assert data.about["columns"] == ["temperature", "humidity"]
    assert list(spans(data)) == [first, second]
