"""Write the whole corpus into a folder: python -m tests.hostile FOLDER."""

import sys
from pathlib import Path

from tests.hostile import programs, storage  # noqa: F401  they fill the list
from tests.hostile.cases import CASES

for case in CASES:
    folder = Path(sys.argv[1]) / f"{case.number}-{case.name}"
    folder.mkdir(parents=True)
    print(case.number, case.build(folder, Path(sys.argv[1]) / "canary"))
