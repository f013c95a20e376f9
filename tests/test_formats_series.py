"""Many series in one table: the columns that name them."""

import numpy as np
import pytest

from dlcli import plan, registry
from dlcli.config import RunConfig
from dlcli.errors import DataError
from dlcli.formats import table, text_file

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


@pytest.mark.parametrize(
    "lines",
    [
        ["Date;Time;power", *(f"{16 + i // 24}/12/2006;{i % 24:02d}:00:00;{i % 7}.25" for i in range(90))],
        ['"";"MT_001"', *(f'"{hour}:00";{i},50'.replace("T", " ") for i, hour in enumerate(HOURS))],
        [f"{i % 7}.5,{i * 5 % 49}.0,{i % 3 / 4}" for i in range(90)],
        [f"   {i * 7 % 31}.25e+01" for i in range(90)],
        ["  ".join(f"{i * 7 % 31}.25" for i in range(90))],
    ],
)
def test_numbers_in_a_text_file_are_a_table(tmp_path, lines):
    path = write(tmp_path / "a.txt", lines)
    assert table.matches(path)
    assert table.matches(tmp_path)
    assert not text_file.matches(path)
    assert not text_file.matches(tmp_path)
    data = table.open(path, kind=None if len(lines[-1].split(",")) < 3 else "series")
    assert (data.kind, len(data.splits["all"])) == ("series", 1)
    assert len(data.splits["all"].x[0].values) in (60, 90)


@pytest.mark.parametrize(
    "lines",
    [
        ["In 1805, 33 ships met, and 22 were lost.", "At 11:45, a signal.", "8 hours later, 4 sank."] * 9,
        ["1\tgood", "0\tbad", "1\tnice"] * 9,
        ["12", "drummers", "drumming"] * 9,
    ],
)
def test_texts_with_numbers_stay_texts(tmp_path, lines):
    assert not table.matches(write(tmp_path / "a.txt", lines))


def test_many_columns_of_numbers_alone_are_asked_about(tmp_path):
    path = write(tmp_path / "a.txt", [f"{i % 70}.5,{i * 5 % 49}.25" for i in range(90)])
    with pytest.raises(DataError, match="which column is to be predicted") as error:
        table.open(path)
    assert "--set data.kind=series" in error.value.hint


@pytest.mark.parametrize("head", ["is_anomaly", "Anomaly", "outlier", "Normal/Attack"])
@pytest.mark.parametrize("values", ["01", ("Normal", "Attack"), ("0.0", "1.0")])
def test_a_column_called_so_says_what_is_an_anomaly(tmp_path, head, values):
    lines = [f"{hour},{i % 7}.5,{values[i // 50]},{i // 51}" for i, hour in enumerate(HOURS)]
    write(tmp_path / "a.csv", [f"timestamp,load,{head},changepoint", *lines])
    config = RunConfig(data=str(tmp_path / "a.csv"))
    data = plan.open_data(plan.locate(config), config)
    assert (data.about["anomaly_column"], data.about["target_columns"]) == (head, ["load"])
    assert data.about["columns"] == ["load", head]
    assert data.splits["all"].x[0].values[:, 1].tolist() == [0] * 50 + [1] * 10
    assert plan.choose(config, plan.locate(config), data).task.name == "anomaly-detection"
    assert plan.choose(RunConfig(data="", task="forecasting"), plan.locate(config), data).task.name == "forecasting"
    task = registry.find("tasks", "anomaly-detection").load().Task.learn(data.splits["all"], data, window=8)
    assert (task.label, task.normal, task.shape) == (1, "normal", [8, 1])


def test_classes_beside_a_time_may_be_anomalies(tmp_path):
    lines = [f"{hour},{i % 7}.5,{i // 50}" for i, hour in enumerate(HOURS)]
    data = table.open(write(tmp_path / "a.csv", ["timestamp,load,label", *lines]))
    with pytest.raises(DataError, match="which of the 2 classes is normal") as error:
        registry.find("tasks", "anomaly-detection").load().Task.learn(data.splits["all"], data)
    assert "--set task.label=label" in error.value.hint


@pytest.mark.parametrize("by_step", [False, True])
@pytest.mark.parametrize(("head", "first"), [("unique_id,ds", 1), ("id,timestep", 0), ("kpi,timestamp", 1476460800)])
def test_steps_that_every_series_counts_anew_are_times(tmp_path, head, first, by_step):
    width = 60 if first > 100 else 1
    lines = [
        (i, name, f"{name},{first + width * i},{(i * 7 + n) % 12}.5") for n, name in enumerate("AB") for i in range(40)
    ]
    lines = [line for *_, line in (sorted(lines) if by_step else lines)]
    data = table.open(write(tmp_path / "a.csv", [f"{head},y", *lines]))
    assert (data.kind, data.about["series_column"], data.about["columns"]) == ("series", head.split(",")[0], ["y"])
    assert {name: len(values) for name, values in spans(data).items()} == {"A": 40, "B": 40}
    assert spans(data)["B"][:3, 0].tolist() == [1.5, 8.5, 3.5]
    assert data.about["frequency"] == ("1 minute" if width > 1 else "row")
