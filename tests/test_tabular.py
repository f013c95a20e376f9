"""Columns as numbers, and the two tasks on them."""

import dataclasses
import json

import keras
import numpy as np
import polars as pl
import pytest
from conftest import shared
from keras import layers

from dlcli import columns, splits
from dlcli.data import Data, Examples
from dlcli.errors import DataError
from dlcli.formats import table
from dlcli.tasks import tabular_classification, tabular_regression

KINDS = {"age": "numeric", "town": "category", "when": "time", "note": "text"}
OPTIONS = {"numeric": "quantile", "bins": 0, "words": 100}


def frame(n=200, seed=0):
    rng = np.random.default_rng(seed)
    age = np.exp(rng.normal(3, 1, n))
    return pl.DataFrame(
        {
            "age": [f"{value:.3f}" if i % 10 else "?" for i, value in enumerate(age)],
            "town": [["Ulm", "Bonn", "Kiel"][i % 3] for i in range(n)],
            "when": [f"2021-{i % 12 + 1:02d}-{i % 28 + 1:02d} {i % 24:02d}:00" for i in range(n)],
            "note": [f"Mr. {'Smith' if i % 2 else 'Jones'} no{i}" for i in range(n)],
            "label": ["yes" if i % 3 == 0 else "no" for i in range(n)],
            "price": [str(2.5 * (i % 3) + 10) for i in range(n)],
        }
    )


def data(target, kind, n=200):
    x = frame(n)
    y = x[target].cast(pl.Float64).to_numpy() if kind == "numbers" else np.array(x[target].to_list())
    about = {"target": target, "target_kind": kind, "columns": KINDS}
    return Data(kind="table", splits={"train": Examples(x=x, y=y)}, about=about)


def model(task, width=None):
    x = layers.Dense(16, activation="relu", name="body")(task.embed(width))
    return task.model(x)


# ---- columns ---------------------------------------------------------------------------------


def test_a_learned_column_survives_json():
    learned = columns.learn(frame(), KINDS, **OPTIONS)
    again = json.loads(json.dumps(learned))
    for name, array in columns.encode(frame(50, seed=1), learned).items():
        np.testing.assert_array_equal(array, columns.encode(frame(50, seed=1), again)[name])


def test_skewed_numbers_become_normal():
    learned = columns.learn(frame(5000), {"age": "numeric"}, **OPTIONS)
    arrays = columns.encode(frame(5000), learned)
    known = arrays["numeric"][arrays["marks"][:, 0] == 0, 0]
    assert (known.mean(), known.std()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))
    order = np.argsort(frame(5000)["age"].filter(frame(5000)["age"] != "?").cast(pl.Float64).to_numpy())
    assert (np.diff(known[order]) >= 0).all()
    assert abs(np.mean(known**3)) < 0.1  # the logarithm of age is normal; age itself has a skew of 6


def test_standard_is_the_textbook_formula():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    cells = pl.DataFrame({"x": [str(v) for v in values]})
    learned = columns.learn(cells, {"x": "numeric"}, **{**OPTIONS, "numeric": "standard"})
    found = columns.encode(cells, learned)["numeric"][:, 0]
    np.testing.assert_allclose(found, (values - values.mean()) / values.std(), atol=1e-5)


