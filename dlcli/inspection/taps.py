"""Which layers are worth measuring: one per activation, under the name of the layer that computes it.

A convolution, its normalisation and its activation are three layers and one step of thought. The
last of them is looked at; what only passes values on (dropout, reshaping, padding, pooling) is not.
"""

from dataclasses import dataclass

from keras import layers, tree

from dlcli.inspection.flops import WHOLE
from dlcli.inspection.layout import channels_first
from dlcli.inspection.tap import Visit

# What moves, drops or averages values and computes nothing new.
PASSING = (
    layers.InputLayer,
    layers.Identity,
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.AlphaDropout,
    layers.GaussianNoise,
    layers.GaussianDropout,
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
    layers.RepeatVector,
    layers.Masking,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.ZeroPadding3D,
    layers.Cropping3D,
    layers.UpSampling3D,
    layers.MaxPooling3D,
    layers.AveragePooling3D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling3D,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.Rescaling,
    layers.Normalization,
    layers.CategoryEncoding,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
)
# What changes each value or position by itself: it stands for the layer whose only reader it is.
FINISHING = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.RMSNormalization,
    layers.UnitNormalization,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ELU,
    layers.Softmax,
)
_NORMS = FINISHING[:5]
_FINISHING_OPERATIONS = {"Relu", "Relu6", "Gelu", "Silu", "Sigmoid", "Tanh", "Softmax", "HardSwish", "Elu", "Selu"}
_MERGING_OPERATIONS = {"Add", "Subtract", "Multiply", "Maximum", "Concatenate", "Matmul"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A layer to be measured. key: the visit whose output is looked at.  name: the layer that it is
    reported under (the one with the weights, where there is one).  axis: of its channels, -1 or 1."""

    key: str
    name: str
    axis: int = -1

    @property
    def layer(self) -> str:
        """The last part of its name, as tables show it."""
        return self.name.rpartition("/")[2]


def chosen(visits: list[Visit]) -> list[Place]:
    """The places of a model worth measuring, in the order of execution."""
    # at inference a dropout hands on the very tensor that it was given: it is not there
    steps = [visit for visit in visits if _computes(visit, visits) and not any(visit.output is x for x in visit.inputs)]
    readers: dict[int, list[Visit]] = {}
    for visit in steps:
        for tensor in {id(x): x for x in visit.inputs}.values():
            readers.setdefault(id(tensor), []).append(visit)
    by_output: dict[int, Visit] = {}
    for visit in steps:
        for tensor in tree.flatten(visit.output):
            by_output.setdefault(id(tensor), visit)
    places, first = [], channels_first(visits)
    for visit in steps:
        if isinstance(visit.layer, PASSING) or not _features(visit) or _finished(visit, readers):
            continue
        computed = _computed(visit, by_output)
        # a norm that reads what others read as well says nothing that its source does not say
        if computed is visit and isinstance(visit.layer, _NORMS):
            continue
        places.append((visit, Place(key=visit.key, name=computed.key, axis=1 if visit.key in first else -1)))
    return _behind_weights(places, visits)


def _behind_weights(places: list[tuple[Visit, Place]], visits: list[Visit]) -> list[Place]:
    """Without what only prepares the input: all before the first layer with weights of its own."""
    order = {visit.key: i for i, visit in enumerate(visits)}
    learned = [i for i, v in enumerate(visits) if getattr(v.layer, "weights", ()) and not isinstance(v.layer, PASSING)]
    first = min(learned, default=0)
    return [place for visit, place in places if order[visit.key] >= first]


def _computes(visit: Visit, visits: list[Visit]) -> bool:
    """Whether a visit is a step of its own: a leaf, a whole, or a container that adds something at its end."""
    inside = f"{visit.path}/"
    if any(visit.path.startswith(f"{other.path}/") and isinstance(other.layer, WHOLE) for other in visits):
        return False
    children = [other for other in visits if other.path.startswith(inside)]
    if not children or isinstance(visit.layer, WHOLE):
        kind = type(visit.layer).__name__
        merging = kind in _MERGING_OPERATIONS and len({id(x) for x in visit.inputs}) > 1  # and no x * 2
        return isinstance(visit.layer, layers.Layer) or merging or kind in _FINISHING_OPERATIONS
    made = {id(x) for child in children for x in tree.flatten(child.output)}
    return not any(id(x) in made for x in tree.flatten(visit.output))


def _features(visit: Visit) -> bool:
    """Whether its output is one floating tensor with features behind the batch."""
    output = visit.output
    return len(getattr(output, "shape", ())) >= 2 and "float" in str(getattr(output, "dtype", ""))


def _finishes(visit: Visit) -> bool:
    return isinstance(visit.layer, FINISHING) or type(visit.layer).__name__ in _FINISHING_OPERATIONS


def _finished(visit: Visit, readers: dict[int, list[Visit]]) -> bool:
    """Whether its only reader, behind what passes on, is a norm, an activation or a sum."""
    while True:
        followers = readers.get(id(visit.output), [])
        if len(followers) != 1:
            return False
        visit = followers[0]
        if _finishes(visit) or type(visit.layer).__name__ == "Add":
            return True
        if not isinstance(visit.layer, PASSING):
            return False


def _computed(visit: Visit, by_output: dict[int, Visit]) -> Visit:
    """The layer that a norm or an activation stands for: back through what finishes and passes on."""
    back = visit
    while _finishes(back) or isinstance(back.layer, PASSING):
        sources = [by_output[id(x)] for x in back.inputs if id(x) in by_output]
        if len(sources) != 1:
            break
        if not _alone(sources[0], back, by_output):
            return visit  # what others read too is a place of its own
        if not _finishes(sources[0]) and not isinstance(sources[0].layer, PASSING):
            return sources[0]
        back = sources[0]
    return visit if _finishes(back) or isinstance(back.layer, PASSING) else back


def _alone(source: Visit, reader: Visit, by_output: dict[int, Visit]) -> bool:
    others = [v for v in by_output.values() if v is not reader and any(x is source.output for x in v.inputs)]
    return not others
