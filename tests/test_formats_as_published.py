"""Layouts in which public tables and texts come: what is the label, what a text, what one row."""

import json

import numpy as np
import pytest

from dlcli import inputs, plan, splits
from dlcli.config import RunConfig
from dlcli.errors import DataError, DlcliError
from dlcli.formats import class_files, labelled_lines, table, text_file, text_folders


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def labels(data):
    return sorted(set(np.asarray(next(iter(data.splits.values())).y).tolist()))


SENTENCES = [f"the {i}th of these sentences is about things" for i in range(60)]


@pytest.mark.parametrize(
    "line",
    [
        lambda i, text: f"{('DESC:manner', 'NUM:date', 'HUM:ind')[i % 3]} {text}",
        lambda i, text: f"{('earn', 'acq', 'trade')[i % 3]}\t{text}",
        lambda i, text: f"{text}\t{i % 3}",
        lambda i, text: f"{text};{('joy', 'fear', 'anger')[i % 3]}",
    ],
)
def test_lines_with_a_label_are_texts(tmp_path, line):
    path = write(tmp_path / "train.txt", [line(i, text) for i, text in enumerate(SENTENCES)])
    write(tmp_path / "test.txt", [line(i, text) for i, text in enumerate(SENTENCES[:30])])
    assert not text_file.matches(path)
    data = labelled_lines.open(path)
    assert (data.kind, len(labels(data)), set(data.splits)) == ("texts", 3, {"train", "test"})
    assert list(data.splits["train"].x) == SENTENCES


@pytest.mark.parametrize(
    "lines",
    [
        [f"{i % 3} 1:{i}.5 9:{i % 7}" for i in range(60)],  # libsvm
        [f"{i % 3}\t{i}\t{i * 7}" for i in range(60)],
        [f"Word{i % 14} goes on in {i} ways" for i in range(60)],  # so few lines for each first word is prose
    ],
)  # fmt: skip
def test_numbers_and_prose_are_no_labelled_lines(tmp_path, lines):
    assert not labelled_lines.matches(write(tmp_path / "a.txt", lines))


def test_a_file_for_each_opinion(tmp_path):
    for side in ("pos", "neg"):
        write(tmp_path / f"rt.{side}", [f"{side} {text}" for text in SENTENCES])
    for path in (tmp_path, tmp_path / "rt.pos"):
        assert class_files.matches(path)
        data = class_files.open(path)
        assert (labels(data), len(data.splits["all"])) == (["neg", "pos"], 120)
    assert not class_files.matches(write(tmp_path / "alone" / "pos.txt", SENTENCES))


def test_texts_without_a_label_are_no_class_of_their_own(tmp_path):
    for part, names in (("train", ("neg", "pos", "unsup")), ("test", ("neg", "pos"))):
        for name in names:
            for i in range(3):
                write(tmp_path / part / name / f"{i}.txt", [f"{name} {i}"])
    data = text_folders.open(tmp_path)
    assert labels(data) == ["neg", "pos"]
    assert any("3 texts in train/unsup have no label" in warning for warning in data.warnings)


@pytest.mark.parametrize("suffix", [".data", ".dat"])
def test_columns_may_be_cut_by_spaces(tmp_path, suffix):
    lines = [f"  {i % 9}.50   A{i % 3}\t{i * 3 % 7}  {i % 2}  " for i in range(60)]
    data = table.open(write(tmp_path / f"a{suffix}", lines), target="column4")
    assert list(data.about["columns"].values()) == ["numeric", "category", "numeric"]
    assert len(data.splits["all"]) == 60


@pytest.mark.parametrize(
    ("training", "test"), [("adult.data", "adult.test"), ("digits.tra", "digits.tes"), ("s.trn", "s.tst")]
)
def test_parts_told_by_their_endings(tmp_path, training, test):
    """As at the UCI repository; adult.test begins with a remark, |1x3 Cross validator, and its labels end in a dot."""
    rows = [f"{i}, {i * 7 % 5}, {('<=50K', '>50K')[i % 2]}" for i in range(60)]
    write(tmp_path / training, rows)
    write(tmp_path / test, ["|1x3 Cross validator", *(f"{row}." for row in rows[:20])])
    write(tmp_path / "adult.names", ["| This data was extracted", "age: continuous."])
    for path in (tmp_path, tmp_path / training):
        data = table.open(path)
        assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 60, "test": 20}
        assert {label.rstrip(".") for part in data.splits.values() for label in part.x["column3"]} == {"<=50K", ">50K"}
    alone = table.open(tmp_path / test)
    assert len(alone.splits["all"]) == 20


