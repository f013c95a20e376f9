"""Transfer: what is copied, what stays as it was, and that the head in the model is the regression that was fitted."""

import json
import struct
from dataclasses import replace
from importlib import util
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tiny
from typer.testing import CliRunner

from dlcli import console, finished, plan, registry, scoring, sources, splits
from dlcli.cli import app
from dlcli.config import FitConfig, RunConfig
from dlcli.data import Examples
from dlcli.errors import MISMATCH, DlcliError
from dlcli.plan import Plan
from dlcli.reference import parse
from dlcli.rundir import Run
from dlcli.task import Arrays, Score
from dlcli.training import Fitting
from dlcli.transfer import change, features, finals, heads, logistic, mirror, origin, reader, states, trials
from dlcli.transfer.work import Work
from tests.training import killed_after, outcome

FIT = ["--set", "fit.epochs=1", "--set", "fit.batch_size=32"]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DLCLI_CACHE", str(folder))
    return folder


def dlcli(*arguments) -> dict:
    """The command's JSON document. It must succeed."""
    console.results.quiet = False
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(*arguments) -> DlcliError:
    """The mistake that the command tells."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, DlcliError), result.output
    return result.exception


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A small residual network, with batch normalisations, that has seen digits for one epoch."""
    out = tmp_path_factory.mktemp("source") / "digits"
    dlcli("train", "digits:200", "--arch", "resnet", "--set", "arch.width=4", "--out", out, *FIT)
    return out


def weights(run) -> dict[str, np.ndarray]:
    import keras

    model = keras.saving.load_model(run / "model.keras", compile=False)
    return {weight.path: np.asarray(weight) for weight in model.weights}


def prepared(source, data_name: str = "shapes:120", **other):
    """Plan, split data and origin for a transfer of a run, as the command makes them. other: fields of the plan."""
    planned = {"arch": registry.find("architectures", "resnet"), "arch_options": {"width": 4}, **other}
    config = RunConfig(data=data_name)
    entry = plan.locate(config)
    data, _ = splits.split(plan.open_data(entry, config), seed=0)
    task = registry.find("tasks", "image-classification")
    chosen = Plan(
        format=entry,
        task=task,
        fit=FitConfig(epochs=1, batch_size=32, learning_rate=0.01),
        task_options={},
        **planned,
    )
    learned = task.load().Task.learn(data.splits["train"], data)
    return chosen, data, origin.of(parse(str(source)), chosen, learned, data.splits["train"])


def work(source, run: Run) -> tuple[Work, dict]:
    chosen, data, found = prepared(source)
    labels = {part: found.task.targets(data.splits[part]) for part in data.splits}
    parts = {part: data.splits[part] for part in ("train", "val")}
    rows = features.gathered(found.make(), found.task, parts, kind="images", identity=found.identity)
    last, best = heads.solved(rows, {part: labels[part] for part in parts}, len(found.task.classes), seed=0)
    fitting = Fitting.of(found.task, data.splits, seed=0)
    made = Work(origin=found, fitting=fitting, settings=chosen.fit, given=frozenset(), run=run, last=last, best=best)
    return made, {"data": data, "rows": rows, "labels": labels}


@pytest.mark.parametrize(
    ("named", "scratch", "full"), [({}, (15, 2000), (10, 300)), ({"epochs": 2}, (2, None), (2, None))]
)
def test_fresh_weights_are_trained_as_long_as_they_need_and_no_shorter(source, named, scratch, full):
    """resnet asks for 15 epochs or 2 000 steps, and a transfer for ten or 300; what the user names is for both."""
    reference = parse(str(source))
    flags = {"data": "shapes:120", **{f"fit.{name}": value for name, value in named.items()}}
    config = sources.settings(reference, assignments=[], flags=flags, pixels=None)
    entry = plan.locate(config)
    data = plan.open_data(entry, config)
    for strategy, expected in (("scratch", scratch), ("full", full)):
        fit = sources.choose(reference, config, entry, data, strategy=strategy, curve=False).fit
        assert (fit.epochs, fit.steps) == expected


def test_a_transfer_goes_on_with_the_backend_of_its_source(source, monkeypatch):
    """As its help says; the environment's is for a source that has none."""
    own = Run(source).read("config.json")["backend"]
    other = "jax" if own == "tensorflow" else "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", other)
    backends = [
        sources.settings(
            parse(str(path)), assignments=[], flags={"data": "shapes", "backend": named}, pixels=None
        ).backend
        for path, named in ((source, None), (source, other), (source / "model.keras", None))
    ]
    assert backends == [own, other, other]


# ---- what is copied --------------------------------------------------------------------------


def test_weights_are_copied_by_path_and_the_lists_say_which(source):
    """Everything but the head comes from the source, to the bit; other classes mean another head."""
    _, _, found = prepared(source)
    theirs = weights(source)
    model = found.make()
    for weight in model.weights:
        same = weight.shape == theirs[weight.path].shape and np.array_equal(np.asarray(weight), theirs[weight.path])
        assert same == (weight.path in found.lists.copied), weight.path
    assert found.lists.fresh == ["head_logits/kernel", "head_logits/bias"]
    assert found.lists.dropped == ["head_logits/bias", "head_logits/kernel"]
    assert set(found.lists.copied) == {path for path in theirs if not path.startswith("head_")}


def test_the_head_is_copied_where_its_answers_are_the_same(source):
    _, _, found = prepared(source, "digits:150")
    assert found.lists.fresh == found.lists.dropped == []


