"""Start Keras on the backend, device and precision that were asked for, and say so: it takes seconds."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from dlcli import caches, console, fused
from dlcli.errors import DlcliError


def start(backend: str, *, device: str = "auto", precision: str = "float32", seed: int = 0) -> None:
    """Import Keras. Everything that must be set before that import is set here and nowhere else.

    device: "auto" (all GPUs, or the CPU), "cpu", or "gpu:0", "gpu:0,1".
    Raises: DlcliError when the backend is not installed or the device is not there.
    """
    if "keras" in sys.modules:
        import keras

        if keras.backend.backend() != backend:
            raise DlcliError(
                f"Keras already runs on {keras.backend.backend()}, not on {backend}.",
                "one process has one backend.",
            )
        _choose(device)  # of use where nothing was computed yet, as in a trial
    else:
        _single(backend)
        _choose(device)
        console.note(f"starting {'TensorFlow' if backend == 'tensorflow' else 'JAX'}…")
        load(backend)
        import keras
    with _hushed():
        keras.ops.zeros(1)
    # one process may build many models: that each is traced anew is no news
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("float32" if precision in ("auto", "float32") else f"mixed_{precision}")
    if device.startswith("gpu") and not gpus():
        raise DlcliError(
            f"--device {device} was asked for, but {backend} sees no GPU.", "leave --device away for the CPU."
        )


def _single(backend: str) -> None:
    """TensorFlow's strategy for several machines fails in the first step of Keras 3: rather say so at once."""
    try:
        told = json.loads(os.environ.get("TF_CONFIG") or "{}")
        workers = sum(len(told.get("cluster", {}).get(role, [])) for role in ("chief", "worker", "ps"))
    except (ValueError, AttributeError, TypeError):
        return
    if backend == "tensorflow" and workers > 1:
        raise DlcliError(
            f"TF_CONFIG names {workers} machines, and dlcli trains on one.",
            "unset TF_CONFIG: all devices of this machine are used.",
        )


def load(backend: str) -> None:
    """Import Keras, and compute nothing yet: a process that has only done this may fork.

    Raises: DlcliError when the backend is not installed.
    """
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Keras writes its settings where its weights go, and obeys what it finds there.
    os.environ.setdefault("KERAS_HOME", str(caches.folder() / "keras"))
    # A seeded run must repeat bit for bit; on the CPU this costs nothing measurable.
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    try:
        with _hushed(), _unseen("sklearn", *(["jax"] if backend == "tensorflow" else [])):
            import keras  # noqa: F401
    except ModuleNotFoundError as error:
        raise DlcliError(
            f"the {backend} backend needs {error.name}, which is not installed.",
            f"pip install 'dlcli[{backend}]'." if backend == "jax" else "install dlcli again.",
        ) from None
    if backend == "tensorflow":
        fused.install()


@contextmanager
def _unseen(*names: str) -> Iterator[None]:
    """Let an import find no such packages: what TensorFlow and Keras wrap, in parts that nothing here uses.

    More than a quarter of their start went into these two. Who imports them afterwards finds them.
    """
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep what the libraries' C++ writes while they start off the screen, unless starting fails.

    TF_CPP_MIN_LOG_LEVEL comes too late for it: it is written before logging is set up.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def devices() -> list[str]:
    """What a model is placed on: all visible GPUs, or the CPU."""
    return gpus() or ["cpu"]


def gpus() -> list[str]:
    """All visible GPUs. JAX raises where there is none; TensorFlow gives an empty list."""
    import keras

    try:
        return keras.distribution.list_devices("gpu")
    except RuntimeError:
        return []


def _choose(device: str) -> None:
    kind, _, numbers = device.partition(":")
    if kind not in ("auto", "cpu", "gpu"):
        raise DlcliError(f"--device {device!r} is not a device.", "auto, cpu, gpu, gpu:0 or gpu:0,1.")
    if kind == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif numbers:
        os.environ["CUDA_VISIBLE_DEVICES"] = numbers