def test_a_word_in_a_name_says_more_than_an_ending(tmp_path):
    rows = [f"{i},{i * 7 % 5},{'ab'[i % 2]}" for i in range(60)]
    for name, some in (("train.csv", rows), ("test.csv", rows[:20]), ("old.data", rows[:9])):
        write(tmp_path / name, ["x,y,label", *some])
    data = table.open(tmp_path, target="label")
    assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 60, "test": 20}


def test_sales_by_day_are_no_series_and_lose_no_row(tmp_path):
    lines = ["date,rooms,price", *(f"2015-01-{1 + i % 28:02d},{i % 5},{1000 + i * 7 % 300}.5" for i in range(200))]
    data = table.open(write(tmp_path / "a.csv", lines), target="price")
    assert (data.kind, len(data.splits["all"])) == ("table", 200)


def test_hours_in_a_column_of_their_own_belong_to_the_time(tmp_path):
    lines = ["day,hr,count", *(f"2015-01-{1 + i // 24:02d},{i % 24},{i * 7 % 30}.5" for i in range(480))]
    data = table.open(write(tmp_path / "a.csv", lines))
    assert (len(data.splits["all"]), data.about["frequency"], data.about["columns"]) == (1, "1 hour", ["count"])


@pytest.mark.parametrize(
    ("lines", "target"),
    [
        (["x,y,z,activity", *(f"{i},{i * 7 % 30},{i % 11}.5,{i % 3}" for i in range(60))], None),
        ([f"{'ABC'[i % 3]},{i % 16},{i * 7 % 16},{i * 3 % 16}" for i in range(160)], "column1"),
        ([f"{'ep'[i * 7 % 5 % 2]},{'xyz'[i % 3]},{'abcd'[i % 4]}" for i in range(160)], None),
        ([f"{i}.5,{i * 7 % 30},{i % 3}" for i in range(60)], "column3"),
        ([f"{i}.5,{i * 7 % 30},{i % 3},0," for i in range(60)], "column3"),
        ([f"0,{'xy'[i % 2]},{i * 7 % 30},{'abc'[i % 3]}" for i in range(60)], "column4"),
    ],
)
def test_the_target_is_not_guessed_where_two_can_be_meant(tmp_path, lines, target):
    path = write(tmp_path / "a.csv", lines)
    if target:
        assert table.open(path).about["target"] == target
    else:
        with pytest.raises(DataError, match="which column is to be predicted"):
            table.open(path)


@pytest.mark.parametrize(
    ("target", "value", "words", "kind"),
    [
        ("label", lambda i: i % 26, False, "classes"),  # letters
        ("label", lambda i: (i % 25 + 10) % 26 + 1, False, "classes"),
        ("class", lambda i: i % 25 + (i % 25 > 8), False, "classes"),  # of sign language, without J
        ("intent", lambda i: i % 77, True, "classes"),
        ("rings", lambda i: i % 26 + 1, False, "numbers"),
        ("target", lambda i: i % 60 * 3 + 25, False, "numbers"),
        ("target", lambda i: i * 7 % 290, False, "numbers"),
        ("target", lambda i: i % 26 + 0.5, False, "numbers"),
        ("points", lambda i: 80 + i % 21, True, "numbers"),
    ],
)
def test_many_numbered_classes_are_told_from_quantities(tmp_path, target, value, words, kind):
    """Whole numbers that run from 0 or 1, called so or beside texts: 77 intents of bank customers, 26 letters."""
    beside = "text" if words else "size"
    lines = [
        f"{beside},{target}",
        *(f"{SENTENCES[i % 60] + str(i) if words else i / 4},{value(i)}" for i in range(300)),
    ]
    data = table.open(write(tmp_path / "a.csv", lines), target=None if kind == "classes" else target)
    assert (data.about["target"], data.about["target_kind"]) == (target, kind)
    if kind == "classes":
        assert data.kind == ("texts" if words else "table")
        assert any("different whole numbers, taken as classes" in warning for warning in data.warnings)


@pytest.mark.parametrize("classes", [2, 10, 26])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("edge", [0, 1, 2])
def test_a_label_is_told_from_the_pixels_behind_it(tmp_path, rng, classes, first, edge):
    """Pixels at the edges have one value or few."""
    pixels = rng.integers(0, 256, (120, 36))
    pixels[:, [0, -1]] = 90 * rng.integers(0, edge, (120, 2)) if edge else 0
    y = np.arange(120) % classes
    cells = np.column_stack([y, pixels] if first else [pixels, y])
    data = table.open(write(tmp_path / "a.csv", [",".join(map(str, row)) for row in cells.tolist()]))
    assert (data.about["target"], data.about["target_kind"]) == ("column1" if first else "column37", "classes")
    assert len(set(data.splits["all"].y.tolist())) == classes


