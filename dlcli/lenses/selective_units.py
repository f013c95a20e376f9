"""How many units of each layer respond to one level's labels: omega squared, with false discoveries bounded."""

import numpy as np

from dlcli.inspection import units
from dlcli.inspection.view import Finding, View

BUDGET = "standard"
# Share of a unit's variance that the labels must explain for the unit to count as theirs.
STRONG = 0.10


def look(view: View) -> Finding | None:
    """A unit is counted once, for the level that explains most of it."""
    if view.strip is None or len(view.strip.levels) < 2:
        return None
    levels, finding = view.strip.levels, Finding()
    for place in view.places:
        # the means of the units come first in a row; their deviations are not theirs alone
        rows = [view.strip.rows[level.name][place.key] for level in levels]
        width = int(next(visit.output.shape for visit in view.visits if visit.key == place.key)[place.axis])
        explained = np.zeros((len(levels), width))
        for i, (level, values) in enumerate(zip(levels, rows, strict=True)):
            omega, significant = units.omega_squared(values[:, :width], level.y)
            explained[i] = np.where(significant, np.nan_to_num(omega), 0.0)
        strongest = explained.argmax(axis=0)
        counts = [int(((strongest == i) & (explained.max(axis=0) > STRONG)).sum()) for i in range(len(levels))]
        most = int(np.argmax(counts))
        share = counts[most] / explained.shape[1]
        finding.own[place.name] = {"units": f"{share:.0%} {levels[most].name}" if counts[most] else "none"}
    finding.methods.append(
        {
            "name": "units",
            "formula": f"omega squared of a unit's mean over the labels of each level, above {STRONG} and significant "
            "(Benjamini-Hochberg over units); each unit counts for its strongest level, the most frequent is shown",
            "source": "",
        }
    )
    return finding
