"""Who trains, who chooses, who judges."""

import numpy as np
import polars as pl
import pytest

from dlcli.data import Data, Examples, Span
from dlcli.errors import DataError
from dlcli.images import ArrayImages
from dlcli.splits import check_labels, split


def texts(labels, contents=None):
    contents = contents or [f"text {i}" for i in range(len(labels))]
    return Examples(x=contents, y=np.array(labels), names=[str(i) for i in range(len(labels))])


def series(rows, count=1):
    values = np.arange(rows, dtype=np.float32)[:, None]
    return Data(kind="series", splits={"all": Examples(x=[Span(values, 0, rows, f"s{i}") for i in range(count)])})


def sizes(data):
    return {name: len(examples) for name, examples in data.splits.items()}


def spans(data, name):
    return [(span.start, span.stop) for span in data.splits[name].x]


def test_every_example_is_in_one_split_and_classes_keep_their_shares():
    data = Data(kind="texts", splits={"all": texts(["a"] * 700 + ["b"] * 200 + ["c"] * 100)})
    done, how = split(data, seed=1)
    assert sizes(done) == how["sizes"] == {"train": 700, "val": 150, "test": 150}
    names = [name for examples in done.splits.values() for name in examples.names]
    assert sorted(names, key=int) == [str(i) for i in range(1000)]
    for examples in done.splits.values():
        shares = [np.mean(examples.y == label) for label in "abc"]
        assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


def test_the_seed_decides():
    data = Data(kind="texts", splits={"all": texts(["a", "b"] * 100)})
    first, again, other = (split(data, seed=seed)[0].splits["test"].names for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_validation_comes_out_of_training_and_never_out_of_test():
    data = Data(
        kind="texts",
        splits={
            "train": texts(["a", "b"] * 100),
            "test": texts(["a", "b"] * 50, [f"new {i}" for i in range(100)]),
        },
    )
    done, how = split(data, seed=0)
    assert done.splits["test"] is data.splits["test"]
    assert len(done.splits["train"]) + len(done.splits["val"]) == 200
    assert 30 <= len(done.splits["val"]) <= 40
    assert how["given"] == ["train", "test"]


def test_duplicates_stay_on_one_side():
    contents = [f"text {i // 2}" for i in range(400)]
    done, _ = split(Data(kind="texts", splits={"all": texts(["a", "b"] * 200, contents)}), seed=0)
    found = [set(examples.x) for examples in done.splits.values()]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]
    assert any("200 of 400 examples are exact duplicates" in warning for warning in done.warnings)


