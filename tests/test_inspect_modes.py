"""`--timeline`, `--compare` and `--budget deep` as people call them, on small runs."""

import json
import shutil

import numpy as np
import pytest
from test_inspect_command import dlcli

pytestmark = pytest.mark.slow
SMALL = ("--set", "arch.width=4", "--json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A residual network that kept some of its epochs, and a deeper one."""
    folder = tmp_path_factory.mktemp("runs")
    for name, depth in (("one", 1), ("two", 2)):
        options = (*SMALL, "--set", f"arch.depth={depth}", "--set", "fit.keep=4", "--epochs", 6)
        dlcli("train", "digits:400", "--arch", "resnet", *options, "--set", "fit.batch_size=16", "--out", folder / name)
    return folder


def document_of(*arguments) -> dict:
    return json.loads(dlcli("inspect-layers", *arguments, "--json").stdout)


def kept(run) -> list[int]:
    return sorted(int(file.stem.removeprefix("epoch-")) for file in (run / "checkpoints").glob("epoch-*.keras"))


def test_a_timeline_has_the_levels_of_every_kept_epoch(runs, tmp_path):
    """Where every checkpoint is the finished model, every epoch says what the model's own layers say at best."""
    run, page = tmp_path / "run", tmp_path / "page.html"
    shutil.copytree(runs / "one", run)
    (first, *_), files = kept(run), sorted((run / "checkpoints").glob("epoch-*.keras"))
    assert len(files) >= 2
    for file in files:
        shutil.copyfile(run / "model.keras", file)
    document = document_of(run, "--timeline", "--html", page)
    measured = [layer["levels"] for layer in document["layers"] if layer.get("levels")]
    assert [moment["epoch"] for moment in document["timeline"]] == kept(run)
    for moment in document["timeline"]:
        for level, found in moment["levels"].items():
            assert found["learned"] == pytest.approx(max(layer[level]["learned"] for layer in measured), abs=1e-9)
            emerged = document["hierarchy"]["emergence"][level]
            assert found["emergence"] == (emerged and pytest.approx(emerged["value"]))
    table = next(table for table in document["tables"] if table["title"].startswith("timeline"))
    assert table["columns"] == ["epoch", *document["hierarchy"]["levels"], "tau"]
    came = dict(zip(table["columns"][1:], table["rows"][-1][1:], strict=False))
    emergence = document["hierarchy"]["emergence"]
    assert all(came[level] == (str(first) if emergence[level] else "never") for level in emergence)
    assert "Map: levels by epoch" in page.read_text(encoding="utf-8")


def test_a_timeline_reads_the_weights_of_its_checkpoints(runs, tmp_path):
    """Epochs that are other networks have other levels, and the run's own weights are what is shown above them."""
    document = document_of(runs / "one", "--timeline")
    moments = [[one["learned"] for one in moment["levels"].values()] for moment in document["timeline"]]
    plain = document_of(runs / "one")
    assert not np.allclose(moments[0], moments[1])
    assert plain["hierarchy"] == document["hierarchy"]
    assert json.loads((runs / "one" / "inspect" / "timeline-standard.json").read_text()) == document


def test_a_run_is_like_itself_in_every_layer(runs):
    """CKA 1 on the diagonal, no change of any level, and nothing gained or lost."""
    document = document_of(runs / "one", "--compare", runs / "one")
    matrix = np.array(document["compare"]["cka"]["matrix"])
    assert np.diag(matrix) == pytest.approx(np.ones(len(matrix)), abs=1e-4)
    assert matrix == pytest.approx(np.array(document["cka"]["matrix"]), abs=1e-4)
    tables = {table["title"]: table for table in document["tables"]}
    assert {row[3] for row in tables["levels: learned at best, and where"]["rows"]} == {"+0.00"}
    for row in tables["layer by layer"]["rows"]:
        assert row[1] == row[3] == "–"
    for row in tables["layers that agree (CKA)"]["rows"]:
        assert row[3] == "1.00"


def test_two_runs_stand_side_by_side(runs, tmp_path):
    """Sizes of both, a square for every pair of layers, gates of both, and the page draws the matrix."""
    page = tmp_path / "page.html"
    document = document_of(runs / "one", "--compare", runs / "two", "--html", page)
    other = document_of(runs / "two")
    names = [[layer["name"] for layer in one["layers"] if layer["measured"]] for one in (document, other)]
    assert np.array(document["compare"]["cka"]["matrix"]).shape == tuple(len(some) for some in names)
    assert [layer["name"] for layer in document["compare"]["layers"] if layer["measured"]] == names[1]
    assert document["compare"]["hierarchy"] == other["hierarchy"]
    sizes = next(table for table in document["tables"] if table["title"] == "the two models")["rows"]
    assert ["parameters", f"{document['model']['parameters']:,}", f"{other['model']['parameters']:,}"] in sizes
    assert any(gate["message"].startswith("the second model: ") for gate in document["gates"])
    assert "Two models side by side" in page.read_text(encoding="utf-8")


def test_deep_says_what_is_used_and_draws_units(runs, tmp_path):
    """Erasure beside a random subspace, effective fields within theoretical ones, units drawn, and the example asked for."""
    page = tmp_path / "page.html"
    document = document_of(runs / "one", "--budget", "deep", "--example", 3, "--html", page)
    titles = {entry["title"] for layer in document["layers"] for entry in layer.get("pictures", [])}
    assert {"filters", "patches across answers", "drawn beside real"} <= titles
    whole = {entry["title"]: entry for entry in document["pictures"]}
    assert {"effective receptive fields", "what speaks for the answer"} <= set(whole)
    assert whole["what speaks for the answer"]["alt"].startswith("1 pictures")
    fields = [(layer["own"]["eff. RF"], layer["receptive_field"]) for layer in document["layers"] if layer.get("own", {}).get("eff. RF")]  # fmt: skip
    assert fields
    assert all(effective <= (theoretical or 8) for effective, theoretical in fields)
    titles = {table["title"] for table in document["tables"]}
    assert any("erase" in title.lower() or "used" in title.lower() for title in titles), titles
    assert "drawn beside real" in page.read_text(encoding="utf-8")
