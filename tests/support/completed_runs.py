"""Checking that a command completed its run, on a machine that may be too busy to time it."""

import json
from pathlib import Path
from typing import Final

from tokentape.engine.measure.verdict import EXIT_INVALID

TIMING: Final = {"late", "rate", "arrivals", "busy"}
"""Codes of the verdict's reasons that a busy machine can cause in a short run."""


def assert_completed(exit_code: int, folder: Path, output: str = "") -> None:
    """Assert that a run succeeded, or that only its timing is INVALID.

    Args:
        exit_code: The command's exit code.
        folder: Folder that contains the run's tape.
        output: The command's output, for the assertion's message.
    """
    assert exit_code in (0, EXIT_INVALID), output
    if exit_code == EXIT_INVALID:
        verdicts = [json.loads(file.read_text()).get("verdict") for file in folder.rglob("manifest.json")]
        reasons = [reason for verdict in verdicts if verdict for reason in verdict["reasons"]]
        invalid = {reason["code"]: reason["text"] for reason in reasons if reason["level"] == "INVALID"}
        assert invalid, output
        assert invalid.keys() <= TIMING, invalid
