"""Whatever bytes a file holds, a reader gives data or a DlcliError, and nothing else.

Three ways: the kept corpus as it is; the corpus damaged at random; and, in the slow set, a search guided by
coverage (needs atheris), as long as DLCLI_FUZZ_SECONDS says.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).parent / "fuzz"
READERS = sorted(file.stem for file in FOLDER.glob("[a-z]*.py"))
# Those of models have tests of their own beside what they read.
DATA = [name for name in READERS if name not in ("checkpoint", "hdf5", "keras_file")]
SECONDS = int(os.environ.get("DLCLI_FUZZ_SECONDS", "20"))

FEW = settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
MANY = settings(FEW, derandomize=False)
FEWER = {"parquet": 1}  # each file is read in a process of its own


def seeds(reader: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((FOLDER / "corpus" / reader).iterdir())]


def reading(reader: str):
    return importlib.import_module(f"tests.fuzz.{reader}").one


@st.composite
def damaged(draw, known: list[bytes]) -> bytes:
    """A known file after a few cuts, repetitions, insertions and flips."""
    data = bytearray(draw(st.sampled_from(known)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 40))
        kind = draw(st.sampled_from(("cut", "repeat", "insert", "flip", "end", "swap")))
        if kind == "cut":
            del data[at : at + length]
        elif kind == "repeat":
            data[at:at] = data[at : at + length] * draw(st.integers(1, 30))
        elif kind == "insert":
            data[at:at] = draw(st.one_of(st.binary(max_size=8), st.sampled_from(TOKENS)))
        elif kind == "end":
            del data[at:]
        elif kind == "swap":
            data[at : at + length] = draw(st.sampled_from(known))[at : at + length]
        elif at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


TOKENS = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b'"', b"\n", b"\r", b",", b";", b"\t", b"nan", b"inf", b"1e999", b"-1", b"=", b"\\ud800",
    b"9" * 30, b"[" * 50, b"\x1b[31m", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"&a", b"*a", b"!!python/name:os.system",
)  # fmt: skip


@pytest.mark.parametrize("reader", DATA)
def test_the_corpus_and_its_damaged_copies(reader):
    one, known = reading(reader), seeds(reader)
    assert known
    for data in known:
        one(data)

    @settings(FEW, max_examples=FEWER.get(reader, 12))
    @given(damaged(known))
    def run(data):
        one(data)

    run()


@pytest.mark.parametrize("reader", DATA)
def test_bytes_that_are_no_file_at_all(reader):
    one = reading(reader)

    @settings(FEW, max_examples=FEWER.get(reader, 12))
    @given(st.binary(max_size=300))
    def run(data):
        one(data)

    run()


@given(st.lists(st.text(max_size=40), max_size=5), st.text(max_size=30))
@FEW
def test_assignments_and_times_of_any_text(assignments, time):
    one = reading("configuration")
    one("\n".join(assignments).encode("utf-8", "replace"))
    one(time.encode("utf-8", "replace"))


@pytest.mark.slow
@pytest.mark.parametrize("reader", DATA)
def test_many_damaged_copies(reader):
    one, known = reading(reader), seeds(reader)

    @settings(MANY, max_examples=100 * FEWER.get(reader, 15))
    @given(st.one_of(damaged(known), st.binary(max_size=2000)))
    def run(data):
        one(data)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_a_search_guided_by_coverage_finds_nothing(reader, tmp_path):
    pytest.importorskip("atheris")
    # -timeout: what waits for another process waits longer on a busy machine
    options = [
        f"-max_total_time={SECONDS}",
        "-max_len=4000",
        "-timeout=200",
        f"-artifact_prefix={tmp_path}/",
        str(tmp_path),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", reader, *options],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + 300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