@contextmanager
def scope() -> Iterator[int]:
    """Build and fit in here to use all visible GPUs; gives the number of copies of the model.

    JAX: one array over all devices. TensorFlow: MirroredStrategy, which Keras has no name for, so
    this is the one place that imports TensorFlow.
    """
    import keras

    jax = keras.backend.backend() == "jax"
    # There may also be several CPU devices, which is how this is tested.
    count = len(gpus()) or len(keras.distribution.list_devices("cpu"))
    if count == 1:
        yield 1
    elif jax:
        # Every process feeds its own rows; a single process feeds all of them.
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
        try:
            yield count
        finally:
            keras.distribution.set_distribution(None)
    else:
        import tensorflow

        # without names it takes all GPUs, or one CPU
        named = None if gpus() else [device.upper() for device in keras.distribution.list_devices("cpu")]
        with tensorflow.distribute.MirroredStrategy(named).scope():
            yield count


def settle(model) -> None:
    """Let the variables hold what the last step has made of them: JAX keeps that to itself between steps."""
    sync = getattr(model, "jax_state_sync", None)
    if sync is not None:
        sync()


def value(variable):
    """A copy of a variable as an array. Where its copies on several devices differ, as sums over an epoch do, all
    of them, one after another."""
    import numpy as np

    copies = _copies(variable)
    if copies is None:
        # a view of a buffer that JAX hands over to the next step would change under the reader's hands
        held = variable.value
        return np.array(held.numpy() if hasattr(held, "numpy") else held, copy=True)
    arrays = [copy.numpy() for copy in copies]
    return arrays[0] if all(np.array_equal(arrays[0], array) for array in arrays[1:]) else np.stack(arrays)


def assign(variable, array) -> bool:
    """The opposite of `value`. False when the shape is another.

    Sums of another number of devices go to the first one.
    """
    import numpy as np

    copies = _copies(variable)
    apart = array.ndim == len(variable.shape) + 1 and array.shape[1:] == tuple(variable.shape)
    if not apart and array.shape != tuple(variable.shape):
        return False
    if copies is None:
        variable.assign(array.sum(axis=0) if apart else array)
        return True
    if apart and len(array) != len(copies):
        array = np.stack([array.sum(axis=0), *[np.zeros_like(array[0])] * (len(copies) - 1)])
    for i, copy in enumerate(copies):
        copy.assign(array[i] if apart else array)
    return True


def _copies(variable) -> tuple | None:
    """TensorFlow's variables on each device, or None where there is one."""
    import keras

    if keras.backend.backend() == "jax":
        return None
    found = getattr(variable.value, "values", None)
    return found if isinstance(found, tuple) else None


def untuned(dataset):
    """A tf.data.Dataset that no thread tunes."""
    import tensorflow

    options = tensorflow.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def memory_errors() -> tuple[type[BaseException], ...]:
    """What the backend may raise when there is not enough memory; see `is_memory`."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return (MemoryError, jax.errors.JaxRuntimeError)
    import tensorflow

    return (MemoryError, tensorflow.errors.ResourceExhaustedError)


def is_memory(error: BaseException) -> bool:
    """Whether one of `memory_errors` is about memory: JAX has one class for all errors."""
    import keras

    return (
        isinstance(error, MemoryError)
        or keras.backend.backend() != "jax"
        or any(words in str(error) for words in ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory"))
    )


def value_and_gradients(function, arguments: list) -> tuple:
    """function(*arguments), a scalar tensor, and its gradient with respect to each argument: zeros where it has no part.

    arguments: floating tensors.  Keras has no name for gradients.  No variable is changed: what
    layers would assign or add to their losses is dropped.
    """
    import keras

    def stateless(*values):
        with keras.StatelessScope(collect_losses=True):
            return function(*values)

    if keras.backend.backend() == "jax":
        import jax

        return jax.value_and_grad(stateless, argnums=tuple(range(len(arguments))))(*arguments)
    import tensorflow

    with tensorflow.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(arguments)
        value = stateless(*arguments)
    return value, tape.gradient(value, arguments, unconnected_gradients="zero")


def compiled(function):
    """The function of tensors as one program, made when it is first called with their shapes.  Keras compiles whole models."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow

    return tensorflow.function(function, autograph=False)
