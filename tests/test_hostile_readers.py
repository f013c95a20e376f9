"""Readers under arbitrary bytes: what the searches of tests/fuzz kept, and random changes of good models."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.errors import MODEL, DlcliError
from dlcli.safety import preflight

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
KEPT = [(reader, file) for reader in ("checkpoint", "keras_file") for file in sorted((CORPUS / reader).iterdir())]


@pytest.mark.parametrize(("reader", "file"), KEPT, ids=lambda part: getattr(part, "name", part))
def test_what_was_kept_raises_nothing_but_refusals(reader, file):
    """Every input that a search found worth keeping: read, or a DlcliError."""
    importlib.import_module(f"tests.fuzz.{reader}").one(file.read_bytes())


@pytest.mark.parametrize("name", ["weights", "older", "packed"])
def test_hdf5_that_was_kept(name, tmp_path):
    """Honest files from which the search begins: as weights, as a model of the older layout, packed."""
    (tmp_path / "m.h5").write_bytes((CORPUS / "hdf5" / name).read_bytes())
    assert preflight.check(tmp_path / "m.h5").arrays >= 2


@pytest.mark.slow
def test_a_file_that_keeps_the_library_busy_for_ever_is_refused(tmp_path):
    """A few changed bytes send the HDF5 library into an endless loop; found by a search. Its time is limited."""
    (tmp_path / "m.h5").write_bytes((CORPUS / "hdf5" / "endless").read_bytes())
    with pytest.raises(DlcliError, match="takes more than 3 s") as caught:
        preflight.check(tmp_path / "m.h5")
    assert caught.value.code == MODEL


def mutations(seed: int, count: int) -> dict:
    """What a process tells that opened so many spoilt models."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.hostile.mutated", str(seed), str(count)],
        capture_output=True, text=True, check=False, timeout=60 + 5 * count, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_spoilt_models_are_read_or_refused(seed):
    """2 000 of them: one sentence each, no other error, no signal, no hang, and memory stays in bounds."""
    told = mutations(seed, 100)
    assert told["wrong"] == []
    assert told["read"] + told["refused"] == 100
    assert told["read"] >= 5
    assert told["memory"] < 1536
    assert told["slowest"] < 30
