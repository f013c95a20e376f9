"""The one folder outside of runs in which dlcli keeps anything."""

import os
from pathlib import Path


def folder() -> Path:
    """$DLCLI_CACHE, or dlcli in the user's cache folder. Deleting it costs time and nothing else."""
    if os.environ.get("DLCLI_CACHE"):
        return Path(os.environ["DLCLI_CACHE"])
    import platformdirs

    return Path(platformdirs.user_cache_dir("dlcli", appauthor=False))
