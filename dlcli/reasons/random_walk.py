"""The next step of the series does not depend on those before: the last value is all that can be known."""

from dlcli import registry

ORDER = 2


def explain(case) -> str:
    if case.subject is None or case.data.kind != "series":
        return ""
    for finding in registry.find("checks", "noise-ceiling").load().find(case.subject):
        if finding.fault:
            return (
                f"The noise ceiling is reached: {finding.shown}, so the last value is about the best forecast there is."
            )
    return ""