def test_the_sources_input_is_taken_over_and_the_rest_is_learned(source):
    """Colour pictures of another size go in as the source's grey ones did."""
    _, data, found = prepared(source)
    theirs = json.loads((source / "spec.json").read_text())["learned"]
    assert data.splits["train"].x.size()[2] == 3
    assert (found.task.image, found.task.mean, found.task.deviation) == (
        theirs["image"],
        theirs["mean"],
        theirs["deviation"],
    )
    assert found.task.classes != theirs["classes"]
    x, _ = found.task.source(data.splits["train"], training=False).batch(np.arange(2), np.random.default_rng(0))
    assert x.shape == (2, *theirs["image"])


# ---- what stays as it was --------------------------------------------------------------------


def test_head_leaves_frozen_weights_and_statistics_as_they_are(source, tmp_path):
    """Training the head moves nothing of the body, batch statistics among it, to the bit."""
    made, _ = work(source, Run(tmp_path))
    done = registry.find("strategies", "head").load().adapt(made)
    before, after = weights(source), {w.path: np.asarray(w) for w in done.fitted.model.weights}
    assert any("moving_mean" in path for path in before)
    for path in made.origin.lists.copied:
        np.testing.assert_array_equal(after[path], before[path], err_msg=path)
    assert done.states["trainable"] == 1
    norms = sum(path.endswith("moving_mean") for path in before)
    assert done.states["batch_norms_in_inference"] == norms


def test_full_training_moves_the_body_but_not_its_statistics(source, tmp_path):
    """Else the test above would hold of anything. Batch normalisations stay in inference mode."""
    made, _ = work(source, Run(tmp_path))
    done = registry.find("strategies", "full").load().adapt(made)
    before, after = weights(source), {w.path: np.asarray(w) for w in done.fitted.model.weights}
    moved = {path for path in made.origin.lists.copied if not np.array_equal(after[path], before[path])}
    assert moved == {path for path in made.origin.lists.copied if path.endswith("/kernel")}
    assert done.states["frozen"] == done.states["batch_norms_in_inference"] > 0


def test_gradual_frees_the_upper_layers_first(source, tmp_path):
    made, _ = work(source, Run(tmp_path))
    model = made.start()
    states.freeze(model, 0.5)
    free = [layer.trainable for layer in states.body(model) if hasattr(layer, "kernel")]
    assert free == sorted(free)
    assert 0 < sum(free) < len(free)
    done = registry.find("strategies", "gradual").load().adapt(made)
    first, second = done.more["stages"]
    assert first["frozen"] > second["frozen"] == second["batch_norms_in_inference"]


def test_lora_ends_as_an_ordinary_model_that_answers_as_the_trained_one(source, tmp_path):
    """Kernels and their matrices are added up: the same answers, and as many weights as the source."""
    import keras

    strategy = registry.find("strategies", "lora").load()
    made, _ = work(source, Run(tmp_path))
    trained, plain = made.start(), made.origin.make()
    strategy.enable(trained, 2)
    rng = np.random.default_rng(0)
    for weight in trained.weights:
        if "lora" in weight.path:
            weight.assign(rng.normal(0, 0.1, weight.shape))
    strategy.merge(trained, plain)
    x = rng.integers(0, 256, (4, *made.task.image)).astype("uint8")
    answers = [keras.ops.convert_to_numpy(model(x, training=False)) for model in (trained, plain, made.start())]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)
    assert np.abs(answers[0] - answers[2]).max() > 1e-3
    assert len(plain.weights) == len(made.start().weights) < len(trained.weights)


# ---- features --------------------------------------------------------------------------------


def test_the_saved_model_answers_as_the_regression_does(source, tmp_path):
    """Its predictions are scikit-learn's predict_proba on standardised features, to 1e-5."""
    import keras

    made, beside = work(source, Run(tmp_path))
    registry.find("strategies", "features").load().adapt(made)
    saved = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    val = made.task.source(beside["data"].splits["val"], training=False)
    x, _ = val.batch(np.arange(len(val)), np.random.default_rng(0))
    solution = made.best.solution
    z = (beside["rows"].values["val"][made.best.place] - solution.mean) / solution.scale
    np.testing.assert_allclose(saved.predict_on_batch(x), solution.model.predict_proba(z), atol=1e-5)


def test_a_head_may_sit_lower(source, tmp_path):
    """A model cut at a place of its body answers as the regression on that place's features does."""
    made, beside = work(source, Run(tmp_path))
    place = beside["rows"].places[1]
    train, val = (beside["rows"].values[part][place] for part in ("train", "val"))
    labels = beside["labels"]
    solution = logistic.solve(train, labels["train"], (val, labels["val"]), len(made.task.classes))
    model = heads.placed(
        made.origin.make(), made.task, heads.Head(place=place, solution=solution, accuracy=0.0, probes=[])
    )
    source_ = made.task.source(beside["data"].splits["val"], training=False)
    x, _ = source_.batch(np.arange(len(source_)), np.random.default_rng(0))
    np.testing.assert_allclose(model.predict_on_batch(x), solution.probabilities(val), atol=1e-5)
    assert model.count_params() < made.start().count_params()


@pytest.mark.parametrize("classes", [2, 3])
def test_a_folded_regression_is_the_regression(classes, rng):
    x = np.concatenate([rng.normal(5, 3, (60, 4)), np.ones((60, 1))], axis=1).astype("float32")
    y = (x[:, 0] + rng.normal(size=60)).argsort().argsort() * classes // 60
    solution = logistic.solve(x[:40], y[:40], (x[40:], y[40:]), classes)
    z = (x - solution.mean) / solution.scale
    np.testing.assert_allclose(solution.probabilities(x), solution.model.predict_proba(z), atol=1e-9)
    assert (solution.probabilities(x).argmax(axis=1) == y).mean() > 0.7


