"""The data that a model is to be looked at with: the run's own, or what the user names."""

from dataclasses import dataclass, replace

from dlcli import config as configuration
from dlcli import described, plan, splits
from dlcli.config import RunConfig
from dlcli.data import Data
from dlcli.errors import DlcliError
from dlcli.reference import Reference
from dlcli.rundir import Run

# Parts that hold what a run was trained on.
LEARNED = ("train", "all")


@dataclass(frozen=True, kw_only=True)
class Materials:
    """run, config: of a run, else None.  data: in splits, or None.  part: the split to use.  learned: whether the
    run was trained on examples of that part.  given: the splits that the data brings."""

    run: Run | None = None
    config: RunConfig | None = None
    data: Data | None = None
    part: str = ""
    learned: bool = False
    given: tuple[str, ...] = ()
    backend: str | None = None


def gather(
    reference: Reference,
    *,
    data: str | None,
    target: str | None,
    assignments: list[str] = (),
    split: str | None,
    none: bool = False,
) -> Materials:
    """Open the data before Keras is imported. The validation split is the default: the model has not
    learned it by heart, and the test split is for one look at the end.

    Raises: DlcliError when there is no such data or split.
    """
    run = config = None
    if reference.kind in described.KNOWN:
        config, spec = described.described(reference)
        run = Run(reference.path) if reference.kind == "run" else None
    if data is None and run is None:
        config = None  # nothing says what it was trained on
    own = config is not None and data is not None and plan.own(config, data)
    settings = config if data is None else _asked(config, data, target)
    if assignments:
        settings = configuration.read_as(settings or RunConfig(data=""), assignments, data=data, own=own)
    if settings is None or none:  # what needs no data must not fail for want of it
        return Materials(run=run, config=config, backend=config.backend if config else None)
    entry = plan.locate(settings)
    if config is not None and data is not None and not own:
        settings = plan.with_data(settings, described.columns_known(spec, entry) | settings.options("data"))
    found = plan.open_data(entry, settings)
    if reference.kind in described.KNOWN:
        described.check_kind(reference, found)
    parts, how = splits.split(found, seed=settings.seed, **plan.split_options(settings))
    name = split or next(name for name in ("val", "test", "train") if name in parts.splits)
    every = found.splits | parts.splits
    if name not in every:
        raise DlcliError(f"there is no split {name!r}.", f"there are: {', '.join(every)}.")
    return Materials(
        run=run,
        config=settings,
        data=Data(kind=found.kind, splits=every, about=found.about, warnings=parts.warnings),
        part=name,
        learned=name in LEARNED and config is not None and plan.own(config, settings.data),
        given=tuple(how["given"]),
        backend=config.backend if config else None,
    )


def alike(second: Materials, first: Materials) -> Materials:
    """The second with the very examples of the first where both name the same data: two seeds split it differently,
    and then what the first did not learn from the second may have."""
    same = first.data is not None and second.config is not None and second.config.data == first.config.data
    if not same:
        return second
    cuts = [(one.config.seed, plan.split_options(one.config)) for one in (first, second)]
    mixed = second.run is not None and cuts[0] != cuts[1] and first.part not in first.given
    return replace(second, data=first.data, part=first.part, learned=second.learned or mixed)


def _asked(config: RunConfig | None, data: str, target: str | None) -> RunConfig:
    """Other data: with the run's own options where there is a run, but for the target that the user names."""
    asked = RunConfig(data=data) if config is None else plan.elsewhere(config, data)
    if target is None:
        return asked
    return asked.model_copy(update={"set": {**asked.set, "data": {**asked.options("data"), "target": target}}})
