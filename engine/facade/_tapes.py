"""Functions on existing tapes and traces: open, summarize, plot, export, read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike
    from typing import Literal

    from tokentape.engine.measure.dialects.dialect_summary import DialectSummary
    from tokentape.engine.measure.slo import Slo
    from tokentape.engine.measure.summary import Summary
    from tokentape.engine.tape.read import Tape as SealedTape
    from tokentape.tape import Dialect, PlotFormat, Plots, Tape
    from tokentape.trace import Trace

    TapeOrPath = str | PathLike[str] | SealedTape


def open(path: str | PathLike[str]) -> Tape:
    """Open a sealed tape.

    Example:
        tape = tokentape.open("run.tape")

    Args:
        path: The tape's folder.

    Raises:
        UserError: The folder is not a tape, is not sealed, is damaged, or was written by a newer version.
    """
    from tokentape.tape import open_tape

    return open_tape(path)


def read_trace(
    path: str | PathLike[str],
    *,
    format: str | None = None,
    mapping: str | Mapping[str, str] | None = None,
    skip_bad_rows: bool = False,
) -> Trace:
    """Read a trace of any known format.

    Example:
        trace = tokentape.read_trace("conversation_trace.jsonl")
        print(trace.format, len(trace), trace.to_pandas()["input_tokens"].mean())

    Args:
        path: A file, plain or compressed with gzip or zstd; a folder of such files; a pattern as in "day-*.jsonl"; or a
            tape. Several files must be of one format, and are merged by arrival.
        format: Name of the format, as in "mooncake". None: found by the content.
        mapping: Columns of a CSV, JSONL or Parquet file in no known format, with their units, as in
            "timestamp=ts_ms:ms,input_tokens=n_in,output_tokens=n_out", or as a mapping.
        skip_bad_rows: Leave out rows that cannot be read, and count them.

    Returns:
        The trace in the order of arrival; its first request arrives at 0 ns.

    Raises:
        TraceError: The file, or a row of it, cannot be read. The message says how to correct it.
    """
    from tokentape.trace import read

    return read(path, format=format, mapping=mapping, skip_bad_rows=skip_bad_rows)


def sample_trace() -> Path:
    """Return the path of the trace that comes with the package: synthetic, in Mooncake's format, with shared prefixes.

    Example:
        trace = tokentape.read_trace(tokentape.sample_trace())
    """
    from tokentape.traces import sample_path

    return sample_path()


@overload
def summarize(  # type: ignore[overload-overlap]  # a str is a sequence of str
    tapes: TapeOrPath,
    *,
    slos: str | Slo | Sequence[Slo | str] = ...,
    max_failures: float = ...,
    dialect: None = ...,
    merge: Literal[False] = ...,
) -> Summary: ...
@overload
def summarize(  # type: ignore[overload-overlap]  # a str is a sequence of str
    tapes: TapeOrPath,
    *,
    slos: str | Slo | Sequence[Slo | str] = ...,
    max_failures: float = ...,
    dialect: Dialect,
    merge: bool = ...,
) -> DialectSummary: ...
@overload
def summarize(
    tapes: Sequence[TapeOrPath],
    *,
    slos: str | Slo | Sequence[Slo | str] = ...,
    max_failures: float = ...,
    dialect: None = ...,
    merge: Literal[False] = ...,
) -> list[Summary]: ...
@overload
def summarize(
    tapes: Sequence[TapeOrPath],
    *,
    slos: str | Slo | Sequence[Slo | str] = ...,
    max_failures: float = ...,
    dialect: Dialect,
    merge: Literal[False] = ...,
) -> list[DialectSummary]: ...
@overload
def summarize(
    tapes: Sequence[TapeOrPath],
    *,
    slos: str | Slo | Sequence[Slo | str] = ...,
    max_failures: float = ...,
    dialect: Dialect,
    merge: Literal[True],
) -> DialectSummary: ...
def summarize(
    tapes: TapeOrPath | Sequence[TapeOrPath],
    *,
    slos: str | Slo | Sequence[Slo | str] = (),
    max_failures: float = 0.1,
    dialect: Dialect | None = None,
    merge: bool = False,
) -> Summary | DialectSummary | list[Summary] | list[DialectSummary]:
    """Compute the metrics of one tape or of several from their raw stamps.

    Example:
        summary = tokentape.summarize("run.tape", slos="ttft:p99:300ms")
        print(summary.verdict.state, summary.statistic("ttft", "schedule").value("p99"))

    Args:
        tapes: A tape or its path; or a list of them, which gives a list of summaries.
        slos: Objectives: "ttft:p99:300ms" of the run, "ttft:300ms" of each request, for the goodput.
        max_failures: Failed requests up to which the verdict's exit code stays 0: a share below 1, or a number.
        dialect: Compute as another tool does: "genai-perf", "aiperf", "vllm", "sglang", "guidellm" or "mlperf".
        merge: With a dialect: summarize all tapes as one run on several machines.

    Raises:
        UserError: A path is not a tape, a file is damaged, or an objective cannot be read.
    """
    from tokentape.engine.errors import UserError
    from tokentape.engine.measure.dialects import summary_in
    from tokentape.tape import measured, parsed_slos

    every, alone = _list(tapes)
    opened = [measured(tape) for tape in every]
    if dialect is None:
        if merge:
            raise UserError(
                "merge needs a dialect, as in dialect='genai-perf'; tokentape's own summary covers one tape"
            )
        summaries = [tape.summary(slos, max_failures=max_failures) for tape in opened]
        return summaries[0] if alone else summaries
    objectives = parsed_slos(slos)
    if merge:
        if not opened:
            raise UserError("there is no tape to summarize; give at least one")
        return summary_in(dialect, opened, objectives)
    converted = [summary_in(dialect, [tape], objectives) for tape in opened]
    return converted[0] if alone else converted


def plot(
    tapes: TapeOrPath | Sequence[TapeOrPath],
    directory: str | PathLike[str] | None = None,
    *,
    format: PlotFormat = "png",
    only: str | Sequence[str] | None = None,
    slos: str | Slo | Sequence[Slo | str] = (),
    on_note: Callable[[str], object] | None = None,
) -> Plots:
    """Draw one tape or several, and return the files. A notebook shows the plots.

    Example:
        tokentape.plot(["old.tape", "new.tape"], "pictures", only=["latency_cdf"])

    Args:
        tapes: A tape or its path, or a list of at most six, which are drawn into the same plots.
        directory: Folder of the files, which is created if it does not exist. None: the folder "plots" of the tape, or
            "plots" for several.
        format: "png", "svg" or "both".
        only: Names of plots to draw (docs/plots.md). None: all plots that have data.
        slos: Objectives of each request, as in "ttft:300ms", for the goodput over time.
        on_note: Called with a note for each plot that is left out. None: the logger "tokentape", at level INFO.

    Returns:
        The paths of the files, in the order of the plots.

    Raises:
        UserError: A name is unknown, a path is not a tape, or the folder cannot be
            written.
    """
    from tokentape.tape import draw, measured

    opened = [measured(tape) for tape in _list(tapes)[0]]
    return draw(opened, directory, format=format, only=only, slos=slos, on_note=on_note)


def export(
    tapes: TapeOrPath | Sequence[TapeOrPath],
    directory: str | PathLike[str],
    *,
    profile_export_file: str = "profile_export.json",
    goodput: Sequence[str] = (),
) -> list[Path]:
    """Write GenAI-Perf's files of a tape: profile_export_genai_perf.csv and .json, profile_export.json, inputs.json.

    Example:
        tokentape.export("load.tape", "artifacts")

    Args:
        tapes: A tape or its path; or a list of them, which is exported as one run on several machines.
        directory: Folder of the files, which is created if it does not exist.
        profile_export_file: Name of the file with one entry per request; the others are named after it.
        goodput: Objectives in GenAI-Perf's form, as in ["time_to_first_token:300"] (ms).

    Returns:
        The paths of the files. inputs.json is among them only if the tape was made with ``keep_bodies``.

    Raises:
        UserError: A path is not a tape, an objective cannot be read, or the folder cannot be written.
    """
    from tokentape.engine.errors import UserError
    from tokentape.engine.measure.dialects.goodput_words import parse_goodput
    from tokentape.engine.report.genai_perf import config_of, write_genai_perf
    from tokentape.tape import measured

    slos = [parse_goodput(word) for word in goodput]
    opened = [measured(tape) for tape in _list(tapes)[0]]
    if not opened:
        raise UserError("there is no tape to export; give at least one")
    config = config_of(opened[0], profile_export_name=profile_export_file, goodput=tuple(goodput))
    config["output"]["artifact_directory"] = str(directory)
    return write_genai_perf(
        opened, Path(directory), input_config=config, profile_export_name=profile_export_file, slos=slos
    )


def _list(tapes: TapeOrPath | Sequence[TapeOrPath]) -> tuple[list[TapeOrPath], bool]:
    """Return tapes as a list, and whether a single tape was given."""
    if isinstance(tapes, list | tuple):
        return list(tapes), False
    return [tapes], True  # type: ignore[list-item]
