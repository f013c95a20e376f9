"""Which tensors have their channels behind the batch, and not at the end."""

from keras import layers, tree

from dlcli.inspection.tap import Visit

# What takes axes apart: behind these the old order holds no more.
_REORDERING = (layers.Permute, layers.Reshape, layers.Flatten, layers.RepeatVector)


def channels_first(visits: list[Visit]) -> set[str]:
    """Keys of the visits whose output is (B, C, ...). What says so itself is believed; all else keeps the order of its
    inputs, as long as their number of axes."""
    ranks: dict[int, int] = {}  # of the tensors with channels first
    found = set()
    for visit in visits:
        order = getattr(visit.layer, "data_format", None)
        inherits = [ranks[id(x)] for x in visit.inputs if id(x) in ranks and not isinstance(visit.layer, _REORDERING)]
        for tensor in tree.flatten(visit.output):
            rank = len(getattr(tensor, "shape", ()))
            if rank > 2 and (order == "channels_first" or (order is None and rank in inherits)):
                ranks[id(tensor)] = rank
                found.add(visit.key)
    return found