def test_features_are_the_mean_over_positions_of_what_the_layers_give(source):
    import keras

    _, data, found = prepared(source)
    model = found.make()
    rows = features.gathered(model, found.task, {"val": data.splits["val"]}, kind="images", identity="", keep=False)
    val = found.task.source(data.splits["val"], training=False)
    x, _ = val.batch(np.arange(len(val)), np.random.default_rng(0))
    for place in rows.places:
        name = place.rpartition("/")[2] if place != features.LAST else "features"
        inside = keras.Model(model.inputs, model.get_layer(name).output).predict_on_batch(x)
        np.testing.assert_allclose(rows.values["val"][place], inside.mean(axis=(1, 2)), atol=1e-4, err_msg=place)


def test_the_cache_gives_the_same_numbers_without_a_pass(source, monkeypatch, cache):
    _, data, found = prepared(source)
    parts = {part: data.splits[part] for part in ("train", "val")}

    def gather():
        return features.gathered(found.make(), found.task, parts, kind="images", identity=found.identity)

    first = gather()
    monkeypatch.setattr(features, "_pass", lambda *_: pytest.fail("the pass was run again"))
    second = gather()
    assert (first.cached, second.cached) == (False, True)
    for part in parts:
        for place in first.places:
            np.testing.assert_array_equal(first.values[part][place], second.values[part][place])
    assert len(list(cache.glob("*.npy"))) == 2


def test_other_weights_or_other_pictures_are_not_taken_from_the_cache(source):
    _, data, found = prepared(source)
    val = {"val": data.splits["val"]}
    features.gathered(found.make(), found.task, val, kind="images", identity=found.identity)
    assert not features.gathered(found.fresh(), found.task, val, kind="images", identity=found.identity).cached
    fewer = {"val": data.splits["val"].take(np.arange(len(data.splits["val"]) - 1))}
    assert not features.gathered(found.make(), found.task, fewer, kind="images", identity=found.identity).cached
    model = found.make()
    model.get_layer("head_logits").bias.assign(np.ones(len(found.task.classes)))
    assert features.gathered(model, found.task, val, kind="images", identity=found.identity).cached


# ---- the command -----------------------------------------------------------------------------


def test_the_command_leaves_a_run_that_the_others_understand(source, tmp_path):
    out = tmp_path / "run"
    report = dlcli("transfer", source, "shapes:120", "--strategy", "features", "--out", out)
    told = report["transfer"]
    assert (told["strategy"], told["source"]) == ("features", str(source))
    assert told["states"]["trainable"] == 1
    assert len(told["copied"]) > 10
    assert {path.name for path in out.iterdir()} >= {
        "config.json", "spec.json", "model.keras", "last.keras", "history.jsonl", "environment.json", "report.json",
    }  # fmt: skip
    assert dlcli("evaluate", out)["metrics"]["test"] == report["metrics"]["test"]


def test_auto_tries_strategies_and_shows_a_random_body_beside_them(source, tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "names", lambda: ["features", "lora", "scratch"])
    report = dlcli("transfer", source, "shapes:120", "--time", "5s", "--out", tmp_path / "run")
    tried = [row["strategy"] for row in report["transfer"]["trials"]]
    assert tried == ["features", "lora", "scratch", "features, random body"]
    assert report["transfer"]["strategy"] in tried[:-1]
    for row in report["transfer"]["trials"]:
        assert row["low"] <= row["value"] <= row["high"]
    assert not list((tmp_path / "run").rglob(".tmp*"))


def trial(name: str, value: float) -> trials.Trial:
    """A trial with a standard error of 0.03."""
    return trials.Trial(
        name=name, score=Score(value, value - 1.96 * 0.03, value + 1.96 * 0.03, 200), seconds=1, trainable=1
    )


@pytest.mark.parametrize(
    ("solved", "expected"), [(0.82, "full"), (0.84, "features"), (0.70, "full")], ids=["within", "beyond", "below"]
)
def test_what_is_trained_wins_unless_features_are_ahead_by_more_than_a_standard_error(solved, expected):
    """The best of the trained has 0.8; the standard error of the features is 0.03."""
    found = [trial("features", solved), trial("lora", 0.76), trial("full", 0.8), trial("scratch", 0.6)]
    assert trials.finalists(found, sign=1) == [expected]


def test_where_less_is_better_the_least_wins():
    found = [trial("full", 0.8), trial("lora", 0.7), trial("scratch", 0.9)]
    assert trials.finalists(found, sign=-1) == ["lora"]


def test_what_a_trial_cannot_tell_apart_is_trained_in_full():
    """At most two, and those within one standard error, 0.03, of each other."""
    found = [trial("head", 0.78), trial("lora", 0.79), trial("full", 0.8), trial("scratch", 0.6)]
    assert trials.finalists(found, sign=1) == ["full", "lora"]


@pytest.mark.parametrize(("scratch", "warned"), [(0.55, False), (0.75, True)])
def test_a_transfer_that_has_not_helped_is_warned_of(scratch, warned):
    """What fresh weights reach decides, and not what features of a random body do."""
    found = [trial("features", 0.8), trial("full", 0.78), trial("scratch", scratch), trial(trials.CONTROL, 0.99)]
    asked = SimpleNamespace(task=SimpleNamespace(sign=1))
    assert bool(trials.negative(asked, found)) == warned


@pytest.mark.parametrize(("known", "expected"), [(1.1, "features"), (0.0, None)])
def test_the_validation_split_says_which_finalist_stays(source, tmp_path, known, expected):
    """Both are trained; features, solved for before, stay where training ended worse."""
    made, beside = work(source, Run(tmp_path))
    val = beside["data"].splits["val"]
    made = replace(made, best=replace(made.best, accuracy=known))
    name, kept, reached = finals.trained(made, ["scratch", "full"], val)
    assert set(reached) == {"scratch", "full", "features"}
    assert name == (expected or max(("scratch", "full"), key=reached.get))
    assert (kept.fitted.epochs == 0) == (name == "features")
    kept_there = scoring.score(made.task, keras.models.load_model(made.run.model), val).scores["accuracy"].value
    if name != "features":
        assert kept_there == reached[name]
        assert {"last.keras", "history.jsonl", "checkpoints"} <= {file.name for file in tmp_path.iterdir()}
    assert not list(tmp_path.glob(".tmp*"))