def test_missing_numbers_are_the_median_and_marked():
    cells = pl.DataFrame({"x": ["1", "2", "9", "?", "NA", ""]})
    learned = columns.learn(cells, {"x": "numeric"}, **OPTIONS)
    arrays = columns.encode(cells, learned)
    assert arrays["marks"][:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    found = arrays["numeric"]
    assert (found[3:, 0] == found[1, 0]).all()


def test_bins_fill_one_after_another():
    """Piecewise-linear encoding: bins below the value are full, its own is filled in part."""
    cells = pl.DataFrame({"x": [str(i) for i in range(101)]})
    learned = columns.learn(cells, {"x": "numeric"}, **{**OPTIONS, "bins": 4})
    value = columns.encode(pl.DataFrame({"x": ["75"]}), learned)["numeric"]
    scale, offset = columns.bins(learned)
    np.testing.assert_allclose(np.clip(value * scale[:, 0] + offset[:, 0], 0, 1)[0], [1, 1, 1, 0], atol=1e-5)
    cells = columns.encode(pl.DataFrame({"x": ["60"]}), learned)["numeric"]
    filled = np.clip(cells * scale[:, 0] + offset[:, 0], 0, 1)[0]
    assert filled[:2].tolist() == [1, 1]
    assert 0.3 < filled[2] < 0.5
    assert filled[3] == 0


@pytest.mark.parametrize("different", [3, 12, 200], ids=["few", "all fit", "more than bins"])
def test_bins_divide_what_is_not_the_usual_value(different):
    """An amount that is mostly 0: bins of equally many rows alone would all but one begin and end at 0."""
    values = np.zeros(2000)
    values[:different] = np.arange(1, different + 1) * 10
    learned = columns.learn(pl.DataFrame({"x": values}), {"x": "numeric"}, **{**OPTIONS, "bins": 16})
    edges = learned[0]["bins"]
    assert len(edges) == different + 1 if different < 17 else 16 < len(edges) < 34
    asked = pl.DataFrame({"x": [10.0, 20.0, 30.0]} if different < 17 else {"x": [10.0, 700.0, 1400.0, 1990.0]})
    scale, offset = columns.bins(learned)
    filled = np.clip(columns.encode(asked, learned)["numeric"] * scale[:, 0] + offset[:, 0], 0, 1).sum(axis=1)
    assert (np.diff(filled) > 0.9).all()  # a bin of their own lies between any two


def test_unknown_and_rare_categories_are_other():
    cells = pl.DataFrame({"a": ["x"] * 300 + ["y"] * 299 + ["rare"], "b": ["u", "v"] * 300})
    learned = columns.learn(cells, {"a": "category", "b": "category"}, **OPTIONS)
    new = pl.DataFrame({"a": ["x", "rare", "new"], "b": ["v", "u", "new"]})
    ids = columns.encode(new, learned)["categories"]
    assert ids[:, 0].tolist() == [1, 0, 0]
    assert ids[:, 1].tolist() == [5, 4, 3]  # the second column's numbers follow the first's
    assert columns.sizes(learned)["values"] == 6
    assert columns.flat({"categories": ids}, learned).sum(axis=1).tolist() == [2, 2, 2]


def test_times_are_cyclic():
    cells = pl.DataFrame({"t": ["2021-01-01 00:00", "2021-01-01 12:00", "2021-06-30 00:00", "2021-01-08 00:00"]})
    learned = columns.learn(cells, {"t": "time"}, **OPTIONS)
    found = columns.encode(cells, learned)["marks"]
    names = learned[0]["parts"]
    day, week = names.index("day_cos"), names.index("week_cos")
    assert found[0, day] == pytest.approx(found[2, day], abs=1e-4)
    assert found[0, day] != pytest.approx(found[1, day], abs=0.1)
    assert found[0, week] == pytest.approx(found[3, week], abs=1e-4)
    assert np.isfinite(columns.encode(pl.DataFrame({"t": ["?"] * 2}), learned)["marks"]).all()


def test_a_date_alone_is_read_as_the_dates_of_training_were():
    """Which of 03/04/2020 is the month was seen in training; a row alone does not say it."""
    days = np.datetime64("2020-01-01") + np.arange(0, 360, 7)
    cells = pl.DataFrame({"t": [day.item().strftime("%m/%d/%Y") for day in days]})
    learned = json.loads(json.dumps(columns.learn(cells, {"t": "time"}, **OPTIONS)))
    found = columns.encode(pl.DataFrame({"t": ["03/04/2020"]}), learned)["marks"][0]
    at = learned[0]["parts"].index("days")
    since = found[at] * learned[0]["deviation"][at] + learned[0]["mean"][at]
    assert since == pytest.approx((np.datetime64("2020-03-04") - np.datetime64("1970-01-01")).astype(int), abs=0.01)


def test_dates_that_are_all_written_in_another_way_are_read_in_that_way():
    written = {"%m/%d/%Y": "01/02/2020 01/13/2020 02/14/2020", "%Y-%m-%d": "2020-01-02 2020-01-13 2020-02-14"}
    frames = [pl.DataFrame({"t": cells.split()}) for cells in written.values()]
    learned = columns.learn(frames[0], {"t": "time"}, **OPTIONS)
    seen, other = (columns.encode(frame, learned)["marks"] for frame in frames)
    np.testing.assert_array_equal(seen, other)
    assert np.abs(seen).max() > 0.1


def test_a_malformed_time_is_missing_alone():
    cells = pl.DataFrame({"t": [f"2021-{month:02d}-{day:02d}" for month in range(1, 13) for day in (1, 9)]})
    learned = columns.learn(cells, {"t": "time"}, **OPTIONS)
    whole = columns.encode(cells.head(3), learned)["marks"]
    with_one = columns.encode(pl.DataFrame({"t": [*cells["t"].head(2), "yesterday", *cells["t"][2:3]]}), learned)
    np.testing.assert_array_equal(with_one["marks"][[0, 1, 3]], whole)
    assert not with_one["marks"][2].any()
    assert whole.any(axis=1).all()


def test_months_alone_are_read_as_in_training():
    cells = pl.DataFrame({"t": [f"20{year}-{month:02d}" for year in (19, 20) for month in range(1, 13)]})
    learned = columns.learn(cells, {"t": "time"}, **OPTIONS)
    whole = columns.encode(cells, learned)["marks"]
    np.testing.assert_array_equal(columns.encode(cells[4:5], learned)["marks"], whole[4:5])
    assert whole.any(axis=1).all()


@pytest.mark.parametrize("cell", ["", "yesterday"])
def test_a_column_of_times_that_training_has_none_of_gives_nothing(cell):
    """The other splits had some, and so the column was found to be one of times."""
    learned = columns.learn(
        pl.DataFrame({"t": [cell] * 4, "x": list("1234")}), {"t": "time", "x": "numeric"}, **OPTIONS
    )
    assert "marks" not in columns.encode(pl.DataFrame({"t": ["2021-01-01"], "x": ["2"]}), learned)
    assert columns.sizes(learned)["marks"] == 0


def test_a_run_that_kept_no_format_of_its_times_still_reads_them():
    """Runs from before it was kept."""
    cells = pl.DataFrame({"t": ["2021-01-01", "2021-02-03", "2021-07-05"]})
    learned = columns.learn(cells, {"t": "time"}, **OPTIONS)
    older = [
        {name: value for name, value in learned[0].items() if name in ("name", "kind", "parts", "mean", "deviation")}
    ]
    np.testing.assert_array_equal(columns.encode(cells, older)["marks"], columns.encode(cells, learned)["marks"])


def test_a_missing_column_is_named():
    learned = columns.learn(frame(), KINDS, **OPTIONS)
    with pytest.raises(DataError, match="missing: town, note"):
        columns.encode(frame().drop("town", "note"), learned)
    reordered = frame().select(reversed(frame().columns)).with_columns(extra=pl.lit("x"))
    np.testing.assert_array_equal(
        columns.encode(reordered, learned)["numeric"], columns.encode(frame(), learned)["numeric"]
    )


# ---- tasks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [None, 12])
def test_classes_are_learned_from_all_kinds_of_columns(width):
    keras.utils.set_random_seed(0)
    found = data("label", "classes")
    task = tabular_classification.Task.learn(found.splits["train"], found)
    task = tabular_classification.Task(**json.loads(json.dumps(dataclasses.asdict(task))))
    source = task.source(found.splits["train"], training=True)
    net = model(task, width)
    assert all(layer.name == layer.name.lower() and not layer.name[-2:].startswith("_1") for layer in net.layers)
    assert net.output_shape == (None, 2)
    net.compile(keras.optimizers.Adam(0.02), task.loss(), jit_compile=False)
    net.fit(source.x, source.y, batch_size=50, epochs=15, verbose=0)
    x, y = source.batch(np.arange(200), np.random.default_rng(0))
    measures = task.measure(x, y, net.predict(x, verbose=0))
    report = task.report(measures)
    assert report.scores["accuracy"].value > 0.95  # the label follows from the town
    rows = list(task.rows(found.splits["train"], measures))
    assert set(rows[0]) == {"name", "prediction", "probability", "p(no)", "p(yes)"}
    assert task.flat(found.splits["train"]).shape[0] == 200
    assert task.targets(found.splits["train"])[:3].tolist() == [1, 0, 0]


def test_numbers_are_learned_and_come_back_in_their_units():
    keras.utils.set_random_seed(0)
    found = data("price", "numbers")
    task = tabular_regression.Task.learn(found.splits["train"], found)
    task = tabular_regression.Task(**json.loads(json.dumps(dataclasses.asdict(task))))
    source = task.source(found.splits["train"], training=True)
    assert source.y.std() == pytest.approx(1, abs=1e-3)
    net = model(task)
    net.compile(keras.optimizers.Adam(0.02), task.loss(), jit_compile=False)
    net.fit(source.x, source.y, batch_size=50, epochs=15, verbose=0)
    measures = task.measure(source.x, source.y, net.predict(source.x, verbose=0))
    np.testing.assert_allclose(measures["y"], found.splits["train"].y, atol=1e-5)
    assert task.report(measures).scores["rmse"].value < 0.5  # the deviation of the target is 2


def test_rows_without_labels_are_predicted():
    found = data("label", "classes")
    task = tabular_classification.Task.learn(found.splits["train"], found)
    new = Examples(x=frame(5, seed=2).drop("label"))
    source = task.source(new, training=False)
    x, y = source.batch(np.arange(5), np.random.default_rng(0))
    assert y is None
    measures = task.measure(x, y, model(task).predict(x, verbose=0))
    assert [row["name"] for row in task.rows(new, measures)] == [f"row {i}" for i in range(1, 6)]


def test_labels_of_other_files():
    found = data("label", "classes")
    task = tabular_classification.Task.learn(found.splits["train"], found)
    dotted = Examples(x=frame(2), y=np.array(["yes.", "no."]))
    assert task.targets(dotted).tolist() == [1, 0]
    with pytest.raises(DataError, match="maybe"):
        task.targets(Examples(x=frame(2), y=np.array(["yes", "maybe"])))


def test_targets_that_cannot_be_learned_are_refused():
    found = data("price", "numbers")
    same = Examples(x=frame(), y=np.ones(200))
    with pytest.raises(DataError, match="same target: 1"):
        tabular_regression.Task.learn(same, found)
    with pytest.raises(DataError, match="same target"):
        tabular_classification.Task.learn(Examples(x=frame(), y=np.array(["a"] * 200)), found)
    with pytest.raises(DataError, match="no numbers: a"):
        tabular_regression.Task.learn(Examples(x=frame(), y=np.array(["a", "2"] * 100)), found)
    with pytest.raises(DataError, match="too many for classes"):
        tabular_classification.Task.learn(Examples(x=frame(), y=np.arange(200) / 7), found)


def test_preparation_learns_from_training_rows_alone():
    found = data("label", "classes")
    task = tabular_classification.Task.learn(found.splits["train"].take(np.arange(100)), found)
    again = tabular_classification.Task.learn(Examples(x=frame(100), y=found.splits["train"].y[:100]), found)
    assert dataclasses.asdict(task) == dataclasses.asdict(again)


def test_the_stem_stays_finite_where_texts_are_empty():
    found = data("label", "classes")
    task = tabular_classification.Task.learn(found.splits["train"], found)
    empty = Examples(x=frame(4).with_columns(note=pl.lit(""), age=pl.lit("?"), town=pl.lit("?"), when=pl.lit("")))
    x, _ = task.source(empty, training=False).batch(np.arange(4), np.random.default_rng(0))
    assert np.isfinite(model(task).predict(x, verbose=0)).all()


def test_a_hundred_thousand_adults_are_not_needed():
    """A small net on 4 000 rows of Adult is far above the share of the larger class (0.761)."""
    keras.utils.set_random_seed(0)
    found, _ = splits.split(table.open(shared("tabular/adult")))
    some = {name: examples.take(np.arange(4000)) for name, examples in found.splits.items() if name != "val"}
    task = tabular_classification.Task.learn(some["train"], found)
    source, test = task.source(some["train"], training=True), task.source(some["test"], training=False)
    net = model(task)
    net.compile(keras.optimizers.Adam(0.005), task.loss(), jit_compile=False)
    net.fit(source.x, source.y, batch_size=100, epochs=5, verbose=0)
    report = task.report(task.measure(test.x, test.y, net.predict(test.x, batch_size=1000, verbose=0)))
    assert report.scores["accuracy"].value > 0.83
