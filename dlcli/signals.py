"""Ctrl-C, SIGTERM and SIGHUP during a training: finish the step, save, leave. A second one leaves at once.

| signal           | training                                             | exit code |
|------------------|------------------------------------------------------|-----------|
| SIGINT (Ctrl-C)  | saves and stops; a second one stops at once          | 130       |
| SIGTERM, SIGHUP  | saves and stops, at the latest after GRACE seconds   | 75        |
| SIGUSR1          | saves and goes on                                    |           |

A SIGHUP that is ignored already (nohup) stays ignored.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dlcli import console
from dlcli.errors import PREEMPTED, STOPPED

# Schedulers kill 30 s after SIGTERM and more.
GRACE = 20.0


class Stop:
    """What was asked for from outside. wanted: the signal's number, or None.  save: a checkpoint, now."""

    def __init__(self):
        self.wanted = None
        self.save = False

    @property
    def code(self) -> int:
        return STOPPED if self.wanted == signal.SIGINT else PREEMPTED

    @property
    def name(self) -> str:
        return "Ctrl-C" if self.wanted == signal.SIGINT else signal.Signals(self.wanted).name


@contextmanager
def heard() -> Iterator[Stop]:
    """Signals do not interrupt what runs in here: they are told to the Stop, and acted on between two steps.

    A thread reads them as they come: a step may spend minutes in C++, where Python does not hear a second Ctrl-C.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.getsignal(number) for number in _numbers()}
    for number in before:
        signal.signal(number, _nothing)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread = threading.Thread(target=_listen, args=(reader, stop), daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(writer, b"\0")
        thread.join()
        os.close(writer)
        os.close(reader)


@contextmanager
def preemptible(hint: str = "start it again.") -> Iterator[None]:
    """SIGTERM and SIGHUP end what runs in here with exit code 75: before a training and after it nothing is to save.

    The handler raises nothing: an exception in the middle of a library's import may be swallowed there.
    """

    def leave(number, frame):
        console.fail(f"stopped by {signal.Signals(number).name}.", hint)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(PREEMPTED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _numbers() if number in (signal.SIGTERM, _HANGUP)}
    for number in before:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_HANGUP = getattr(signal, "SIGHUP", None)
_SAVE = getattr(signal, "SIGUSR1", None)


def _numbers() -> list[int]:
    known = [number for number in (signal.SIGINT, signal.SIGTERM, _HANGUP, _SAVE) if number is not None]
    return [number for number in known if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def _nothing(number, frame):
    """Python must have a handler, or the thread is not told."""


def _listen(reader: int, stop: Stop) -> None:
    deadline = None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([reader], [], [], left)[0]:
            _leave(stop, f"the step did not end within {GRACE:.0f} s of {stop.name}; the last checkpoint is good")
        for number in os.read(reader, 64):
            if number == 0:
                return
            if number == _SAVE:
                stop.save = True
            elif stop.wanted is not None:
                stop.wanted = number
                _leave(stop, "stopped at once; the last checkpoint is good")
            else:
                stop.wanted = number
                deadline = None if number == signal.SIGINT else time.monotonic() + GRACE
                console.note(f"{stop.name}: finishing the step, then saving; once more stops at once")


def _leave(stop: Stop, message: str) -> None:
    """Out, from any thread, whatever the main one is in."""
    if console.notes.is_terminal:
        sys.stderr.write("\x1b[?25h")  # a progress bar hides the cursor
    console.fail(message + ".")
    sys.stderr.flush()
    os._exit(stop.code)
