"""Under which row of the table a finding about a layer is shown."""

from dlcli.inspection.view import View


def reported(view: View) -> dict[str, str]:
    """Key of a visit -> name of the place that shows it: its own, or that of the sum that alone reads it."""
    names = {place.name for place in view.places}
    outputs = {visit.key: visit for visit in view.visits}
    readers = [(place.name, outputs[place.key]) for place in view.places if place.key in outputs]
    found = {}
    for visit in view.visits:
        if visit.key in names:
            found[visit.key] = visit.key
            continue
        read_by = [name for name, reader in readers if any(x is visit.output for x in reader.inputs)]
        if read_by:
            found[visit.key] = read_by[0]
    return found


def short(key: str) -> str:
    """The last name of a path, as tables show it."""
    return key.rpartition("/")[2]