STEADY = ["--set", "fit.save_every=0", "--set", "task.augment=none"]


@pytest.mark.parametrize(
    ("kills", "strategy"),
    [
        ((6, 1), "auto"),
        pytest.param((3,), "auto", marks=pytest.mark.slow),
        pytest.param((3,), "full", marks=pytest.mark.slow),
        pytest.param((1, 2), "gradual", marks=pytest.mark.slow),
    ],
)
def test_a_transfer_that_was_killed_goes_on_bit_for_bit(source, tmp_path, monkeypatch, kills, strategy):
    """In a stage, in a trial, in a final: what is done is not done again, and the end is the same."""
    monkeypatch.setattr(trials, "names", lambda: ["features", "full", "scratch"])
    monkeypatch.setattr(trials, "SECONDS", 0.0)
    monkeypatch.setattr(heads, "solved", solved_badly(heads.solved))
    asked = ["transfer", source, "shapes:120", "--strategy", strategy, "--set", "fit.epochs=2", *FIT[2:], *STEADY]
    straight = dlcli(*asked, "--out", tmp_path / "straight")
    command = [*asked, "--out", tmp_path / "killed"]
    for batches in kills:
        with killed_after(batches):
            CliRunner().invoke(app, [*map(str, command)], catch_exceptions=False)
        command = ["transfer", "--resume", tmp_path / "killed"]
    resumed = dlcli(*command)
    assert resumed["metrics"] == straight["metrics"]
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "straight")
    told = [{key: row[key] for key in row if key != "seconds"} for row in resumed["transfer"]["trials"]]
    assert told == [{key: row[key] for key in row if key != "seconds"} for row in straight["transfer"]["trials"]]
    assert not (tmp_path / "killed" / "finals").exists()
    before = (tmp_path / "killed" / "report.json").read_bytes()
    assert dlcli(*command)["metrics"] == straight["metrics"]
    assert (tmp_path / "killed" / "report.json").read_bytes() == before


def solved_badly(solve):
    """Heads that are no better than a guess, so that what was trained stays."""

    def solved(*args, **options):
        last, best = solve(*args, **options)
        return last, replace(best, accuracy=0.0)

    return solved


def test_what_a_transfer_cannot_go_on_with_is_said(source, tmp_path):
    run = tmp_path / "run"
    asked = ["transfer", source, "shapes:120", "--strategy", "full", *FIT, *STEADY, "--out", run]
    with killed_after(1):
        CliRunner().invoke(app, [*map(str, asked)], catch_exceptions=False)
    assert f"transfer --resume {run}" in refused(*asked).hint
    assert f"transfer --resume {run}" in refused("train", "--resume", run).hint
    for option in (("--epochs", 3), ("--strategy", "lora"), ("--curve",), ("--no-cache",)):
        assert "leave the other options" in refused("transfer", "--resume", run, *option).hint
    assert "no transfer" in refused("transfer", "--resume", tmp_path / "none").message
    assert "was not begun by transfer" in refused("transfer", "--resume", source).message
    assert "DATA is missing" in refused("transfer", source).message
    known = run / "source.json"
    known.write_text(json.dumps({"weights": "others"}))
    error = refused("transfer", "--resume", run)
    assert (error.code, "other weights" in error.message) == (MISMATCH, True)


def test_a_forecaster_goes_on_with_another_series(tmp_path):
    """Its window, its horizon and all that was trained are taken over; levels and the best linear map are those of the
    new series."""
    rng = np.random.default_rng(0)
    for name, period in (("one", 12), ("two", 9)):
        values = 10 + np.sin(np.arange(400) / period) + 0.1 * rng.normal(size=400)
        rows = "".join(f"2020-01-01T{i // 60:02d}:{i % 60:02d}:00,{value:.4f}\n" for i, value in enumerate(values))
        (tmp_path / f"{name}.csv").write_text("time,level\n" + rows)
    common = ["--task", "forecasting", *FIT]
    dlcli(
        "train", tmp_path / "one.csv", "--arch", "lstm", "--out", tmp_path / "one", *common, "--horizon", 4,
        "--set", "task.lookback=24", "--set", "arch.units=8", "--set", "arch.depth=1",
    )  # fmt: skip
    report = dlcli(
        "transfer", tmp_path / "one", tmp_path / "two.csv", "--strategy", "full", "--out", tmp_path / "run", *common,
        "--curve", "--epochs", 2,
    )  # fmt: skip
    curve = report["transfer"]["curve"]
    assert [row["steps"] for row in curve["transfer"]] == [row["steps"] for row in curve["scratch"]]
    reached = curve["reached"]
    assert reached["loss"] == max(min(row["loss"] for row in curve[side]) for side in ("transfer", "scratch"))
    for side in ("transfer", "scratch"):
        assert next(row["steps"] for row in curve[side] if row["loss"] <= reached["loss"]) == reached[side]
    assert all(0.3 < row["cka"] <= 1 + 1e-4 for row in report["transfer"]["change"])
    own = ["head_combined/kernel", "head_combined/shares"]
    assert report["transfer"]["fresh"] == report["transfer"]["dropped"] == own
    assert not np.allclose(*(weights(tmp_path / run)[own[0]] for run in ("one", "run")), atol=1e-3)
    learned = json.loads((tmp_path / "run" / "spec.json").read_text())["learned"]
    assert (learned["lookback"], learned["horizon"]) == (24, 4)
    error = refused("transfer", tmp_path / "one", tmp_path / "two.csv", "--strategy", "features", *common)
    assert "is for classes" in error.message


