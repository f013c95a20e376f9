"""What is said of a file that may be read."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """kind: "keras" or "h5" (a model), "weights" (HDF5, as Keras 3 lays it out) or "legacy weights".

    made: the version of Keras that wrote it, where it says so.  values: numbers of its own weights, in
    `arrays` arrays.  least: numbers that its layers must have at least.  unfinite: weights that hold NaN or
    infinities.  own: whether it holds layers of dlcli.  names: the classes that it names.
    """

    kind: str
    made: str = ""
    values: int = 0
    arrays: int = 0
    layers: int = 0
    calls: int = 0
    least: int = 0
    own: bool = False
    unfinite: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
