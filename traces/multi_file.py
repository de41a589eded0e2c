"""Read several files as one trace: a folder, or the files that match a pattern."""

from __future__ import annotations

import glob
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .assembly.block_ids import INT32_MAX
from .errors import TraceError
from .graph.fan_in import remap_fan_in, shifted_joins
from .graph.sessions import number_turns, old_parents, remap_parents
from .reading.field_checks import NAMED_ROWS
from .table import TRACE_SCHEMA, Trace, one_array

_KINDS = {".json", ".jsonl", ".ndjson", ".csv", ".parquet"}
_PACKED = {".gz", ".zst"}
_DATED_NS = 10**9 * 10**9  # 2001 in ns since 1970: clocks that start later count from 1970
_MOST_NOTES = 10


def files_of(path: Path) -> list[Path] | None:
    """Return the files of a folder or pattern in the order of their names; None for a single file.

    In a folder, and the folders below it, those with a trace's suffix count: .json, .jsonl, .ndjson, .csv,
    .parquet, and these with .gz or .zst behind.

    Raises:
        TraceError: There are no files.
    """
    source = str(path)
    try:
        folder, pattern = path.is_dir(), not path.exists() and glob.has_magic(source)
    except (OSError, ValueError):
        return None  # opening it will say what is wrong
    if folder:
        files = sorted(file for file in path.rglob("*") if file.is_file() and _is_kind(file))
        if not files:
            suffixes = ", ".join(sorted(_KINDS))
            raise TraceError(source, f"is a directory without traces; these end in {suffixes}, and .gz or .zst")
        return files
    if pattern:
        anchor = path.anchor or "."
        files = sorted(file for file in Path(anchor).glob(str(path.relative_to(path.anchor))) if file.is_file())
        if not files:
            raise TraceError(source, "no file matches this pattern")
        return files
    return None


def _is_kind(file: Path) -> bool:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in _KINDS and not file.name.startswith(".")


def read_many(source: str, files: Sequence[Path], read_one: Callable[[Path], Trace]) -> Trace:
    """Read several files of one format and merge them.

    Times stay as recorded: files that count from 1970 keep their places, and files that count from 0 start together.
    Block ids of different files are never equal, and equal session names in several files mean different sessions.

    Args:
        source: What the user named.
        files: At least one.
        read_one: Reads one of them.

    Raises:
        TraceError: One cannot be read, or they are of several formats, clocks or block sizes.
    """
    traces = [read_one(file) for file in files]
    if len(traces) == 1:
        return traces[0]
    first = traces[0]
    for trace in traces[1:]:
        if trace.format != first.format:
            problem = f"has the format {trace.format}, but {first.source} has {first.format}; "
            raise TraceError(trace.source, problem + "read files of one format at a time")
        if (trace.origin_ns > _DATED_NS) != (first.origin_ns > _DATED_NS):
            raise TraceError(
                trace.source,
                f"has a clock that {_counts(trace)}, and {first.source} one that {_counts(first)}; "
                "read them one at a time",
            )
    shaped = [trace for trace in traces if trace.block_tokens is not None]
    for trace in shaped[1:]:
        if (trace.block_tokens, trace.block_rounding) != (shaped[0].block_tokens, shaped[0].block_rounding):
            raise TraceError(
                trace.source,
                f"has blocks of {trace.block_tokens} tokens, and {shaped[0].source} of {shaped[0].block_tokens}",
            )
    origin = min(trace.origin_ns for trace in traces)
    table = _merged(source, traces, origin)
    notes = [
        f"{len(traces):,} files were merged by arrival, each on its own clock; block ids of different files differ"
    ]
    file_notes = [f"{trace.source}: {note}" for trace in traces for note in trace.notes]
    if len(file_notes) > _MOST_NOTES:
        file_notes[_MOST_NOTES:] = [f"{len(file_notes) - _MOST_NOTES:,} more on single files"]
    return replace(
        shaped[0] if shaped else first,
        table=table,
        source=source,
        digest=hashlib.sha256("".join(trace.digest for trace in traces).encode()).hexdigest(),
        notes=(*notes, *file_notes),
        skipped_rows=sum(trace.skipped_rows for trace in traces),
        origin_ns=origin,
        bad_rows=tuple(row for trace in traces for row in trace.bad_rows)[:NAMED_ROWS],
    )


def _counts(trace: Trace) -> str:
    return "counts from 1970" if trace.origin_ns > _DATED_NS else "counts from its own start"


def _merged(source: str, traces: Sequence[Trace], origin_ns: int) -> pa.Table:
    names = Counter(name for trace in traces for name in trace.table["session_id"].unique().to_pylist() if name)
    tables = []
    rows = ids = 0
    for trace in traces:
        table = trace.table
        arrival = table["arrival_ns"].to_numpy() + (trace.origin_ns - origin_ns)
        parents = old_parents(table["parent"])
        parent = pa.array(parents + rows, pa.int64(), mask=parents < 0)
        table = _put(_put(table, "arrival_ns", pa.array(arrival)), "parent", parent)
        table = _put(table, "also_after", shifted_joins(table["also_after"], rows))
        table = _put(table, "session_id", _own_names(table["session_id"], trace.source, names))
        blocks: Any = one_array(table["block_ids"])
        flat = blocks.flatten().to_numpy()
        if len(flat):
            if ids + int(flat.max()) > INT32_MAX:
                raise TraceError(source, "has more block ids in all its files than a trace holds; read fewer at a time")
            table = _put(table, "block_ids", _shifted(blocks, flat, ids))
            ids += int(flat.max()) + 1
        tables.append(table)
        rows += len(table)
    whole = pa.concat_tables(tables)
    order = np.argsort(whole["arrival_ns"].to_numpy(), kind="stable")
    parent = remap_parents(whole["parent"], order)
    also_after = remap_fan_in(whole["also_after"], parent, order)
    whole = _put(_put(whole.take(pa.array(order)), "parent", parent), "also_after", also_after)
    turn, _ = number_turns(whole["session_id"], len(whole))
    return _put(whole, "turn", pa.array(turn, pa.int32()))


def _own_names(column: Any, source: str, names: Counter[str]) -> Any:
    """A file's session names, those that other files have too with the file's name before them."""
    stem = Path(source).name.partition(".")[0]
    own = {name: f"{stem}/{name}" if count > 1 else name for name, count in names.items()}
    return pa.array([own.get(name) for name in column.to_pylist()], pa.string())


def _shifted(blocks: Any, flat: Any, by: int) -> Any:
    lengths = blocks.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets: Any = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    mask = blocks.is_null() if blocks.null_count else None
    return pa.ListArray.from_arrays(offsets, pa.array(flat + np.int32(by)), mask=mask)


def _put(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(TRACE_SCHEMA.get_field_index(name), TRACE_SCHEMA.field(name), values)