@pytest.mark.parametrize("copies", [3, 7, 20])
def test_many_duplicates_leave_every_split_its_share(copies):
    """Up to one group, for any seed."""
    contents = [f"text {i // copies}" for i in range(20 * copies)]
    labels = ["ab"[i // copies % 2] for i in range(20 * copies)]
    for seed in range(5):
        done, _ = split(Data(kind="texts", splits={"all": texts(labels, contents)}), seed=seed)
        assert sizes(done) == pytest.approx({"train": 14 * copies, "val": 3 * copies, "test": 3 * copies}, abs=copies)


@pytest.mark.parametrize("kind", ["images", "table", "sequences"])
def test_duplicates_are_found_in_every_kind(kind):
    rng = np.random.default_rng(0)
    values = np.repeat(rng.integers(0, 255, (50, 4, 4)), 2, axis=0)
    x = {
        "images": ArrayImages(values.astype(np.uint8)),
        "table": pl.DataFrame(values.reshape(100, 16).astype(float)),
        "sequences": list(values.astype(np.float32)),
    }[kind]
    names = [str(i) for i in range(100)]
    done, _ = split(Data(kind=kind, splits={"all": Examples(x=x, y=np.array(["a", "b"] * 50), names=names)}), seed=0)
    for examples in done.splits.values():
        pairs = {int(name) // 2 for name in examples.names}
        assert len(examples) == 2 * len(pairs)


def test_examples_shared_by_given_splits_are_counted():
    data = Data(kind="texts", splits={"train": texts(["a", "b"] * 20), "test": texts(["a", "b"] * 5)})
    done, _ = split(data, seed=0)
    assert any("test examples also stand in train" in warning for warning in done.warnings)


def test_a_class_of_one_example_is_kept_for_training():
    done, _ = split(Data(kind="texts", splits={"all": texts(["a"] * 30 + ["b"] * 30 + ["rare"])}), seed=0)
    assert "rare" in done.splits["train"].y
    assert any("only one example" in warning and "rare" in warning for warning in done.warnings)


def test_every_class_can_be_learned():
    labels = [f"class {i // 2}" for i in range(60)]
    for seed in range(5):
        done, _ = split(Data(kind="texts", splits={"all": texts(labels)}), seed=seed)
        assert set(done.splits["train"].y) == set(labels)
        check_labels(done)


def test_labels_that_cannot_be_learned_are_refused():
    with pytest.raises(DataError, match="all 4 training examples have the same label: a"):
        check_labels(Data(kind="texts", splits={"train": texts(["a"] * 4)}))
    with pytest.raises(DataError, match="1 of 2 test examples have labels that no training example has: c"):
        check_labels(Data(kind="texts", splits={"train": texts(["a", "b"]), "test": texts(["a", "c"])}))
    with pytest.raises(DataError, match="no labels"):
        check_labels(Data(kind="texts", splits={"train": Examples(x=["x"])}))


def test_parts_as_counts_and_fractions():
    data = Data(kind="texts", splits={"all": texts(["a", "b"] * 50)})
    assert sizes(split(data, parts="60,20,20")[0]) == {"train": 60, "val": 20, "test": 20}
    assert sizes(split(data, parts="0.5,0.25,0.25")[0]) == {"train": 50, "val": 25, "test": 25}
    assert sizes(split(data, parts="30,10,10")[0]) == {"train": 30, "val": 10, "test": 10}
    for wrong in ("1,2", "a,b,c", "0.9,0.9,0.9", "90,20,20"):
        with pytest.raises(DataError):
            split(data, parts=wrong)


def test_series_are_cut_by_time_as_the_literature_does():
    """ETTh1: 8640, 2880 and 2880 of 17420 rows; others: 70, 10, 20 percent, rounded down at both ends."""
    done, how = split(series(17420), parts="8640,2880,2880")
    assert (spans(done, "train"), spans(done, "val"), spans(done, "test")) == (
        [(0, 8640)],
        [(8640, 11520)],
        [(11520, 14400)],
    )
    assert any("3020 rows" in warning for warning in done.warnings)
    assert how["rows"] == {"train": 8640, "val": 2880, "test": 2880}
    done, _ = split(series(7588))
    assert spans(done, "train") == [(0, int(7588 * 0.7))]
    assert spans(done, "test") == [(7588 - int(7588 * 0.2), 7588)]
    assert done.splits["test"].x[0].values.shape == (7588, 1)  # history is within reach
    with pytest.raises(DataError, match="fewer than"):
        split(series(100), parts="80,20,20")


def test_parts_of_series_hold_a_forecast_where_the_series_is_long_enough():
    """900 rows: a tenth is less than 96, so validation takes what it lacks from training, the shares otherwise stay."""
    done, _ = split(series(900), least=96)
    assert (spans(done, "train"), spans(done, "val"), spans(done, "test")) == ([(0, 624)], [(624, 720)], [(720, 900)])
    done, _ = split(series(75), least=24)  # for a test, but not for a validation as well
    assert (spans(done, "train"), spans(done, "test")) == ([(0, 51)], [(51, 75)])
    assert "val" not in done.splits
    done, _ = split(series(60), least=24)
    assert spans(done, "test") == [(48, 60)]
    done, _ = split(series(900), parts="0.8,0.1,0.1", least=96)  # as asked
    assert spans(done, "val") == [(720, 810)]


def test_validation_of_series_is_as_long_as_the_test_asks():
    values = np.zeros((100, 1), np.float32)
    data = Data(
        kind="series",
        splits={
            "train": Examples(x=[Span(values[:90], 0, 90, "a"), Span(values[:20], 0, 20, "b")]),
            "test": Examples(x=[Span(values, 90, 100, "a")]),
        },
    )
    done, _ = split(data)
    assert (spans(done, "train"), spans(done, "val")) == ([(0, 80), (0, 20)], [(80, 90)])
    assert any("1 of 2 series are too short" in warning for warning in done.warnings)


def test_one_document_is_cut_by_position():
    text = "".join(chr(33 + i % 90) for i in range(1003))
    done, _ = split(Data(kind="corpus", splits={"all": Examples(x=[text], names=["a"])}))
    pieces = [done.splits[name].x[0] for name in ("train", "val", "test")]
    assert "".join(pieces) == text
    assert len(pieces[0]) == int(0.9 * 1003)
    done, _ = split(Data(kind="corpus", splits={"all": Examples(x=[text])}), parts="0.9,0.1,0")
    assert set(done.splits) == {"train", "val"}


def test_many_documents_are_drawn_whole():
    documents = [f"story {i}" for i in range(100)]
    done, _ = split(Data(kind="corpus", splits={"all": Examples(x=documents)}))
    assert sorted(text for examples in done.splits.values() for text in examples.x) == sorted(documents)


def test_too_few_examples_still_leave_something_to_train_on():
    done, _ = split(Data(kind="texts", splits={"all": texts(["a", "b"])}))
    assert len(done.splits["train"]) == 2
    with pytest.raises(DataError, match="nothing to train on"):
        split(Data(kind="texts", splits={"test": texts(["a", "b"])}))
    with pytest.raises(DataError, match="no examples"):
        split(Data(kind="texts", splits={"all": texts([])}))


def test_folds_test_every_example_once_and_classes_keep_their_shares():
    """The protocol of Kim (2014) for sets without a test split."""
    data = Data(kind="texts", splits={"all": texts(["a"] * 140 + ["b"] * 60)})
    tested = []
    for i in range(1, 11):
        done, how = split(data, fold=f"{i}/10")
        assert sizes(done) == how["sizes"] == {"train": 160, "val": 20, "test": 20}
        assert np.mean(done.splits["test"].y == "a") == pytest.approx(0.7, abs=0.05)
        assert not set(done.splits["test"].names) & {*done.splits["train"].names, *done.splits["val"].names}
        tested += done.splits["test"].names
    assert sorted(tested, key=int) == [str(i) for i in range(200)]


def test_a_fold_keeps_duplicates_on_one_side():
    contents = [f"text {i // 2}" for i in range(100)]
    for i in range(1, 6):
        done, _ = split(Data(kind="texts", splits={"all": texts(["a", "a", "b", "b"] * 25, contents)}), fold=f"{i}/5")
        sides = [set(examples.x) for examples in done.splits.values()]
        assert not sides[0] & sides[1]
        assert not sides[2] & (sides[0] | sides[1])


@pytest.mark.parametrize("how", [{"fold": "2/5"}, {"parts": "0.6,0.2,0.2"}])
def test_duplicates_fall_anywhere_when_asked_and_that_is_told(how):
    """Kim (2014) and others draw folds by line: of MPQA's 10 606 phrases 2 262 are copies of others."""
    data = Data(kind="texts", splits={"all": texts(["a", "b"] * 50, [f"text {i % 50}" for i in range(100)])})
    done, record = split(data, duplicates="anywhere", **how)
    learned, tested = set(done.splits["train"].x), done.splits["test"].x
    both = sum(text in learned for text in tested)
    assert both > 5
    assert f"{both} of {len(tested)} test examples also stand in train" in " ".join(done.warnings)
    assert record["duplicates"] == "anywhere"
    assert "duplicates" not in split(data, **how)[1]
    assert "50 examples with more than one label" not in " ".join(done.warnings)
    odd = Data(kind="texts", splits={"all": texts(["a", "b"] * 50, [f"text {i % 25}" for i in range(100)])})
    for duplicates in ("anywhere", "together"):  # copies under other labels are told, wherever they fall
        told = split(odd, duplicates=duplicates, **how)[0].warnings
        assert any(warning.startswith("25 examples with more than one label") for warning in told)
    with pytest.raises(DataError, match="neither 'together' nor 'anywhere'"):
        split(data, duplicates="apart", **how)
    given = {"train": data.splits["all"], "val": data.splits["all"], "test": data.splits["all"]}
    with pytest.raises(DataError, match="the data is split as given"):
        split(Data(kind="texts", splits=given), duplicates="anywhere")


@pytest.mark.parametrize(
    ("fold", "given", "said"),
    [
        ("0/10", "all", "not one of"),
        ("11/10", "all", "not one of"),
        ("1/2", "all", "not one of"),
        ("third", "all", "not one of"),
        ("1/10", "train", "brings its own"),
    ],
)
def test_an_impossible_fold_is_refused_with_what_was_given(fold, given, said):
    with pytest.raises(DataError, match=said) as error:
        split(Data(kind="texts", splits={given: texts(["a", "b"] * 20)}), fold=fold)
    assert fold in str(error.value)


def test_two_classes_that_share_their_only_text_are_both_learned():
    """Found by a search: the text went to training for the one, and was not expected there for the other."""
    data = Data(kind="texts", splits={"all": Examples(x=["same", "same", "u", "v"], y=np.array(["a", "b", "c", "c"]))})
    for seed in range(30):
        done, _ = split(data, seed=seed)
        assert set(done.splits["train"].y) == {"a", "b", "c"}
