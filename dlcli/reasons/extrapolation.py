"""Test examples lie where training has not been: a network holds no law beyond what it saw."""

from dlcli import registry

ORDER = 3
LAST = True


def explain(case) -> str:
    if case.subject is None or case.data.kind not in ("series", "table") or "test" not in case.data.splits:
        return ""
    check = registry.find("checks", "extrapolation").load()
    if case.data.kind == "series":
        shares, limit = check.series_outside(case.subject), check.STEPS
        share, what = sum(shares.values()) / len(shares), "values"
    else:
        shares, limit = check.outside(case.subject), check.COLUMN
        share, what = max(shares.values(), default=0.0), "rows"
    if share <= limit:
        return ""
    return f"It has to extrapolate: {100 * share:.0f} % of the test {what} lie outside the training range."
