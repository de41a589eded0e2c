"""The tape on disk: schema, journal, seal, read, recover."""

from .read import Tape, open_tape
from .recover import recover
from .writer import TapeWriter

__all__ = ["Tape", "TapeWriter", "open_tape", "recover"]
