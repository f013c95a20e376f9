"""Why a deep network may be the wrong tool for some data: one file, one reason."""