def test_a_foreign_body_without_weights_is_a_random_one(tmp_path):
    """keras:MobileNet at its smallest: nothing copied, the scale of its pixels found, its norms in inference."""
    out = tmp_path / "run"
    report = dlcli(
        "transfer", "keras:MobileNet,alpha=0.25,input=32", "digits:150", "--strategy", "features", "--out", out
    )
    assert report["transfer"]["copied"] == []
    norms = sum(path.endswith("moving_mean") for path in weights(out))
    assert report["transfer"]["states"]["batch_norms_in_inference"] == norms > 0
    assert set(report["transfer"]["fresh"]) == {path for path in weights(out) if not path.startswith("stem_")}
    learned = json.loads((out / "spec.json").read_text())["learned"]
    assert learned["image"] == [32, 32, 3]
    np.testing.assert_allclose(learned["mean"], 0.5, atol=1e-6)  # -1..1
    np.testing.assert_allclose(learned["deviation"], 0.5, atol=1e-6)
    assert dlcli("evaluate", out)["metrics"]["test"] == report["metrics"]["test"]
    opened = finished.load(Run(out))
    assert (opened.spec["architecture"], opened.short) == ("dlcli.transfer.backbone", "backbone")
    assert opened.run.adapted


@pytest.mark.parametrize("scale", ["0..255", "0..1", "-1..1", "imagenet", "caffe"])
def test_a_foreign_body_sees_the_pixels_it_was_trained_on(scale, tmp_path):
    """The new model's body gets what the scale makes of the pictures, blue first where it is so."""
    import keras

    from dlcli.pretrained import RANGES
    from dlcli.transfer import backbone

    inputs = keras.Input((6, 6, 3))
    keras.Model(inputs, keras.layers.Conv2D(2, 3, name="conv")(inputs)).save(tmp_path / "body.keras")
    source = str(tmp_path / "body.keras")
    data = tiny.data("images", "classes")
    task = registry.find("tasks", "image-classification").load().Task.learn(data.splits["all"], data)
    for name, value in backbone.opened(source, scale).fields.items():
        setattr(task, name, value)
    model = backbone.build(task, source=source, pixels=scale)
    x = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 3)).astype("uint8")
    seen = keras.Model(model.inputs, model.get_layer("features").output).predict_on_batch(x)
    expected = keras.saving.load_model(source).predict_on_batch(RANGES[scale](x.astype(np.float32)))
    np.testing.assert_allclose(seen, expected, rtol=1e-4, atol=1e-3)


def test_a_language_model_becomes_a_classifier(tmp_path):
    """Its tokens, its length and its blocks are taken over; its head is dropped."""
    rhyme, lines = tmp_path / "rhyme.txt", tmp_path / "lines.txt"
    rhyme.write_text("the sun is up and the moon is down. " * 100)
    lines.write_text("".join(f"{i % 2} the {'sun is up' if i % 2 else 'moon is down'} on day {i}\n" for i in range(60)))
    dlcli(
        "train", rhyme, "--arch", "gpt", "--out", tmp_path / "lm", *FIT, "--set", "arch.width=16",
        "--set", "arch.depth=1", "--set", "task.context=32",
    )  # fmt: skip
    report = dlcli("transfer", tmp_path / "lm", lines, "--strategy", "features", "--out", tmp_path / "run")
    told = report["transfer"]
    assert "stem_embedding/embeddings" in told["copied"]
    assert {path.partition("/")[0] for path in told["fresh"] + told["dropped"]} == {"head_logits"}
    learned = json.loads((tmp_path / "run" / "spec.json").read_text())["learned"]
    assert (learned["tokenizer"], learned["length"]) == ("char", 32)
    assert report["metrics"]["test"]["accuracy"]["value"] == 1


def test_the_windows_of_a_language_model_are_what_is_told_of_and_not_the_length_of_its_text(tmp_path):
    """The model takes no text as a whole, whose tokens are fewer in pairs than in characters."""
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("the sun is up and the moon is down. " * 100)
    second.write_text("the moon is up and the sun is down. " * 50)
    own = ("--set", "arch.width=16", "--set", "arch.depth=1", *FIT)
    own = (*own, "--set", "task.context=32", "--set", "task.tokenizer=byte-pair")
    dlcli("train", first, "--arch", "gpt", "--out", tmp_path / "lm", *own)
    result = CliRunner().invoke(
        app,
        ["transfer", str(tmp_path / "lm"), str(second), "--strategy", "head", "--out", str(tmp_path / "run"), *FIT,
         "--set", "task.context=48"],
        catch_exceptions=False,
    )  # fmt: skip
    assert "the source's context is used: 32 steps, where this data alone would have 48" in result.stderr
    assert "source's length" not in result.stderr


def test_guessing_hidden_words_prepares_a_classifier(tmp_path):
    """The encoder's words and blocks are taken over; there is nothing to drop, since the words' vectors told them apart."""
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"{i % 2} the {'sun is up' if i % 2 else 'moon is down'} on day {i}\n" for i in range(60)))
    own = ("--set", "arch.width=16", "--set", "arch.depth=1", *FIT)
    report = dlcli("train", lines, "--task", "masked-language-modeling", "--out", tmp_path / "words", *own)
    assert set(report["metrics"]["test"]) == {"nats_per_token", "accuracy", "perplexity"}
    report = dlcli("transfer", tmp_path / "words", lines, "--strategy", "features", "--out", tmp_path / "run")
    assert {path.partition("/")[0] for path in report["transfer"]["fresh"]} == {"head_logits"}
    assert report["transfer"]["dropped"] == []
    theirs, ours = (json.loads((tmp_path / run / "spec.json").read_text())["learned"] for run in ("words", "run"))
    assert (ours["vocabulary"], ours["length"]) == (theirs["vocabulary"], theirs["length"])
    assert report["metrics"]["test"]["accuracy"]["value"] == 1


