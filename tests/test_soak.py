"""Ten thousand checkpoints of one process: memory, open files, threads and the disk stay as they are."""

import os
import threading
from pathlib import Path

import pytest

from dlcli import savepoints
from dlcli.saver import Saver
from tests.training import trained

SAVES = 10_000


def measured(run: Path) -> dict[str, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "disk": sum(file.stat().st_size for file in (run / "checkpoints").rglob("*") if file.is_file()),
        "kept": len(savepoints.listed(run / "checkpoints")),
    }


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_ten_thousand_saves_leave_everything_as_it_was(tmp_path, monkeypatch):
    """Compared with the state after the first tenth; the history of the epochs, a line each, may grow."""
    honest, seen, taken = Saver.on_train_batch_end, [0], {}

    def counted(self, batch, logs=None):
        honest(self, batch, logs)
        seen[0] += 1
        if seen[0] in (SAVES // 10, SAVES - 1):
            self.join()
            taken[seen[0]] = measured(tmp_path)

    monkeypatch.setattr(Saver, "on_train_batch_end", counted)
    trained(tmp_path, epochs=SAVES // 8)
    assert seen[0] == SAVES
    early, late = taken.values()
    assert savepoints.newest(tmp_path / "checkpoints").finished
    assert (late["files"], late["threads"], late["kept"]) == (early["files"], early["threads"], early["kept"])
    assert late["memory"] < early["memory"] + 64e6, (early, late)
    assert late["disk"] < early["disk"] + 1e6, (early, late)
