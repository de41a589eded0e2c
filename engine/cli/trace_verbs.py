"""The verbs of ``tokentape trace``, the most used first, and the module that holds the command of each."""

from typing import Final

VERBS: Final = {
    "stats": "tokentape.engine.cli.trace.stats",
    "diff": "tokentape.engine.cli.trace.diff",
    "formats": "tokentape.engine.cli.trace.formats",
    "validate": "tokentape.engine.cli.trace.validate",
    "convert": "tokentape.engine.cli.trace.convert",
    "scale": "tokentape.engine.cli.trace.scale",
    "fit": "tokentape.engine.cli.trace.fit",
    "generate": "tokentape.engine.cli.trace.generate",
}
