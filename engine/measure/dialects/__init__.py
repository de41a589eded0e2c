"""Dialects: the same tape as other tools would have computed it. One file per tool, headed by its definitions."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ...errors import UserError

if TYPE_CHECKING:
    from ...tape.read import Tape
    from ..slo import Slo
    from .dialect_run import Run
    from .dialect_summary import DialectSummary

OURS: Final = "tokentape"
DIALECTS: Final = ("genai-perf", "aiperf", "vllm", "sglang", "guidellm", "mlperf")
"""The tools, each computed in the file of its name."""


NOT_STREAMED = "The responses were not streamed: the token times below are the times of whole responses"


def summary_in(dialect: str, tapes: "Sequence[Tape]", slos: "Sequence[Slo]" = ()) -> "DialectSummary":
    """Return the summary of another tool; several tapes count as one run.

    Args:
        dialect: One of DIALECTS.
        tapes: At least one.
        slos: Objectives; the per-request ones give the goodput, if the tool reports one.

    Raises:
        UserError: No such dialect, or a file of a tape is damaged.
    """
    if dialect not in DIALECTS:
        raise UserError(f"dialect {dialect!r} is not one of {', '.join((OURS, *DIALECTS))}")
    from .dialect_run import run_of

    module = import_module(f".{dialect.replace('-', '_')}", __name__)
    summarize: Callable[[Run, Sequence[Slo]], DialectSummary] = module.summarize
    summary = summarize(run_of(tapes), [slo for slo in slos if slo.statistic is None])
    if all(tape.manifest.get("streaming") is False for tape in tapes):
        summary = replace(summary, notes=(*summary.notes, NOT_STREAMED))
    return summary
