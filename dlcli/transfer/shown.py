"""What a transfer found, as tables on the terminal."""

from typing import Any

from dlcli import console
from dlcli.transfer import curve as curves
from dlcli.transfer.heads import Head
from dlcli.transfer.trials import Trial


def probes(best: Head) -> None:
    table = [
        [row["place"].removeprefix("model/"), row["width"], f"{row['accuracy']:.3f}", _span(row)] for row in best.probes
    ]
    console.table("What a linear probe reads off the source's layers", ["layer", "features", "held out", "95 %"], table)


def trials(tried: list[Trial], names: list[str], headline: str) -> None:
    table = [
        [
            f"{trial.name} *" if trial.name in names else trial.name,
            f"{trial.score.value:.4g}",
            _span(vars(trial.score)),
            f"{trial.seconds:.0f}",
            f"{trial.trainable:,}",
        ]
        for trial in tried
    ]
    columns = ["strategy", headline.replace("_", " "), "95 %", "seconds", "trainable"]
    console.table("Trials on the validation split (*: trained in full)", columns, table)


def curve(found: list[dict[str, Any]]) -> None:
    table = [
        [str(row["labels"]), *(f"{row[name]['value']:.3f}\n{_span(row[name])}" for name in ("features", "scratch"))]
        for row in found
    ]
    title = f"Test accuracy against labels (scratch: {curves.SECONDS:.0f} s of training each)"
    console.table(title, ["labels", "features", "scratch"], table)


def race(found: dict[str, Any]) -> None:
    """Some ten rows, evenly, of the two curves; then who was where first."""
    both = list(zip(found["transfer"], found["scratch"], strict=False))
    chosen = sorted({round(i * (len(both) - 1) / 9) for i in range(10)}) if both else []
    table = [[f"{both[i][0]['steps']:,}", *(f"{row['loss']:.4f}" for row in both[i])] for i in chosen]
    console.table("Loss on the validation split against steps", ["steps", "transfer", "scratch"], table)
    reached = found["reached"]
    console.say(
        f"A loss of {reached['loss']:.4f} took {reached['transfer']:,} steps from the source "
        f"and {reached['scratch']:,} from scratch."
    )


def states(states: dict[str, int]) -> None:
    console.note(
        f"layers with weights: {states['frozen']} frozen ({states['batch_norms_in_inference']} of them batch "
        f"normalisations in inference mode), {states['trainable']} trainable"
    )


def change(found: list[dict[str, Any]]) -> None:
    probed = bool(found) and "before" in found[0]
    table = [
        [
            row["place"].removeprefix("model/"),
            f"{row['cka']:.3f}",
            *(f"{row[side]['accuracy']:.3f}\n{_span(row[side])}" for side in ("before", "after") if probed),
        ]
        for row in found
    ]
    columns = ["layer", "CKA", *(["probe before", "probe after"] if probed else [])]
    console.table("What was kept (CKA 1) and what was rewritten", columns, table)


def _span(row: dict[str, Any]) -> str:
    return f"{row['low']:.4g}–{row['high']:.4g}"
