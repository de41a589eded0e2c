"""Exit codes of the command line that tests accept."""

from typing import Final

from tokentape.engine.measure.verdict import EXIT_INVALID

COMPLETED: Final = (0, EXIT_INVALID)
"""The run completed and no request failed. A short run is INVALID when a busy machine pauses the client for 100 ms."""