def test_grades_of_one_range_are_no_pixels(tmp_path):
    """Breast cancer in Wisconsin: nine grades from 1 to 10, then 2 for benign and 4 for malignant."""
    lines = [",".join(str(1 + i * k % 10) for k in (1, 3, 7, 9)) + f",{2 + 2 * (i % 7 > 3)}" for i in range(120)]
    assert table.open(write(tmp_path / "a.csv", lines)).about["target"] == "column5"


@pytest.mark.parametrize("head", [[], ["label,title,description"]])
def test_a_title_and_a_description_are_one_text(tmp_path, head):
    lines = [f'"{1 + i % 4}","Title of number {i} is long","{text}, it says"' for i, text in enumerate(SENTENCES)]
    data = table.open(write(tmp_path / "train.csv", head + lines))
    assert (data.kind, labels(data)) == ("texts", ["1", "2", "3", "4"])
    assert data.splits["all"].x[3] == f"Title of number 3 is long {SENTENCES[3]}, it says"


@pytest.mark.parametrize("target", [None, "label", "label_text"])
def test_a_label_beside_its_name_is_no_feature(tmp_path, target):
    """text, label, label_text: as SetFit publishes texts."""
    rows = [
        {"text": text, "label": i % 3, "label_text": ("joy", "fear", "anger")[i % 3]}
        for i, text in enumerate(SENTENCES)
    ]
    data = table.open(write(tmp_path / "train.jsonl", list(map(json.dumps, rows))), target=target)
    assert (data.kind, data.about["target"], data.about["columns"]) == ("texts", target or "label", {"text": "text"})
    lines = ["size_before,size", *(f"{i * 7 % 60}.25,{i}.5" for i in range(60))]  # all different, as measures are
    assert list(table.open(write(tmp_path / "b.csv", lines), target="size").about["columns"]) == ["size_before"]
    lines = ["labels,label_size,label", *(f"{'uv'[i % 2]},{i % 5},{'ab'[i % 2]}" for i in range(60))]
    other = table.open(write(tmp_path / "a.csv", lines), target="label")
    assert list(other.about["columns"]) == ["labels", "label_size"]


def test_texts_in_scripts_without_spaces_are_texts(tmp_path):
    lines = ["label,review", *(f"{i % 2},这个酒店的房间很好第{i}次住了" for i in range(60))]
    data = table.open(write(tmp_path / "a.csv", lines))
    assert (data.kind, data.about["columns"]) == ("texts", {"review": "text"})


@pytest.mark.parametrize("more", ["", "and more", "and, more"])
def test_columns_without_a_name_do_not_hide_the_header(tmp_path, more):
    """Of the messages some have marks that were not quoted, and go on in the next column."""
    cells = [f'"{more}"' if i in (7, 20) else "" for i in range(len(SENTENCES))]
    lines = ["v1,v2,,,", *(f"{('ham', 'spam')[i % 2]},{text},{cells[i]},," for i, text in enumerate(SENTENCES))]
    data = table.open(write(tmp_path / "spam.csv", lines))
    assert (data.kind, data.about["target"], labels(data)) == ("texts", "v1", ["ham", "spam"])


def test_a_column_without_a_name_at_the_end_is_no_target(tmp_path):
    """Lines that end in a mark, some of them with a remark: the names of the others are still the file's own."""
    lines = ["a,b,state,", *(f"{i}.5,{i * 7 % 30},{'xy'[i % 2]},{'note' if i % 9 else ''}" for i in range(60))]
    with pytest.raises(DataError, match=r"which column .* state \(category\), column4"):
        table.open(write(tmp_path / "a.csv", lines))
    data = table.open(tmp_path / "a.csv", target="state")
    assert data.about["columns"] == {"a": "numeric", "b": "numeric", "column4": "category"}


@pytest.mark.parametrize(
    ("head", "target"),
    [("age,income", "income"), ("Survived,Fare", "Survived"), ("quality,class", "class"), ("churn,income", None)],
)
def test_well_known_targets_are_known_by_their_names(tmp_path, head, target):
    lines = [f"{head},size,place", *(f"{i * 3 % 5},{i % 4},{i}.5,{'xyz'[i % 3]}" for i in range(60))]
    path = write(tmp_path / "a.csv", lines)
    if target:
        assert table.open(path).about["target"] == target
    else:
        with pytest.raises(DataError, match="which column is to be predicted"):
            table.open(path)


def test_of_columns_with_as_few_values_the_last_is_proposed(tmp_path):
    lines = ["sex,age,smoker", *(f"{'mf'[i % 2]},{i},{('yes', 'no')[i % 3 > 1]}" for i in range(60))]
    with pytest.raises(DataError) as error:
        table.open(write(tmp_path / "a.csv", lines))
    assert "--target 'smoker'" in error.value.hint


