"""The README's first block is what CI runs and what a stranger types."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def first_block() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"```\w*\n(.*?)```", text, re.S).group(1).strip().splitlines()


def test_the_first_block_holds_two_commands_and_ci_runs_the_second():
    commands = first_block()
    assert len(commands) == 2
    assert "dlcli train sample_data/shapes" in commands[0]
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
