"""A tape that can sum itself up: what the Python API hands out."""

from collections.abc import Sequence
from pathlib import Path

from tokentape.engine.measure.dialects import summary_in
from tokentape.engine.measure.dialects.dialect_summary import DialectSummary
from tokentape.engine.measure.slo import Slo, parse_slo
from tokentape.engine.measure.summary import Summary, summarize
from tokentape.engine.measure.verdict import DEFAULT_MAX_FAILURES
from tokentape.engine.tape.read import Tape, open_tape


class MeasuredTape(Tape):
    """A sealed tape with its metrics at hand."""

    def summary(self, slos: Sequence[Slo | str] = (), *, max_failures: float = DEFAULT_MAX_FAILURES) -> Summary:
        """Metrics, rates and verdict, computed anew from the raw stamps.

        Args:
            slos: Objectives, as Slo or as text: "ttft:p99:300ms" of the run, "ttft:300ms" of each request.
            max_failures: Failed requests that leave the exit code 0: a share below 1, else a number.
        """
        parsed = [parse_slo(slo) if isinstance(slo, str) else slo for slo in slos]
        return summarize(self, parsed, max_failures=max_failures)

    def summary_in(self, dialect: str, slos: Sequence[Slo | str] = ()) -> DialectSummary:
        """What another tool would have computed: `tape.summary_in("vllm").value("mean_ttft_ms")`.

        Args:
            dialect: genai-perf, aiperf, vllm, sglang, guidellm or mlperf.
            slos: As for `summary`; those of each request make the tool's goodput.
        """
        return summary_in(dialect, [self], [parse_slo(slo) if isinstance(slo, str) else slo for slo in slos])


def open_measured(path: Path) -> MeasuredTape:
    """Opens the sealed tape at `path`.

    Raises:
        UserError: As for `open_tape`.
    """
    return MeasuredTape(path, open_tape(path).manifest)
