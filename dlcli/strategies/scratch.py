"""The same architecture with fresh weights: the honest control."""

from dlcli.transfer.work import Adapted, Work, adapted

FEATURES = False
ORDER = 60
REWRITES = False


def adapt(work: Work) -> Adapted:
    return adapted(work.fit(work.origin.fresh))
