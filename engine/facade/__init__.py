"""Tokentape replays recorded LLM traffic against a server and stamps every token as it arrives."""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokentape.engine.measure.measured import MeasuredTape

__all__ = ["open"]
__version__ = "0.1.0"


def open(path: str | PathLike[str]) -> "MeasuredTape":
    """Opens a sealed tape for reading.

    Its `.requests` and `.events` are pyarrow tables, `.manifest` says what ran, `.summary()` computes the
    metrics and the verdict, `.event_batches()` goes through a long tape piece by piece.

    Raises:
        tokentape.engine.errors.UserError: Not a tape, not sealed, incomplete, or of a newer version.
    """
    from pathlib import Path

    from tokentape.engine.measure.measured import open_measured

    return open_measured(Path(path))
