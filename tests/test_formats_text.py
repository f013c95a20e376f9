"""Plain texts, texts in class folders, and lines that begin with a label."""

import pytest
from conftest import shared

from dlcli import inputs, registry
from dlcli.config import RunConfig
from dlcli.errors import DataError, DlcliError
from dlcli.formats import labelled_lines, notes, table, text_file, text_folders


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


LINES = "".join(f"{i % 3} text number {i}\n" for i in range(30))


def test_labelled_lines_are_told_from_prose(tmp_path):
    labelled = write(tmp_path / "a.txt", LINES)
    prose = write(tmp_path / "b.txt", "It was the best of times,\nit was the worst of times.\n" * 20)
    numbered = write(tmp_path / "c.txt", "".join(f"{i} Heading\n" for i in range(40)))
    assert (labelled_lines.matches(labelled), text_file.matches(labelled)) == (True, False)
    for path in (prose, numbered):
        assert (labelled_lines.matches(path), text_file.matches(path)) == (False, True)


def test_labels_and_texts_of_lines(tmp_path):
    data = labelled_lines.open(write(tmp_path / "a.all", LINES + "1 \n"))
    assert (data.kind, len(data.splits["all"])) == ("texts", 30)
    assert (data.splits["all"].x[4], data.splits["all"].y[4]) == ("text number 4", "1")
    assert any("1 line of a.all without a label or a text" in warning for warning in data.warnings)
    fast = "".join(f"__label__{'spam' if i % 2 else 'ham'} buy now {i}\n" for i in range(20))
    data = labelled_lines.open(write(tmp_path / "fast.txt", fast))
    assert (data.splits["all"].x[1], data.splits["all"].y[1]) == ("buy now 1", "spam")


def test_siblings_that_differ_in_one_word_are_splits(tmp_path):
    for part, count in (("train", 30), ("dev", 9), ("test", 12)):
        write(tmp_path / f"stsa.binary.{part}", "".join(f"{i % 2} text {i}\n" for i in range(count)))
        write(tmp_path / f"stsa.fine.{part}", LINES)
    data = labelled_lines.open(tmp_path / "stsa.binary.train")
    assert {name: len(examples) for name, examples in data.splits.items()} == {
        "train": 30,
        "val": 9,
        "test": 12,
    }
    assert any("stsa.binary.dev" in warning for warning in data.warnings)
    assert set(labelled_lines.open(tmp_path / "stsa.binary.test").splits) == {"all"}
    assert not labelled_lines.matches(tmp_path)  # two sets in one folder


def test_only_line_feeds_end_lines(tmp_path):
    """Byte 0x85 is a dot of three in Windows' encoding, and a line end to str.splitlines."""
    path = tmp_path / "a.all"
    path.write_bytes(b"".join(b"%d so\x85 caf\xe9 %d\n" % (i % 2, i) for i in range(20)))
    data = labelled_lines.open(path)
    assert data.splits["all"].x[1] == "so… café 1"
    assert any("cp1252" in warning for warning in data.warnings)


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("gb18030", "这部电影非常好看，值得推荐"),
        ("big5", "這是一個中文文字分類的例子"),
        ("shift_jis", "これは日本語の文章です。とても面白い"),
        ("euc_kr", "이 영화는 정말 재미있었습니다"),
        ("cp1251", "Этот фильм очень хороший"),
        ("koi8_r", "Этот фильм очень хороший"),
        ("cp1252", "Die Größe der Straße ist für Österreich üblich"),
        ("cp1252", "où l'été français déjà élevé, ça coûte"),
    ],
)
def test_texts_of_other_scripts_are_read_in_their_encoding(tmp_path, encoding, sentence):
    path = tmp_path / "a.csv"
    path.write_bytes("".join(["label;text\n", *(f"{i % 2};{sentence} {i}\n" for i in range(40))]).encode(encoding))
    data = table.open(path, kind="texts")
    assert data.splits["all"].x[7] == f"{sentence} 7"
    assert any(f"read as {encoding}" in warning for warning in data.warnings)


