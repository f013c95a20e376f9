"""An HDF5 file, walked link by link: what it holds, and that all of it lies within the file.

Only this walk follows links, and it follows none but hard ones. Every array is read once, for numbers that
are not finite; what Keras will read has then been read before, in a process that may fail.
"""

import math
from dataclasses import dataclass, field

import h5py
import numpy as np

from dlcli.safety import limits
from dlcli.safety.refusal import damaged, refused, shown
from dlcli.safety.window import Memory, Window

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_ATTRIBUTES = {h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM}
_OPTIMIZER = ("optimizer", "optimizer_weights")  # groups that are no part of the model
_STEP = 16 * limits.MIB
_LARGEST = float(np.finfo(np.float32).max)
_SHOWN = 50  # arrays with bad numbers that are named


@dataclass
class Walked:
    """values: numbers of the model's own weights.  unfinite: arrays that hold NaN or infinities.
    attributes: text of the root's attributes.  groups: names in the root."""

    values: int = 0
    arrays: int = 0
    unfinite: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


def walked(window: Window | Memory, path) -> Walked:
    """Raises: DlcliError (exit code 4) for links, foreign storage and arrays that are not there."""
    with h5py.File(window, "r") as file:
        return _Walk(window, path).all(file)


class _Walk:
    def __init__(self, window: Window | Memory, path):
        self.window, self.path, self.found = window, path, Walked()
        self.seen: set[int] = set()
        self.objects = self.declared = self.stored = 0

    def all(self, file: h5py.File) -> Walked:
        self.group(file, "", 0)
        if self.declared > 2 * self.stored + limits.DECLARED:
            raise refused(
                self.path,
                f"its arrays say that they hold {self.declared:,} bytes, and {self.stored:,} are stored",
                "that is a decompression bomb.",
            )
        # only now is it known that reading costs what the file costs
        self.read(file, "", optimizer=False)
        self.found.groups = list(file)
        self.found.attributes = {name: _text(file.attrs[name]) for name in file.attrs}
        return self.found

    def group(self, group: h5py.Group, at: str, depth: int) -> None:
        if depth > limits.GROUPS_DEEP:
            raise refused(self.path, f"its groups are nested more than {limits.GROUPS_DEEP} deep")
        self.once(group, at)
        self.check_attributes(group, at)
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{at}/{name}"
            if not isinstance(link, h5py.HardLink):
                target = getattr(link, "filename", None) or getattr(link, "path", "")
                raise refused(
                    self.path, f"{shown(where)} in it is a link to {shown(target)}", "weights lie in the file itself."
                )
            item = group[name]
            if isinstance(item, h5py.Group):
                self.group(item, where, depth + 1)
            elif isinstance(item, h5py.Dataset):
                self.dataset(item, where)
            else:
                raise refused(self.path, f"{shown(where)} in it is neither a group nor an array")

    def once(self, item, at: str) -> None:
        self.objects += 1
        if self.objects > limits.OBJECTS:
            raise refused(self.path, f"it holds more than {limits.OBJECTS:,} groups and arrays")
        address = h5py.h5o.get_info(item.id).addr
        if address in self.seen:
            raise refused(self.path, f"{shown(at)} stands in it twice")
        self.seen.add(address)

    def check_attributes(self, item, at: str) -> None:
        for name in item.attrs:
            self.objects += 1
            attribute = item.attrs.get_id(name)
            kind = attribute.get_type()
            if kind.get_class() not in _ATTRIBUTES:
                raise refused(self.path, f"the attribute {shown(name)} of {shown(at)} is no text and no number")
            count = math.prod(attribute.shape or ())
            if count == 0:  # HDF5 knows no size of what is empty
                continue
            if attribute.get_storage_size() > limits.ATTRIBUTE or count > limits.OBJECTS:
                raise refused(self.path, f"the attribute {shown(name)} of {shown(at)} is beyond all measure")
            value = item.attrs[name]
            longest = max((len(one) for one in np.ravel(value) if isinstance(one, str | bytes)), default=0)
            if longest > limits.CONFIG:
                raise refused(self.path, f"the attribute {shown(name)} of {shown(at)} has {longest:,} bytes")

    def dataset(self, item: h5py.Dataset, at: str) -> None:
        self.once(item, at)
        plan = item.id.get_create_plist()
        if plan.get_external_count():
            target = plan.get_external(0)[0]
            raise refused(self.path, f"the numbers of {shown(at)} lie in another file ({shown(target)})")
        if item.is_virtual:
            raise refused(self.path, f"the numbers of {shown(at)} lie in other files (a virtual array)")
        self.check_attributes(item, at)
        if not (item.dtype.kind in "fiub" or (item.dtype.kind == "V" and item.dtype.itemsize <= 2 and not item.dtype.names)):  # fmt: skip
            raise refused(self.path, f"{shown(at)} holds {shown(str(item.dtype))} and no numbers")
        if any(plan.get_filter(i)[0] not in _FILTERS for i in range(plan.get_nfilters())):
            raise refused(self.path, f"{shown(at)} is packed in a way that Keras never uses")
        if item.shape is None:
            raise refused(self.path, f"{shown(at)} has no shape")
        if item.chunks and math.prod(item.chunks) * item.dtype.itemsize > limits.CHUNK:
            raise refused(self.path, f"{shown(at)} comes in pieces of more than {limits.CHUNK:,} bytes")
        declared, stored = math.prod(item.shape) * item.dtype.itemsize, item.id.get_storage_size()
        offset = item.id.get_offset()
        if stored > self.window.size or (offset is not None and offset + stored > self.window.size):
            raise damaged(self.path, f"{shown(at)} of {stored:,} bytes goes beyond the end of the file")
        if declared > limits.DECLARED and declared > limits.RATIO * stored:
            raise refused(
                self.path,
                f"{shown(at)} says that it holds {declared:,} bytes, and {stored:,} are stored",
                "that is a decompression bomb.",
            )
        self.declared += declared
        self.stored += stored
        self.found.arrays += 1

    def read(self, group: h5py.Group, at: str, *, optimizer: bool) -> None:
        for name in group:
            item, where = group[name], f"{at}/{name}"
            other = optimizer or (not at and name in _OPTIMIZER)
            if isinstance(item, h5py.Group):
                self.read(item, where, optimizer=other)
            else:
                finite = all(_finite(values) for values in self.pieces(item))
                if not other:
                    self.found.values += math.prod(item.shape)
                    if not finite and len(self.found.unfinite) < _SHOWN:
                        layer = _text(group.attrs.get("name", ""))
                        self.found.unfinite.append(f"{layer}/{name}" if layer else where.strip("/"))

    def pieces(self, item: h5py.Dataset):
        """Its values in parts of bounded size, read where they lie."""
        offset = item.id.get_offset()
        if item.chunks:
            for chosen in item.iter_chunks():
                yield item[chosen]
        elif offset is None or item.id.get_storage_size() == 0:
            if math.prod(item.shape) * item.dtype.itemsize <= limits.DECLARED:
                yield item[()]
        else:
            size = math.prod(item.shape) * item.dtype.itemsize
            for start in range(0, size, _STEP):
                yield np.frombuffer(self.window.read_at(offset + start, min(_STEP, size - start)), item.dtype)


def _finite(values: np.ndarray) -> bool:
    """Whether all of them are numbers that float32 has."""
    values = np.asarray(values)
    if values.dtype.kind == "V" and values.dtype.itemsize == 2:  # bfloat16: an exponent of ones alone
        return not bool(((np.frombuffer(values.tobytes(), "<u2") & 0x7F80) == 0x7F80).any())
    if values.dtype.kind != "f":
        return True
    if not np.isfinite(values).all():
        return False
    return values.dtype.itemsize <= 4 or not bool((np.abs(values) > _LARGEST).any())


def _text(value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
