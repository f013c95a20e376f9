"""Moments of tables as people write them: formats, offsets, ends of months, moments that stand twice."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from dlcli.cli import app
from dlcli.formats import m4, table
from dlcli.windows import season_of

QUARTERS = [datetime(2020, 1, 25) + i * timedelta(minutes=15) for i in range(400)]

SMALL = ["--arch", "lstm", "--epochs", "1", "--set", "fit.steps=2", "--set", "arch.units=4", "--set", "arch.depth=1"]


def series(tmp_path, stamps, head="when", **options):
    lines = [f"{head},value", *(f"{stamp},{i % 7}.25" for i, stamp in enumerate(stamps))]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    return table.open(path, **options)


@pytest.mark.parametrize(
    "pattern",
    [
        "%m/%d/%Y %H:%M:%S",
        "%d/%m/%Y %H:%M:%S",
        "%m/%d/%Y %I:%M:%S %p",
        "%d-%m-%Y %H:%M",
        "%d-%b-%Y %H:%M",
        "%Y-%m-%d %H:%M:%S+02:00",
        "%Y-%m-%dT%H:%M:%S-0530",
        "%Y-%m-%d %H:%M:%S UTC",
    ],
)
@pytest.mark.parametrize("head", ["date", "when"])
def test_moments_are_read_as_they_were_written(tmp_path, pattern, head):
    data = series(tmp_path, [moment.strftime(pattern) for moment in QUARTERS], head)
    assert (data.kind, data.about["frequency"], data.about["season"]) == ("series", "15 minute", 96)
    assert data.splits["all"].x[0].times[:2] == ["2020-01-25T00:00:00", "2020-01-25T00:15:00"]


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("pattern", ["%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%d %b %Y", "%Y%m%d"])
def test_days_of_named_months_and_days_without_marks_are_put_in_order(tmp_path, pattern, way):
    """Prices of shares are often listed so, the newest first."""
    days = [datetime(2020, 1, 1) + timedelta(days=i) for i in range(200)]
    lines = ["Date,price", *(f'"{day.strftime(pattern)}",{i}.25' for i, day in enumerate(days))]
    (tmp_path / "a.csv").write_text("\n".join([lines[0], *lines[1:][::way]]) + "\n")
    data = table.open(tmp_path / "a.csv")
    assert (data.kind, data.about["frequency"], data.about["season"]) == ("series", "1 day", 7)
    assert data.splits["all"].x[0].values[:3, 0].tolist() == [0.25, 1.25, 2.25]


def test_times_that_cannot_be_read_are_said_to_be_taken_in_order(tmp_path):
    data = series(tmp_path, [f"week {i} of the war" for i in range(60)], "date")
    assert any("rows are taken in the order of the file" in warning for warning in data.warnings)


@pytest.mark.parametrize("pattern", ["%d/%m/%Y;%H:%M:%S", "%d/%m/%Y;%H.%M.%S", "%Y-%m-%d;%H:%M"])
@pytest.mark.parametrize("head", ["Date;Time", "day;clock"])
def test_a_date_and_a_time_of_day_may_stand_in_two_columns(tmp_path, pattern, head):
    lines = [f"{head};load", *(f"{moment.strftime(pattern)};{i % 7}.25" for i, moment in enumerate(QUARTERS))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    data = table.open(tmp_path / "a.csv")
    assert (data.kind, len(data.splits["all"]), data.about["frequency"]) == ("series", 1, "15 minute")
    assert data.about["time_columns"] == head.split(";")
    assert data.splits["all"].x[0].times[:2] == ["2020-01-25T00:00:00", "2020-01-25T00:15:00"]
    assert len(data.splits["all"].x[0].values) == len(QUARTERS)


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("pattern", ["%m/%d/%Y", "%d/%m/%Y"])
def test_first_days_of_months_are_months_and_not_days_of_january(tmp_path, pattern, way):
    months = [datetime(2000 + i // 12, 1 + i % 12, 1) for i in range(60)]
    about = series(tmp_path, [moment.strftime(pattern) for moment in months[::way]]).about
    assert (about["frequency"], about["season"]) == ("1 month", 12)


@pytest.mark.parametrize(("months", "frequency", "season"), [(1, "1 month", 12), (3, "1 quarter", 4)])
def test_last_days_of_months_have_a_regular_step(tmp_path, months, frequency, season):
    firsts = np.datetime64("2000-01") + np.arange(1, 61) * months
    data = series(tmp_path, firsts.astype("datetime64[D]") - 1)
    assert (data.about["frequency"], data.about["season"]) == (frequency, season)
    assert [time[:10] for time in data.splits["all"].x[0].times[:1]] == [str(firsts.astype("datetime64[D]")[0] - 1)]
    assert not data.warnings


def test_jitter_leaves_the_season_to_the_usual_step(tmp_path):
    rng = np.random.default_rng(0)
    stamps = [moment + timedelta(seconds=int(rng.integers(60))) for moment in QUARTERS]
    data = series(tmp_path, stamps)
    assert data.about["season"] is None
    assert season_of(data.splits["all"].x[0]) == 96


@pytest.mark.parametrize("way", [1, -1])
def test_unix_times_go_either_way(tmp_path, way):
    stamps = [int(1_577_836_800 + 900 * i) for i in range(100)][::way]
    assert series(tmp_path, stamps, "ts").about["frequency"] == "15 minute"


def test_a_moment_that_stands_twice_makes_no_series_of_a_measured_column(tmp_path):
    stamps = [*QUARTERS[:200], QUARTERS[199], *QUARTERS[200:]]
    lines = ["when,first,second", *(f"{stamp},{i % 7}.25,{i * 7 % 50 / 10}" for i, stamp in enumerate(stamps))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    data = table.open(tmp_path / "a.csv")
    assert (len(data.splits["all"]), data.about["series_column"]) == (1, None)
    assert any("a time that stood before" in warning for warning in data.warnings)


@pytest.mark.parametrize(("word", "horizon", "season"), [("Yearly", 6, 1), ("Quarterly", 8, 4)])
def test_short_horizons_of_m4_are_test_files(tmp_path, word, horizon, season):
    for part, length in (("train", 30), ("test", horizon)):
        head = ",".join(f'"V{i + 1}"' for i in range(length + 1))
        lines = [head, *(f'"Y{i}",' + ",".join(str(100 + i + t) for t in range(length)) for i in range(12))]
        (tmp_path / f"{word}-{part}.csv").write_text("\n".join(lines) + "\n")
    data = m4.open(tmp_path / f"{word}-train.csv")
    assert (data.about["horizon"], data.about["season"], set(data.splits)) == (horizon, season, {"train", "test"})


def m4_file(path, length, step=0):
    head = ",".join(f'"V{i + 1}"' for i in range(length + 1))
    lines = [head, *(f'"M{i}",' + ",".join(str(100 + i + step + t) for t in range(length)) for i in range(12))]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_test_file_of_m4_may_lie_in_the_folder_beside(tmp_path):
    path = m4_file(tmp_path / "Train" / "Monthly-train.csv", 60)
    m4_file(tmp_path / "Test" / "Monthly-test.csv", 18, step=60)
    m4_file(tmp_path / "Test" / "Daily-test.csv", 14)
    for given in (path, path.parent):
        span = m4.open(given).splits["test"].x[1]
        assert (span.start, span.stop, span.values[60:63, 0].tolist()) == (60, 78, [161, 162, 163])


@pytest.mark.parametrize(("word", "horizon"), [("Monthly", 18), ("Hourly", 48), ("Weekly", 13)])
def test_m4_without_a_test_file_is_tested_by_its_own_horizon(tmp_path, word, horizon):
    data = m4.open(m4_file(tmp_path / "Train" / f"{word}-train.csv", 60))
    assert (data.about["horizon"], set(data.splits)) == (horizon, {"train", "test"})
    assert len(data.splits["train"].x[0].values) == 60 - horizon
    assert (data.splits["test"].x[0].start, data.splits["test"].x[0].stop) == (60 - horizon, 60)
    assert any(f"the last {horizon} values of each series are the test" in warning for warning in data.warnings)


@pytest.mark.parametrize("head", ["category", "note"])
def test_a_horizon_says_that_a_table_is_a_series(tmp_path, head):
    """A column named like a label, or no times at all: what is asked for can only be done with series."""
    lines = [f"value,{head}", *(f"{i % 12}.5,{'ab'[i * 7 % 5 % 2]}" for i in range(300))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(
        app, ["train", str(tmp_path / "a.csv"), "--horizon", "4", "--out", str(tmp_path / "run"), *SMALL]
    )
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "run" / "report.json").read_text())["task"] == "forecasting"


@pytest.mark.parametrize(
    ("rows", "more", "code", "said"),
    [
        (100, [], 0, ""),  # 24 steps by default: a validation and a test of one forecast
        (75, [], 0, "too short to be validated on"),
        (60, [], 1, "nothing can be tested by the test split: it has 12 rows, and a forecast takes 24"),
        (300, ["--set", "data.parts=0.7,0.05,0.25"], 0, "nothing is validated by the val split"),
    ],
)
def test_short_series_are_trained_on_or_refused_with_a_sentence(tmp_path, rows, more, code, said):
    days = np.datetime64("2020-01-01") + np.arange(rows)
    lines = ["date,value", *(f"{day},{i % 7}.5" for i, day in enumerate(days))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    command = ["train", str(tmp_path / "a.csv"), "--out", str(tmp_path / "run"), *SMALL, *more]
    result = CliRunner().invoke(app, command)
    told = " ".join(f"{result.output} {result.exception}".split())
    assert result.exit_code == code, told
    assert said in told
    if not code:
        result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "run"), "--json"])
        assert result.exit_code == 0, result.output