def test_duplicates_of_what_is_learned_from_stay_on_one_side(tmp_path):
    """Whatever their number in the table or their target is."""
    rows = [f"{i * 37 % 101}.25,{i * 11 % 89}.5" for i in range(100)]
    lines = ["id,a,b,target", *(f"{1000 + i},{rows[i % 100]},{i % 2}.{i}" for i in range(200))]
    data, _ = splits.split(table.open(write(tmp_path / "a.csv", lines)))
    seen = {part: {tuple(row) for row in examples.x[["a", "b"]].rows()} for part, examples in data.splits.items()}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["val"]


def test_one_frequent_example_does_not_let_the_others_into_two_splits():
    from dlcli.data import Data, Examples

    texts = ["nothing"] * 80 + [f"text {i // 2}" for i in range(200)]
    whole = Examples(x=texts, y=np.array(["a", "b"] * 140), names=[str(i) for i in range(280)])
    data, _ = splits.split(Data(kind="texts", splits={"all": whole}))
    train, test = (set(data.splits[part].x) - {"nothing"} for part in ("train", "test"))
    assert not train & test
    assert any("stands 80 times" in warning for warning in data.warnings)


# ---- a folder too many, as archives unpack to --------------------------------------------------


def opened(path):
    """The name of the format, and the data."""
    config = RunConfig(data=str(path))
    entry = plan.locate(config)
    return entry.name, plan.open_data(entry, config)


@pytest.mark.parametrize(
    ("inner", "names", "kind"),
    [
        ("adult", ["adult.data"], "table"),
        ("MNIST/raw", ["train.csv", "test.csv"], "table"),
        ("rt-polaritydata", ["rt.pos", "rt.neg"], "class-files"),
        ("txt_sentoken", ["pos/1.txt", "neg/1.txt"], "text-folders"),
        ("wikitext", ["wiki.train.tokens", "wiki.test.tokens"], "text-file"),
    ],
)
def test_the_only_folder_of_a_folder_is_read(tmp_path, inner, names, kind):
    rows = [f"{i},{i * 7 % 5},{'ab'[i % 2]}" for i in range(60)]
    for name in names:
        write(tmp_path / inner / name, rows if kind == "table" else SENTENCES)
    write(tmp_path / "poldata.README.2.0", ["a note"])
    (tmp_path / "__MACOSX").mkdir()
    found, data = opened(tmp_path)
    assert found == kind
    assert data.warnings[0] == f"read from {tmp_path / inner}: {tmp_path} holds nothing else"
    directly = opened(tmp_path / inner)[1]
    assert data.warnings[1:] == directly.warnings
    assert {part: len(x) for part, x in data.splits.items()} == {part: len(x) for part, x in directly.splits.items()}


def test_a_folder_too_many_is_looked_into_by_predict(tmp_path):
    write(tmp_path / "a" / "b" / "rows.csv", ["x,y", *(f"{i}.5,{i}" for i in range(5))])
    spec = {"kind": "table", "format": "table"}
    assert len(inputs.read(spec, RunConfig(data="old.csv"), [str(tmp_path)])) == 5


@pytest.mark.parametrize("beside", ["labels.bin", "b/x.csv"])
def test_a_folder_beside_something_else_is_not_guessed(tmp_path, beside):
    write(tmp_path / "a" / "a.csv", ["x,y", *(f"{i}.5,{i}" for i in range(5))])
    write(tmp_path / beside, ["1"])
    with pytest.raises(DlcliError, match="in no format that dlcli knows"):
        plan.locate(RunConfig(data=str(tmp_path)))


@pytest.mark.parametrize("above", ["", "winequality/"])
def test_several_tables_in_a_folder_are_named(tmp_path, above):
    for name in ("winequality-red.csv", "winequality-white.csv", "winequality.names"):
        write(tmp_path / above / name, ["x,y", *(f"{i}.5,{i}" for i in range(5))])
    with pytest.raises(DataError, match=r"several tables: winequality-red\.csv, winequality-white\.csv\.") as error:
        plan.locate(RunConfig(data=str(tmp_path)))
    assert str(tmp_path / above / "winequality-red.csv") in error.value.hint


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("train_32x32.mat", "numpy.savez"),
        ("usps.h5", "numpy.savez"),
        ("default of credit card clients.xls", "save the sheet as CSV"),
        ("ENB2012_data.XLSX", "save the sheet as CSV"),
        ("data.json", "one object a line"),
        ("dry.arff", "save it as CSV"),
        ("train.p", "a pickle could run code"),
    ],
)
def test_what_is_not_read_comes_with_a_way_to_what_is(tmp_path, name, way):
    path = write(tmp_path / "a" / name, ['[{"x": 1}]'])
    for asked in (path, path.parent, tmp_path):
        with pytest.raises(DataError, match="in no format that dlcli knows") as error:
            plan.locate(RunConfig(data=str(asked)))
        assert way in error.value.hint
        assert "known are" in error.value.hint
