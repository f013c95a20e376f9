"""Everything trained at once, at a tenth of the learning rate, from the body of the source."""

from dlcli.transfer.work import Adapted, Work, adapted

FEATURES = True
RATE = 0.1


def adapt(work: Work) -> Adapted:
    return adapted(work.fit(work.start, rate=RATE))
