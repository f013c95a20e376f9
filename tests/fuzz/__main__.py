"""Search for bytes that a reader cannot stand: python -m tests.fuzz READER [options of libFuzzer]."""

import importlib
import sys
from pathlib import Path

import atheris


def main() -> None:
    reader, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["dlcli"]):
        module = importlib.import_module(f"tests.fuzz.{reader}")
    corpus = Path(__file__).parent / "corpus" / reader
    corpus.mkdir(parents=True, exist_ok=True)
    # An own folder among the options takes what is found; the kept one is read only.
    folders = [option for option in options if not option.startswith("-")]
    rest = [option for option in options if option.startswith("-")]
    atheris.Setup([reader, "-timeout=20", "-rss_limit_mb=3000", *rest, *folders, str(corpus)], module.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
