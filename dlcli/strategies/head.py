"""The body frozen; a new head is trained on it by steps, on pictures that augmentation changes."""

from dlcli.transfer import states
from dlcli.transfer.work import Adapted, Work, adapted

FEATURES = False
ORDER = 20
REWRITES = False


def adapt(work: Work) -> Adapted:
    def build():
        model = work.origin.make()
        states.freeze(model)
        return model

    return adapted(work.fit(build))