# ---- what is a source ------------------------------------------------------------------------


def resnet20(path, rng):
    """A state dict with the names of pytorch_resnet_cifar10, one block per stage, four filters, as safetensors."""
    shapes = {"conv1.weight": (4, 3, 3, 3), "linear.weight": (10, 16), "linear.bias": (10,)}
    norms = {"bn1": 4}
    for stage in (1, 2, 3):
        width, before = 4 * 2 ** (stage - 1), 4 * 2 ** max(stage - 2, 0)
        shapes |= {
            f"layer{stage}.0.conv1.weight": (width, before, 3, 3),
            f"layer{stage}.0.conv2.weight": (width,) * 2 + (3, 3),
        }
        norms |= {f"layer{stage}.0.bn1": width, f"layer{stage}.0.bn2": width}
    for name, width in norms.items():
        shapes |= {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
    tensors = {name: rng.uniform(0.1, 1, shape).astype("<f4") for name, shape in shapes.items()}
    header, at = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(value.tobytes() for value in tensors.values()))
    return tensors


def test_weights_of_another_program_are_a_source_and_a_model(tmp_path, rng):
    """Its kernels are in the new model, turned; its pixels are scaled as its authors did; evaluate takes it, too."""
    path = tmp_path / "resnet.safetensors"
    theirs = resnet20(path, rng)
    out = tmp_path / "run"
    report = dlcli("transfer", path, "shapes:120", "--strategy", "features", "--out", out)
    ours = weights(out)
    np.testing.assert_array_equal(ours["stem_conv/kernel"], theirs["conv1.weight"].transpose(2, 3, 1, 0))
    assert {name.partition("/")[0] for name in report["transfer"]["fresh"]} == {"head_logits"}
    learned = json.loads((out / "spec.json").read_text())["learned"]
    assert (learned["image"], learned["mean"]) == ([32, 32, 3], [0.485, 0.456, 0.406])
    folder = pictures(tmp_path / "cifar", ["cat", "dog"], rng)
    scores = dlcli("evaluate", path, "--data", folder)["metrics"]
    assert scores["all"]["accuracy"]["n"] == 8
    assert "--data" in refused("evaluate", path).hint
    assert "dlcli transfer" in refused("evaluate", "keras:MobileNet", "--data", folder).hint


def pictures(folder, classes, rng):
    """Four pictures of noise for each class."""
    from PIL import Image

    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / name / f"{i}.png")
    return folder


