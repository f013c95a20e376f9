"""Everything trained at once, at a tenth of the learning rate, from the body of the source."""

from dlcli.transfer import states
from dlcli.transfer.work import Adapted, Work, adapted

FEATURES = True
ORDER = 40
RATE = 0.1


def adapt(work: Work) -> Adapted:
    def build():
        model = work.start()
        states.freeze(model, 0.0)  # its batch normalisations
        return model

    return adapted(work.fit(build, rate=RATE))
