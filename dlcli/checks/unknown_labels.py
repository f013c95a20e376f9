"""Labels that a classifier cannot learn: one only, or such in validation and test that training does not have."""

from dlcli import splits
from dlcli.checking import Finding, Subject
from dlcli.errors import DataError

KINDS = ("images", "table", "sequences", "texts")
LABELS = ("classes",)


def find(subject: Subject):
    if only := splits.only_label(subject.data):
        shown = f"training has one label, {only}, and test others: what is unlike it can be looked for"
        yield Finding(value=0.0, shown=shown, fault=False)
        return
    try:
        splits.check_labels(subject.data)  # the refusal of `train`, in its words
    except DataError as error:
        yield Finding(value=1.0, shown=error.message.removesuffix("."), fault=True, mend=error.hint.removesuffix("."))
    else:
        yield Finding(value=0.0, shown="training has every label, and more than one", fault=False)