def llama2c_files(folder, rng):
    """A model of one block and a vocabulary of the bytes, "the" in pieces, and the letters; weights are noise."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), "th", "the", " the", *" abcdefghi\nstu."]
    numbers = (8, 16, 1, 2, 2, len(pieces), 16)
    count = sum(map(np.prod, [(len(pieces), 8), (8,), *[(8, 8)] * 4, (8,), *[(16, 8)] * 3, (8,), *[(16, 2)] * 2]))
    data = struct.pack("<7i", *numbers) + rng.normal(0, 0.1, count).astype("<f4").tobytes()
    (folder / "story.bin").write_bytes(data)
    rows = [struct.pack("<fi", -max(i - 259, 0), len(piece)) + piece.encode() for i, piece in enumerate(pieces)]
    (folder / "words.bin").write_bytes((8).to_bytes(4, "little") + b"".join(rows))
    return folder / "story.bin"


def test_a_llama2c_model_brings_its_vocabulary_along(tmp_path, rng):
    """It goes on with another text, in its own pieces, and writes; without its vocabulary it is refused with the way."""
    path = llama2c_files(tmp_path, rng)
    text = tmp_path / "lines.txt"
    text.write_text("the sheet is at the side. " * 40)
    error = refused("transfer", path, text)
    assert "in a file of its own" in error.message
    assert f"{path}:tok" in error.hint
    source = f"{path}:{tmp_path / 'words.bin'}"
    out = tmp_path / "run"
    report = dlcli("transfer", source, text, "--strategy", "full", "--out", out, *FIT)
    assert report["transfer"]["fresh"] == []
    learned = json.loads((out / "spec.json").read_text())["learned"]
    assert (learned["tokenizer"], learned["context"], learned["vocabulary"][256:259]) == (
        "sentencepiece", 16, ["th", "the", " the"],
    )  # fmt: skip
    for model in (source, out):
        prompt = ["the"] if model == source else ["--prompt", "the"]
        written = dlcli("generate", model, *prompt, "--set", "length=5", "--out", tmp_path / "out.txt")
        assert written["texts"][0].startswith("the")
    assert "two prompts" in refused("generate", out, "the", "--prompt", "a").message


@pytest.mark.parametrize("arch", ["conv-autoencoder", "dcgan", "conv-vae"])
def test_the_part_of_a_network_that_reads_becomes_a_classifiers_body(arch, tmp_path):
    """An autoencoder's encoder or a GAN's discriminator: its weights, and what it gave for the same pictures."""
    import keras

    from dlcli import finished
    from dlcli.transfer import reader

    task = "image-generation" if arch == "dcgan" else "reconstruction"
    small = ["--set", "arch.width=4", "--task", task, "--arch", arch]
    dlcli("train", "digits:150", "--out", tmp_path / "source", *small, *FIT)
    report = dlcli("transfer", tmp_path / "source", "digits:150", "--strategy", "features", "--out", tmp_path / "run")
    told = report["transfer"]
    assert {name.partition("/")[0] for name in told["fresh"]} == {"head_logits"}
    assert all(name.startswith(("encoder", "code", "discriminator")) for name in told["copied"])
    opened = finished.load(Run(tmp_path / "source"))
    shape = opened.task.image if arch == "dcgan" else opened.task.shape
    x = np.random.default_rng(0).integers(0, 256, (5, *shape)).astype("float32")
    if arch == "dcgan":
        judge = opened.model.discriminator
        inside = next(layer for layer in judge.layers if layer.name == "discriminator_flat").input
        expected = keras.Model(judge.inputs[:1], inside).predict_on_batch(x / 127.5 - 1)
    else:
        expected = keras.Model(opened.model.inputs, opened.model.get_layer("code").output).predict_on_batch(x)
    body, _ = reader.of(opened)
    adapted = finished.load(Run(tmp_path / "run"))
    place = adapted.model.get_layer("body") if told["place"] == "features" else None
    if place is not None:
        seen = keras.Model(adapted.model.inputs, adapted.model.get_layer("features").output).predict_on_batch(x)
        np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-4)
    assert body.output_shape[1:] == expected.shape[1:]
    assert dlcli("evaluate", tmp_path / "run")["metrics"]["test"] == report["metrics"]["test"]


def test_a_series_encoder_becomes_a_classifiers_body(tmp_path):
    """Waves and steps: the code of an autoencoder that saw no labels tells them apart."""
    rng = np.random.default_rng(0)
    t = np.arange(24)
    rows = []
    for i in range(60):
        values = np.sin(t / 2 + rng.uniform(0, 6)) if i % 2 else np.sign(t - rng.integers(8, 16))
        rows.append("\t".join([str(i % 2), *(f"{v:.4f}" for v in values + 0.1 * rng.normal(size=24))]))
    folder = tmp_path / "Waves"
    folder.mkdir()
    (folder / "Waves_TRAIN.tsv").write_text("\n".join(rows[:40]) + "\n")
    (folder / "Waves_TEST.tsv").write_text("\n".join(rows[40:]) + "\n")
    small = ["--set", "arch.units=8", "--task", "reconstruction", "--arch", "lstm-autoencoder", "--epochs", 2]
    dlcli("train", folder, "--out", tmp_path / "source", *small)
    report = dlcli("transfer", tmp_path / "source", folder, "--strategy", "features", "--out", tmp_path / "run")
    assert report["task"] == "sequence-classification"
    assert any(name.startswith("encoder_lstm0") for name in report["transfer"]["copied"])
    assert report["metrics"]["test"]["accuracy"]["value"] > 0.9


@pytest.mark.parametrize("told", [True, False])
def test_a_mirror_is_harmless_where_the_network_is_as_right_in_it(told, source, tmp_path):
    """Answers that depend on colour alone pass; answers that depend on the left half do not."""
    import keras

    made, _ = work(source, Run(tmp_path))
    height, width, channels = made.task.image
    n = 80
    labels = np.arange(n) % 2
    x = np.zeros((n, height, width, channels), np.uint8)
    x[labels == 1, :, : width if told else width // 2] = 255
    inputs = keras.Input((height, width, channels))
    left = keras.layers.Cropping2D(((0, 0), (0, width - width // 2)))(inputs)
    mean = keras.layers.GlobalAveragePooling2D()(left)[:, :1] / 255
    outputs = keras.layers.Concatenate()([1 - mean, mean])
    asked = SimpleNamespace(
        last=made.last,
        start=lambda: keras.Model(inputs, outputs),
        task=SimpleNamespace(source=lambda examples, training: Arrays(examples.x, None)),
    )
    assert mirror.harmless(asked, Examples(x=x), labels) == told


def test_what_was_rewritten_is_measured_at_each_depth(source, tmp_path):
    """A body that no step has moved has CKA 1 and the same probes; a fresh one has not."""
    made, beside = work(source, Run(tmp_path))
    options = {"task": made.task, "parts": beside["data"].splits, "labels": beside["labels"], "seed": 0}
    same = change.measured(made.origin.make(), made.origin.make(), **options)
    other = change.measured(made.origin.make(), made.origin.fresh(), **options)
    assert [row["place"] for row in same] == beside["rows"].places
    for row in same:
        assert row["cka"] == pytest.approx(1, abs=1e-4)
        assert row["before"] == row["after"]
    assert min(row["cka"] for row in other) < 0.9


def test_a_preset_without_kerashub_is_refused_with_the_way(tmp_path, monkeypatch):
    """Before Keras is started, and for a folder as for a name."""
    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *more: None if name == "keras_hub" else found(name, *more))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.weights.h5").touch()
    for source in ("hub:resnet_18_imagenet", tmp_path):
        error = refused("transfer", source, "digits")
        assert "not installed" in error.message
        assert "dlcli[hub]" in error.hint
    assert "names no preset" in refused("transfer", "hub:", "digits").message


def nested(top: bool) -> keras.Model:
    """As people save them: scaling, a network of keras.applications, and a head of their own."""
    inner = keras.applications.MobileNet(weights=None, alpha=0.25, input_shape=(64, 64, 3), include_top=top, classes=7)
    inputs = keras.Input((64, 64, 3))
    x = inner(keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs))
    if not top:
        x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(5, name="mine")(x))


@pytest.mark.parametrize("top", [False, True])
def test_the_body_of_a_network_within_a_network_is_all_of_it(top):
    """Up to the last map of the inner one, which both give alike."""
    model = nested(top)
    body = reader.cut(model)
    assert body.output.shape == (None, 2, 2, 256)
    bare = keras.applications.MobileNet(weights=None, alpha=0.25, input_shape=(64, 64, 3), include_top=False)
    assert body.count_params() == bare.count_params()
    x = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    last = inner.get_layer("conv_pw_13_relu").output
    want = keras.Model(inner.inputs, last)(x / 127.5 - 1)
    np.testing.assert_allclose(np.asarray(body(x)), np.asarray(want), atol=1e-4)


def test_the_body_of_a_network_of_patches_is_what_its_head_reads():
    """Not the convolution that cuts the patches, which is its only map."""
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Reshape((16, 8))(keras.layers.Conv2D(8, 4, strides=4, name="patches")(inputs))
    for i in range(2):
        x = x + keras.layers.MultiHeadAttention(2, 4, name=f"attention{i}")(x, x)
        x = keras.layers.LayerNormalization()(x + keras.layers.Dense(8, activation="gelu", name=f"mlp{i}")(x))
    x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    model = keras.Model(inputs, keras.layers.Dense(5, name="mine")(x))
    body = reader.cut(model)
    assert body.output is model.get_layer("mean").output
    assert len(body.weights) == len(model.weights) - 2


def test_a_network_without_a_graph_has_no_body():
    class Only(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    model = Only()
    model(np.zeros((1, 4), "float32"))
    with pytest.raises(DlcliError) as caught:
        reader.cut(model)
    assert "no graph of layers" in caught.value.message


def test_two_files_that_differ_in_a_setting_have_features_of_their_own(tmp_path):
    """The scale of pixels is no weight."""
    from dlcli.inspection.tap import traced

    keys = []
    for factor in (1 / 255, 1 / 128):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(factor), keras.layers.Conv2D(4, 3)]
        model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D()])
        keys.append(features._model_key(model, SimpleNamespace(INPUT={}), ["x"], traced(model)))
    assert keys[0] != keys[1]


def test_scratch_of_a_source_that_was_a_transfer_itself_is_random(tmp_path):
    """The foreign file's weights do not come along by the way of its first transfer."""
    model = nested(top=False)
    model.save(tmp_path / "foreign.keras")
    moved = tmp_path / "moved"
    dlcli("transfer", tmp_path / "foreign.keras", "digits:200", "--strategy", "features", "--out", moved, *FIT)
    opened = finished.opened(parse(str(moved)))
    arch = registry.find("architectures", opened.spec["architecture"])
    *_, found = prepared(moved, "digits:100", arch=arch, arch_options=opened.config.options("arch"))
    pairs = zip(*(one.get_layer("body").weights for one in (found.fresh(), found.make())), strict=True)
    alike = [np.allclose(fresh, taken) for fresh, taken in pairs if "kernel" in fresh.name]
    assert len(alike) > 10
    assert not any(alike)


