"""Sealing: the journal becomes Parquet, in bounded memory, and can be begun again if it is cut short.

Files get their names when they are whole, the manifest lists them when they are all there, and only
then does the journal go. Whatever stops it before, the journal is still the record.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .journal import JOURNAL, TABLES, Dropped, JournalReader, journal_file
from .manifest import write_manifest
from .order import chain_order
from .parts import ROW_GROUP_ROWS, Part, write_part
from .schema import BODIES, EVENTS, KINDS, REQUESTS

PARTITION_EVENTS: Final = 1 << 22
"""Events sorted and written at once: bounds the memory (about 0.5 GB). More pack a little better."""
PARTITION_REQUESTS: Final = 1 << 17
PARTITION_BODY_BYTES: Final = 1 << 26

_KIND_WORDS: Final = pa.array(KINDS, pa.string())
_KIND_TYPE: Final = pa.dictionary(pa.int8(), pa.string())
_EVENTS_PART: Final = pa.schema([f.with_type(_KIND_TYPE) if f.name == "kind" else f for f in EVENTS])


def seal_journal(path: Path, manifest: dict[str, Any]) -> dict[str, Dropped]:
    """Turns the journal of the tape at `path` into Parquet, writes the manifest, removes the journal.

    Args:
        path: The tape's directory.
        manifest: What it will say; `epoch_unix_ns` must be in it. It gets `sealed`, `files` and `rows`.

    Returns:
        The torn ends of journals, by table; empty when all were whole.

    Raises:
        OSError: As the file system says it. The journal is untouched then.
    """
    try:
        files, dropped = _write_parts(path, int(manifest["epoch_unix_ns"]))
        manifest["sealed"] = True
        manifest["files"] = [part.as_dict() for part in files]
        manifest["rows"] = {
            table: sum(part.rows for part in files if part.table == table) for table in TABLES
        }
        if dropped:
            manifest["dropped"] = {t: {"bytes": d.bytes, "rows": d.rows} for t, d in dropped.items()}
        write_manifest(path, manifest)
    except BaseException:
        for table in TABLES:  # on a full disk the journal is what needs the room
            shutil.rmtree(path / table, ignore_errors=True)
        raise
    shutil.rmtree(path / JOURNAL)
    return dropped


def _write_parts(path: Path, epoch_unix_ns: int) -> tuple[list[Part], dict[str, Dropped]]:
    files: list[Part] = []
    dropped: dict[str, Dropped] = {}
    for table, partitions, schema in (
        ("requests", _request_partitions, REQUESTS),
        ("events", _event_partitions, _EVENTS_PART),
        ("bodies", _body_partitions, BODIES),
    ):
        shutil.rmtree(path / table, ignore_errors=True)
        file = journal_file(path, table)
        if not file.exists():
            continue
        journal = JournalReader(file)
        for number, groups in enumerate(partitions(journal, epoch_unix_ns)):
            files.append(write_part(path, table, number, schema, groups, epoch_unix_ns))
        if journal.dropped:
            dropped[table] = journal.dropped
    if not any(part.table == "requests" for part in files):
        files.append(write_part(path, "requests", 0, REQUESTS, [REQUESTS.empty_table()], epoch_unix_ns))
    if not any(part.table == "events" for part in files):
        empty = pa.Table.from_batches([], _EVENTS_PART)
        files.append(write_part(path, "events", 0, _EVENTS_PART, [empty], epoch_unix_ns))
    return files, dropped


def _gather(journal: JournalReader, rows: int, size: int | None = None) -> Iterator[pa.Table]:
    """The journal's batches as tables of at least `rows` rows (or `size` bytes), the last one of fewer."""
    pending: list[pa.RecordBatch] = []
    held_rows = held_bytes = 0
    for batch in journal:
        pending.append(batch)
        held_rows += batch.num_rows
        held_bytes += batch.nbytes if size else 0
        if held_rows >= rows or (size and held_bytes >= size):
            yield pa.Table.from_batches(pending)
            pending, held_rows, held_bytes = [], 0, 0
    if held_rows:
        yield pa.Table.from_batches(pending)


def _event_partitions(journal: JournalReader, epoch_unix_ns: int) -> Iterator[Iterator[pa.Table]]:
    for table in _gather(journal, PARTITION_EVENTS):
        yield _event_groups(table)


def _event_groups(table: pa.Table) -> Iterator[pa.Table]:
    """The partition's row groups, sorted; only one at a time is copied."""
    request_id = table["request_id"].to_numpy()
    rows = chain_order(request_id, table["event"].to_numpy(), table["arrival_ns"].to_numpy())
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    for start in range(0, len(rows), ROW_GROUP_ROWS):
        taken = pa.array(rows[start : start + ROW_GROUP_ROWS])
        group: list[Any] = []
        for name, column in columns.items():
            if name == "tokens" and column.null_count == len(column):
                group.append(pa.nulls(len(taken), column.type))
                continue
            values = column.take(taken)
            if name == "kind":
                values = pa.DictionaryArray.from_arrays(values.cast(pa.int8()), _KIND_WORDS)
            group.append(values)
        yield pa.Table.from_arrays(group, schema=_EVENTS_PART)


def _request_partitions(journal: JournalReader, epoch_unix_ns: int) -> Iterator[list[pa.Table]]:
    for table in _gather(journal, PARTITION_REQUESTS):
        yield [settle_requests(table.sort_by("request_id"), epoch_unix_ns)]


def settle_requests(table: pa.Table, epoch_unix_ns: int) -> pa.Table:
    """Fills in what is known only at the end: token counts with their source, and the wall-clock start.

    The server's count is taken where there is one, else the tokenizer's, else the provisional one that
    the run left (of events), else the number of output events. `token_source` tells which it was for
    the output.

    Args:
        table: REQUESTS' columns, some of them provisional.
        epoch_unix_ns: The tape's epoch on the wall clock.
    """
    server, tokenizer = table["server_output_tokens"], table["tokenizer_output_tokens"]
    source = pc.if_else(
        pc.is_valid(server), "server", pc.if_else(pc.is_valid(tokenizer), "tokenizer", "events")
    )
    started_ns = pc.coalesce(table["sent_ns"], table["scheduled_ns"]).to_numpy() + np.int64(epoch_unix_ns)
    settled = {
        "input_tokens": pc.coalesce(
            table["server_input_tokens"], table["tokenizer_input_tokens"], table["input_tokens"]
        ),
        "output_tokens": pc.coalesce(server, tokenizer, table["output_tokens"], table["output_events"]),
        "token_source": source,
        "started_at": pa.array(started_ns // 1000, pa.timestamp("us", tz="UTC")),
    }
    columns = [settled.get(field.name, table[field.name]) for field in REQUESTS]
    return pa.Table.from_arrays(columns, schema=REQUESTS)


def _body_partitions(journal: JournalReader, epoch_unix_ns: int) -> Iterator[list[pa.Table]]:
    for table in _gather(journal, PARTITION_REQUESTS, PARTITION_BODY_BYTES):
        yield [table.sort_by("request_id")]
