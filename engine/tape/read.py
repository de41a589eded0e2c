"""Reading a sealed tape."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UserError
from .manifest import read_manifest
from .schema import BLOCKS, BODIES, EVENTS, PROBES, REQUESTS

_SCHEMAS = {"requests": REQUESTS, "events": EVENTS, "bodies": BODIES, "blocks": BLOCKS, "probes": PROBES}


class Tape:
    """A sealed tape: its manifest, and its tables, which are read on access.

    Make one with `open_tape`.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest

    def __repr__(self) -> str:
        rows = self.manifest.get("rows", {})
        return f"<Tape {self.path}: {rows.get('requests', 0)} requests, {rows.get('events', 0)} events>"

    @cached_property
    def requests(self) -> pa.Table:
        """Requests, one row each, sorted by request_id; times are ns since the epoch."""
        return self.read("requests").sort_by("request_id")

    @cached_property
    def events(self) -> pa.Table:
        """Events, one row each, all in memory (about 50 bytes per event).

        A request's rows are in order. `event_batches` reads a long tape piece by piece.
        """
        return self.read("events")

    def files(self, table: str) -> list[Path]:
        """Return the Parquet files of a table (requests, events, bodies, blocks, probes), in order."""
        return [self.path / file["path"] for file in self.manifest["files"] if file["table"] == table]

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table, or some of its columns.

        Raises:
            UserError: A file is missing, truncated or damaged.
        """
        schema = _SCHEMAS[table]
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        groups = [pa.table(group) for group in self._groups(table, columns)]
        return pa.concat_tables([wanted.empty_table(), *(_widened(group, wanted) for group in groups)])

    def event_batches(self, columns: Sequence[str] | None = None, *, words: bool = True) -> Iterator[pa.Table]:
        """Yield the events by row group, about a million rows each.

        Within a batch a request's rows are together, in the order of its events; a long request may
        continue in a later batch.

        Args:
            columns: Columns of EVENTS; None: all.
            words: Return `kind` as strings. False: as a dictionary, which is much faster to compare.
        """
        yield from self._groups("events", columns, dictionary=[] if words else ["kind"])

    def batches(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield a table with this version's columns, by row group, in file order.

        Raises:
            UserError: As for `read`.
        """
        yield from self._groups(table, columns)

    def _groups(self, table: str, columns: Sequence[str] | None, dictionary: Sequence[str] = ()) -> Iterator[pa.Table]:
        listed = {entry["path"]: entry for entry in self.manifest["files"]}
        for file in self.files(table):
            rows = 0
            try:
                with pq.ParquetFile(file, read_dictionary=list(dictionary), memory_map=True) as parquet:
                    for number in range(parquet.num_row_groups):
                        group = parquet.read_row_group(number, columns=columns, use_threads=True)
                        rows += group.num_rows
                        yield group.replace_schema_metadata(None)
            except FileNotFoundError:
                raise UserError(f"{file}: missing; the manifest of the tape lists it") from None
            except (pa.ArrowInvalid, OSError) as error:
                raise UserError(f"{file}: truncated or damaged ({error}); restore it from a copy") from None
            expected = listed[str(file.relative_to(self.path))]["rows"]
            if rows != expected:
                raise UserError(f"{file}: {rows} rows, the manifest says {expected}; restore it from a copy")


def _widened(group: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Return a row group with the selected columns; columns that are newer than the tape are null."""
    for place, field in enumerate(wanted):
        if field.name not in group.column_names and field.nullable:
            group = group.add_column(place, field, pa.nulls(len(group), field.type))
    return group.select(wanted.names).cast(wanted)


def open_tape(path: Path) -> Tape:
    """Open the sealed tape at `path`, and check that all its files exist with their full size.

    Raises:
        UserError: The path is not a tape; the tape is not sealed (the message says how to recover it); a file is
            missing or truncated; or a newer version wrote the tape.
    """
    manifest = read_manifest(path)
    if not manifest.get("sealed"):
        raise UserError(
            f"{path}: the tape is not sealed: its run is in progress or was killed. "
            f"If it was killed, run: tokentape recover {path}"
        )
    for entry in manifest.get("files", []):
        file = path / entry["path"]
        if not file.is_file():
            raise UserError(f"{file}: missing; the manifest of the tape lists it")
        size = file.stat().st_size
        if size != entry["bytes"]:
            raise UserError(f"{file}: {size} bytes, the manifest says {entry['bytes']}; restore it from a copy")
    return Tape(path, manifest)