def test_a_body_without_weights_is_the_same_each_time(tmp_path):
    """The head that is solved for one is put on another."""
    told = dlcli("transfer", "keras:MobileNet,alpha=0.25,input=32", "digits:300", "--strategy", "features", "--out",
                 tmp_path / "run", *FIT)  # fmt: skip
    history = json.loads((tmp_path / "run" / "history.jsonl").read_text().splitlines()[-1])
    assert told["metrics"]["val"]["accuracy"]["value"] == pytest.approx(history["val_accuracy"], abs=0.02)


def test_train_does_not_repeat_a_transfer_without_its_source(tmp_path):
    (tmp_path / "config.json").write_text('{"data": "digits"}')
    (tmp_path / "transfer.json").write_text("{}")
    error = refused("train", "--config", tmp_path / "config.json")
    assert "belongs to a transfer" in error.message


def test_paths_of_this_machine_are_no_addresses(tmp_path):
    """They begin with a slash behind a colon."""
    for text in ("keras:ResNet50:/no/w.h5", "/no/m.bin:/no/tok.bin"):
        with pytest.raises(DlcliError) as caught:
            parse(text)
        assert "lies elsewhere" not in caught.value.message
    if util.find_spec("keras_hub"):
        assert parse(f"hub:{tmp_path}").name == str(tmp_path)


@pytest.mark.parametrize("text", ["hub:kaggle://a/b", "keras:ResNet50:gs://a/b", "HF://a/b", "file:/etc/passwd"])
def test_addresses_are_refused(text):
    assert "lies elsewhere" in refused("inspect-layers", text).message


@pytest.mark.slow
def test_a_preset_of_kerashub_is_a_source(tmp_path):
    """A tiny one made here: its weights, its scale of pixels and its size are used; the run opens again."""
    hub = pytest.importorskip("keras_hub")
    body = hub.models.ResNetBackbone([64], [3], [64], [1], [1], "basic_block", image_shape=(None, None, 3))
    body.save_to_preset(tmp_path / "preset")
    scale = hub.layers.ResNetImageConverter(image_size=(24, 32), scale=[1 / 51] * 3, offset=[-2.0, -2.1, -2.2])
    hub.models.ResNetImageClassifierPreprocessor(scale).save_to_preset(tmp_path / "preset")
    out = tmp_path / "run"
    report = dlcli("transfer", f"hub:{tmp_path / 'preset'}", "shapes:120", "--strategy", "features", "--out", out)
    assert {name.partition("/")[0] for name in report["transfer"]["fresh"]} == {"head_logits"}
    learned = json.loads((out / "spec.json").read_text())["learned"]
    assert learned["image"] == [24, 32, 3]
    np.testing.assert_allclose(learned["mean"], np.array([2.0, 2.1, 2.2]) / 5, rtol=1e-5)
    np.testing.assert_allclose(learned["deviation"], [0.2] * 3, rtol=1e-5)
    assert dlcli("evaluate", out)["metrics"]["test"] == report["metrics"]["test"]


def test_mistakes_are_told_before_keras_is_started(source, tmp_path):
    assert "'auto'" in refused("transfer", source, "digits", "--strategy", "autoo").hint
    assert "no model" in refused("transfer", tmp_path / "none", "digits").message
    assert "scales by itself" in refused("transfer", source, "digits", "--pixels", "0..1").message
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"{i % 2} words and words\n" for i in range(60)))
    assert "takes images, and DATA holds texts" in refused("transfer", source, lines).message
    full = tmp_path / "full"
    full.mkdir()
    (full / "a").touch()
    assert "not empty" in refused("transfer", source, "digits", "--out", full).message
