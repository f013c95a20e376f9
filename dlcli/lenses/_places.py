"""Under which row of the table a finding about a layer is shown."""

from dlcli.inspection.taps import PASSING
from dlcli.inspection.view import View


def reported(view: View) -> dict[str, str]:
    """Key of a visit -> name of the place that shows it: its own, or else that of what reads it next, over what
    only passes it on (the sum of a block, say). A visit that no place reads is not in it."""
    names = {place.name for place in view.places}
    by_key = {visit.key: visit for visit in view.visits}
    places = [(place.name, by_key[key]) for place in view.places for key in (place.name, place.key) if key in by_key]
    found = {}
    for visit in view.visits:
        if visit.key in names:
            found[visit.key] = visit.key
            continue
        outputs = _passed_on(visit, view.visits)
        read_by = [name for name, reader in places if any(x is output for x in reader.inputs for output in outputs)]
        if read_by:
            found[visit.key] = read_by[0]
    return found


def _passed_on(visit, visits) -> list:
    """Its output, and what layers that compute nothing make of it."""
    outputs = [visit.output]
    for later in visits:
        if isinstance(later.layer, PASSING) and any(x is output for x in later.inputs for output in outputs):
            outputs.append(later.output)
    return outputs


def short(key: str) -> str:
    """The last name of a path, as tables show it."""
    return key.rpartition("/")[2]