def test_the_encodings_of_texts_in_folders_are_named(tmp_path):
    """Each with the files that were read so."""
    for label, words in (("good", "Этот фильм очень хороший"), ("bad", "Этот фильм очень плохой")):
        write(tmp_path / label / f"{label}.txt", f"{words}. " * 10, "cp1251")
        write(tmp_path / label / f"{label}-too.txt", "la Größe, l'été", "cp1252")
        write(tmp_path / label / "plain.txt", "plain")
    data = text_folders.open(tmp_path)
    assert data.splits["all"].x[0] == "la Größe, l'été"
    told = sorted(data.warnings)
    assert [warning.partition(" (another")[0] for warning in told] == [
        "2 of 6 texts are not UTF-8 and were read as cp1251: bad.txt, good.txt",
        "2 of 6 texts are not UTF-8 and were read as cp1252: bad-too.txt, good-too.txt",
    ]


def test_a_few_accents_are_western(tmp_path):
    """So short they might be anything: twenty words with one accent each were Russian to the guesser."""
    path = tmp_path / "a.all"
    path.write_bytes("".join(f"{i % 2} {'café' if i % 2 else 'thé'} {i}\n" for i in range(20)).encode("cp1252"))
    assert labelled_lines.open(path).splits["all"].x[1] == "café 1"


def test_class_folders_of_texts(tmp_path):
    for part in ("train", "test"):
        for label in ("neg", "pos"):
            for i in range(3):
                write(tmp_path / part / label / f"{i}.txt", f"{label} {i}")
    data = text_folders.open(tmp_path)
    assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 6, "test": 6}
    assert data.splits["train"].y.tolist() == ["neg"] * 3 + ["pos"] * 3
    assert data.splits["test"].names[0] == "test/neg/0.txt"
    assert text_folders.matches(tmp_path / "train")
    assert not text_file.matches(tmp_path)


def test_twenty_newsgroups(tmp_path):
    """Texts without an ending, and split folders that are told by a word in their names."""
    for part in ("20news-bydate-train", "20news-bydate-test"):
        for label in ("alt.atheism", "sci.space"):
            for i in range(3):
                write(tmp_path / part / label / f"4996{i}", f"From: someone@{label}\nSubject: Re: it\n\nWell, {i}.\n")
    data = text_folders.open(tmp_path)
    assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 6, "test": 6}
    found = [entry.name for entry in registry.entries("formats").values() if entry.load().matches(tmp_path)]
    assert found == ["text-folders"]
    one = text_folders.open(tmp_path / "20news-bydate-train").splits["all"]
    assert sorted(set(one.y)) == ["alt.atheism", "sci.space"]


def test_files_without_an_ending_that_are_no_texts_make_no_class(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1").write_bytes(b"\x80\x02}q\x00.")
    assert not text_folders.matches(tmp_path)


def test_texts_of_trains_are_no_split(tmp_path):
    for label in ("train", "car"):
        write(tmp_path / label / "1.txt", f"about a {label}")
    assert sorted(text_folders.open(tmp_path).splits["all"].y) == ["car", "train"]


def test_unreadable_texts_are_named(tmp_path):
    for label in ("neg", "pos"):
        write(tmp_path / label / "a.txt", "fine")
    (tmp_path / "pos" / "b.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 3 texts could not be read: pos/b\.txt"):
        text_folders.open(tmp_path)


def test_pictures_with_notes_are_no_texts(tmp_path):
    for label in ("cat", "dog"):
        for name in ("a.png", "b.png", "notes.txt"):
            write(tmp_path / label / name, "x")
    assert not text_folders.matches(tmp_path)
    assert not text_file.matches(tmp_path)


def test_a_text_or_a_folder_of_texts_is_a_corpus(tmp_path):
    one = write(tmp_path / "one" / "input.txt", "\ufeffTo be, or not to be.\r\n" * 50)
    write(tmp_path / "one" / "README.md", "a note")
    data = text_file.open(one)
    assert (data.kind, len(data.splits["all"]), data.splits["all"].x[0][:5]) == ("corpus", 1, "To be")
    assert text_file.matches(tmp_path / "one")
    assert len(text_file.open(tmp_path / "one").splits["all"]) == 1
    for part, count in (("train", 3), ("valid", 1)):
        for i in range(count):
            write(tmp_path / "books" / part / f"{i}.txt", "A story.")
    data = text_file.open(tmp_path / "books")
    assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 3, "val": 1}


