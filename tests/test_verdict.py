"""Where a deep network is the wrong tool, the verdict says so, and why."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from dlcli import splits, verdict
from dlcli.data import Data, Examples
from dlcli.formats import builtin
from dlcli.task import Report, Score
from tests.test_checks import digits
from tests.test_compare import run


@dataclass
class Plain:
    """What a verdict asks of a task."""

    headline: str = "accuracy"
    sign: int = 1


def scored(value: float, half: float = 0.02) -> Report:
    return Report(scores={"accuracy": Score(value, value - half, value + half, 500)})


def reasons(data: Data | None, ours: float, *, adapted: bool = False, **rivals: float) -> list[str]:
    found = {name.replace("_", "-"): scored(value) for name, value in rivals.items()}
    return verdict.reasons(verdict.Case(Plain(), scored(ours), found, data, adapted))


def sample(name: str) -> Data:
    return splits.split(builtin.open(name))[0]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("parity", "parity (XOR) of b2 + b3"),
        ("waves", "extrapolate: 99 %"),
        ("tiny", "training examples per class"),
        ("shuffled", "noise ceiling is reached: no model"),
        ("linear", "linear in the inputs"),
    ],
)
def test_the_reason_is_the_one_that_the_sample_was_made_for(name, word):
    """Scores as they come out there: nothing beats chance, but on the linear set."""
    scores = (
        {"majority": 0.5, "logistic_regression": 0.51}
        if name != "linear"
        else {
            "majority": 0.33,
            "logistic_regression": 0.6,
        }
    )
    found = reasons(sample(name), 0.505 if name != "linear" else 0.59, **scores)
    assert word in found[0]


def test_transfer_is_named_as_the_way_out_of_few_examples():
    assert "dlcli transfer" in reasons(sample("tiny"), 0.1, majority=0.1, logistic_regression=0.11)[0]


def test_transfer_is_no_way_out_for_what_was_transferred():
    (told,) = reasons(sample("tiny"), 0.1, adapted=True, majority=0.1, logistic_regression=0.11)
    assert "random weights" not in told
    assert "trained before" in told


def test_clean_data_give_no_reason_but_that_the_simple_model_is_enough():
    """digits: no rule, no shift, no noise."""
    found = reasons(digits(), 0.95, majority=0.1, logistic_regression=0.96)
    assert found == ["What can be told is linear in the inputs."]
    assert reasons(digits(), 0.95, majority=0.1, nearest_neighbours=0.96) == []


def test_a_random_walk_is_told_from_a_series_with_a_course(rng):
    from dlcli.data import Span

    steps = rng.normal(0, 1, (3_000, 2)).cumsum(axis=0).astype("float32")
    data, _ = splits.split(Data(kind="series", splits={"all": Examples(x=[Span(steps, 0, 3_000, "s")])}))
    assert any("last value is about the best" in text for text in reasons(data, 0.5, last_value=0.6))
    course = (np.sin(np.arange(3_000) / 7)[:, None] + rng.normal(0, 0.1, (3_000, 1))).astype("float32")
    data, _ = splits.split(Data(kind="series", splits={"all": Examples(x=[Span(course, 0, 3_000, "s")])}))
    assert not any("noise" in text for text in reasons(data, 0.5, last_value=0.6))


def test_without_data_there_is_no_reason_that_needs_them():
    assert reasons(None, 0.5, majority=0.2, gradient_boosting=0.6) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "word"),
    [
        ("parity", "wants symbols"),
        ("waves", "extrapolate"),
        ("tiny", "dlcli transfer"),
        ("shuffled", "noise ceiling"),
        ("linear", "linear in the inputs"),
    ],
)
def test_train_says_it_on_the_sample(data, word, tmp_path):
    answer = run("train", data, "--out", "run", "--epochs", "20", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert word in answer.stdout.replace("\n", " ")


def test_examples_that_were_learned_from_tell_no_winner(tmp_path, rng):
    """A picture of each class: none can be kept apart, and train scores what it has learned."""
    for name in "abc":
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / "data" / name / "1.png")
    answer = run("train", "data", "--arch", "mlp", "--epochs", "1", "--out", "run", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["verdict"].startswith("These scores are of training examples")
    answer = run("evaluate", "run", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert list(json.loads(answer.stdout)["metrics"]) == ["train"]
    assert json.loads(answer.stdout)["verdict"].startswith("These scores are of training examples")
