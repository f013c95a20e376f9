"""A JSON document out of a file: parsed with its size, depth and number of values under control."""

import json
from typing import Any

from dlcli.safety import limits
from dlcli.safety.refusal import damaged, refused


def parsed(data: bytes | str, path, name: str) -> Any:
    """Its value. name: what it is called in the file. Raises: DlcliError (exit code 4)."""
    if len(data) > limits.CONFIG:
        raise refused(path, f"its {name} has {len(data):,} bytes, more than {limits.CONFIG:,}")
    try:
        value = json.loads(data)
    except RecursionError:
        raise too_deep(path, name) from None
    except ValueError as error:
        raise damaged(path, f"its {name} is no JSON ({' '.join(str(error).split())[:100]})") from None
    _measure(value, path, name)
    return value


def too_deep(path, name: str):
    """The refusal of what is nested beyond the limit."""
    return refused(path, f"its {name} is nested more than {limits.DEPTH} deep")


def _measure(value: Any, path, name: str) -> None:
    level, depth, count = [value], 0, 1
    while level:
        depth += 1
        if depth > limits.DEPTH:
            raise too_deep(path, name)
        inner = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        count += len(inner)
        if count > limits.NODES:
            raise refused(path, f"its {name} holds more than {limits.NODES:,} values")
        level = inner