@pytest.mark.parametrize("ending", ["tokens", "raw"])
def test_the_endings_of_published_corpora(tmp_path, ending):
    for part in ("train", "valid", "test"):
        write(tmp_path / f"wiki.{part}.{ending}", " = Heading = \n \n It was the best of times . \n" * 20)
    for path in (tmp_path, tmp_path / f"wiki.train.{ending}"):
        assert text_file.matches(path)
        assert list(text_file.open(path).splits) == ["train", "val", "test"]


def test_a_file_without_an_ending_is_text_where_it_begins_with_words(tmp_path):
    text = write(tmp_path / "text8", " anarchism originated as a term of abuse" * 40)
    assert text_file.matches(text)
    assert len(text_file.open(text).splits["all"]) == 1
    for name, content in (
        ("libsvm", b"".join(b"%d 1:0.%d 7:0.5\n" % (i % 3, i) for i in range(60))),
        ("idx", b"\0\0\x08\x03" + b"words " * 60),
        ("photo.raw", bytes(range(256)) * 9),
        ("empty", b""),
    ):
        (tmp_path / name).write_bytes(content)
        assert not text_file.matches(tmp_path / name)


def test_a_format_named_for_data_that_it_does_not_fit(tmp_path):
    path = write(tmp_path / "a.txt", "prose only\n")
    for module in (labelled_lines, text_folders):
        with pytest.raises(DataError):
            module.open(path)


@pytest.mark.parametrize("text", ["so long " * 60, "語" * 100, "and/or " * 800], ids=["name", "bytes", "path"])
def test_a_text_may_be_longer_than_any_path(text):
    asked = inputs.read({"kind": "texts", "format": "class-files"}, RunConfig(data="a"), [text])
    assert asked.x == [text]


def test_what_is_longer_than_any_path_is_no_picture():
    with pytest.raises(DlcliError, match="there is no file or folder 'aaa"):
        inputs.read({"kind": "images", "format": "image-folder"}, RunConfig(data="a"), ["a" * 300])


def test_public_texts():
    data = labelled_lines.open(shared("text-kim2014/data/TREC.train.all"))
    assert {name: len(examples) for name, examples in data.splits.items()} == {"train": 5452, "test": 500}
    assert len(labelled_lines.open(shared("text-kim2014/data/rt-polarity.all")).splits["all"]) == 10662
    assert len(text_file.open(shared("tinyshakespeare")).splits["all"].x[0]) == 1115394


def chorale(folder, name, rows, columns=4):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(f"note{i}" for i in range(columns)), *(",".join(map(str, row)) for row in rows)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_tables_of_notes_are_texts_with_a_sign_for_each_note(tmp_path):
    for part in ("train", "valid", "test"):
        chorale(tmp_path / part, "a.csv", [(67, 62, 58, 0), (67, 62, 57, 127)])
    found = [entry.name for entry in registry.entries("formats").values() if entry.load().matches(tmp_path)]
    assert found == ["notes"]
    data = notes.open(tmp_path)
    assert list(data.splits) == ["train", "val", "test"]
    assert [ord(sign) - notes.FIRST_SIGN for sign in data.splits["train"].x[0]] == [67, 62, 58, 0, 67, 62, 57, 127]


@pytest.mark.parametrize(("cell", "said"), [("x", "line 3"), ("128", "line 3"), ("-1", "line 3"), ("60.5", "line 3")])
def test_what_is_no_note_is_named_with_its_line(tmp_path, cell, said):
    chorale(tmp_path, "a.csv", [(67, 62), (60, cell)], columns=2)
    with pytest.raises(DataError, match=said) as error:
        notes.open(tmp_path)
    assert cell in str(error.value)


def test_texts_of_one_class_are_said_to_be_read_without_labels(tmp_path):
    rows = "".join(f"some text number {i},spam\n" for i in range(40))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}")
    data = table.open(tmp_path / "a.csv")
    assert data.kind == "corpus"
    assert data.warnings == ["label has one value only, and classes take two: the texts are read without labels"]
