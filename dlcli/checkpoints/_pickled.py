"""Unpickle what torch.save wrote without running any of it: tensors stay descriptions until they are checked.

A pickle is a program that may call whatever it can name. Here it can name an ordered dict, two functions
that rebuild tensors and the types of storages, all by stand-ins of our own; anything else is refused by name.
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from dlcli.errors import MODEL, DlcliError

# NumPy's name of what each storage holds; "bfloat16" is read as float32, which NumPy has.
STORAGES = {
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "CharStorage": "i1",
    "ShortStorage": "i2",
    "IntStorage": "i4",
    "LongStorage": "i8",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# _rebuild_tensor is what PyTorch wrote until 0.3; the other is today's, with gradients and hooks behind.
_REBUILDERS = ("_rebuild_tensor", "_rebuild_tensor_v2")

# A tensor takes some 150 bytes of pickle, so this is 50 000 of them. More would be no checkpoint but
# an attempt: a byte of pickle can become 60 of memory.
LONGEST = 8 * 2**20
# Parts of one value, each as often as it is met.
LARGEST = 20_000_000


class Storage(NamedTuple):
    """Where values lie: `size` of them, under `key` in the file. kind: one of STORAGES' values."""

    kind: str
    key: str
    size: int


class Stored(NamedTuple):
    """A tensor that was not read yet: a view of a storage, offset and strides counted in values.

    Nothing about it is checked here: see torch_zip.
    """

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


class Unpickled(NamedTuple):
    """The object, where its pickle ended, and the storages that it names by their keys."""

    value: Any
    end: int
    storages: dict[str, Storage]


def unpickled(data: bytes, path: Path, start: int = 0) -> Unpickled:
    """The pickle that begins at `start`. Raises: DlcliError (exit code 4)."""
    try:
        end = _scanned(data, start)
        unpickler = _Unpickler(data[start:end], path)
        return Unpickled(unpickler.load(), end, unpickler.storages)
    except DlcliError:
        raise
    except Exception as error:  # a broken pickle raises nearly anything
        raise refused(path, f"its pickle cannot be read ({type(error).__name__}: {error})") from None


def refused(path: Path, why: str, hint: str = "is it whole?") -> DlcliError:
    """What a user is told of a checkpoint that is broken or hostile."""
    return DlcliError(f"{path} is not read: {why}.", hint, code=MODEL)


def _scanned(data: bytes, start: int) -> int:
    """Where the pickle ends, once its lengths are true and its memory is no larger than itself.

    The unpickler of CPython makes room for whatever number of values a pickle says it remembers.
    """
    stream = io.BytesIO(data)
    stream.seek(start)
    sizes = _Sizes()
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > len(data):
            raise ValueError(f"it remembers a value number {argument}")
        sizes.take(operation, argument)
    return stream.tell()


class _Sizes:
    """How large values are when they are gone through, to be hashed or shown: what is in them twice counts twice.

    A tuple of the same tuple twice, and so on forty times over, takes ninety bytes and a day to be hashed.
    """

    def __init__(self):
        self.stack: list[int] = []
        self.marks: list[int] = []
        self.memo: dict[int, int] = {}

    def take(self, operation, argument) -> None:
        """Raises: ValueError where a value becomes larger than an honest one can be."""
        name, stack = operation.name, self.stack
        if name == "MARK":
            self.marks.append(len(stack))
            return
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
            return
        if name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo.get(int(argument), 1))
            return
        if name == "DUP":
            stack.append(stack[-1])
            return
        before, after = operation.stack_before, operation.stack_after
        taken = len(before)
        if pickletools.markobject in before:
            at = self.marks.pop()
            taken = len(stack) - at + before.index(pickletools.markobject)
        gone = [stack.pop() for _ in range(taken)] if taken else []
        size = 1 + sum(gone)
        if size > LARGEST:
            raise ValueError(f"a value in it has more than {LARGEST:,} parts")
        stack.extend([size] * len(after))


class _Rebuilder:
    """Stands for torch._utils._rebuild_tensor…; without attributes that a pickle could set."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_) -> Stored:
        if not isinstance(storage, Storage):
            raise TypeError("a tensor without a storage")
        return Stored(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, path: Path):
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self.path = path
        self.storages = {}

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in _REBUILDERS:
            return _Rebuilder()
        if module == "torch" and name in STORAGES:
            return name
        raise refused(
            self.path,
            f"it asks for {module}.{name}, and a checkpoint needs nothing but tensors",
            "unpickling may run any code. Where you trust the file, save its tensors alone: "
            "torch.save(model.state_dict(), PATH).",
        )

    def persistent_load(self, pid) -> Storage:
        what, name, key, _, size, *view = pid
        if what != "storage" or name not in STORAGES or not isinstance(key, str) or type(size) is not int or size < 0:
            raise ValueError("a reference to something else than a storage")
        if view and view[0] is not None:
            raise ValueError("a storage within another, as PyTorch had them until 0.3")
        storage = Storage(STORAGES[name], key, size)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key!r} is described in two ways")
        return storage
