"""Parquet traces of other tools: columns, checked and converted to the trace's units."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..assembly.block_ids import list_array
from ..errors import TraceError
from ..table import one_array
from .field_checks import MAX_NS, MAX_TOKENS, BadField, duration_ns, shown, token_count
from .files import PARQUET, read_whole

_STREAMED_ROWS = 2048
_BROKEN = (pa.ArrowException, OSError, ValueError, MemoryError)


def parquet_names(head: bytes, path: Path) -> tuple[str, ...]:
    """The columns of a Parquet file; none when it is no whole Parquet file."""
    if not head.startswith(PARQUET):
        return ()
    try:
        stat = path.stat()
    except OSError:
        return ()
    return _names(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _names(path: Path, changed_ns: int, size: int) -> tuple[str, ...]:
    from pyarrow import parquet

    del changed_ns, size  # they tell one state of a file from another
    try:
        with path.open("rb") as file:
            plain = file.read(4) == PARQUET
        source: Any = path if plain else io.BytesIO(read_whole(path)[0])
        return tuple(parquet.read_schema(source).names)
    except (*_BROKEN, TraceError):
        return ()


def list_column(source: str, file: Any, name: str) -> Any:
    """A column of list<int32> as one array, read a few megabytes at a time into a buffer that grows in place.

    Arrow's own way holds it up to four times: what it decodes into is doubled as it grows.

    Args:
        source: The file as the user named it.
        file: It as a pyarrow ParquetFile.
        name: The column. It is nested once.

    Returns:
        A ListArray without nulls in its lists.

    Raises:
        TraceError: There is a null in a list.
    """
    # How many values there are must not be asked: for some damaged files Arrow (26.0) then ends the process.
    values = np.empty(_STREAMED_ROWS, np.int32)
    lengths = []
    end = 0
    for batch in file.iter_batches(batch_size=_STREAMED_ROWS, columns=[name], use_threads=False):
        flat = batch.column(0).flatten()
        if flat.null_count:
            raise TraceError(source, "has a null or negative id", field=name, kind="column")
        if end + len(flat) > len(values):  # in place, for the kernel moves whole pages of a large buffer
            values.resize((end + len(flat)) * 9 // 8, refcheck=False)
        values[end : end + len(flat)] = flat.to_numpy()
        end += len(flat)
        lengths.append(batch.column(0).value_lengths().fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))
    return list_array(source, values[:end], np.concatenate(lengths or [np.zeros(0, np.int64)]))


class ParquetTrace:
    """The columns of a Parquet file.

    Args:
        path: The file.
        needed: Columns that it must have.
        optional: Columns that it may have; absent ones read as all null.
        streamed: Columns of lists that are too big to be held and copied; only list_batches reads them.

    Raises:
        TraceError: It cannot be read, has no rows, or lacks a column.
    """

    def __init__(
        self, path: Path, needed: Sequence[str], optional: Sequence[str] = (), streamed: Sequence[str] = ()
    ) -> None:
        from pyarrow import parquet

        self.source = str(path)
        data, self.digest = read_whole(path)
        try:
            self._file = file = parquet.ParquetFile(pa.BufferReader(data))
            names = file.schema_arrow.names
        except _BROKEN as error:
            raise TraceError(self.source, f"is not a whole Parquet file: {first_line(error)}") from None
        for name in needed:
            if name not in names:
                raise TraceError(
                    self.source, f"has no column {name!r}; it has {shown(', '.join(names))}", field=name, kind="column"
                )
        try:
            self._table = file.read([name for name in (*needed, *optional) if name in names and name not in streamed])
            self._table.validate(full=True)
        except _BROKEN as error:
            raise TraceError(self.source, f"is damaged: {first_line(error)}") from None
        if not len(self):
            raise TraceError(self.source, "holds no rows; a trace has one per request")

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def has(self, name: str) -> bool:
        """Return whether there is such a column with a value in it."""
        return name in self._table.column_names and self._table[name].null_count < len(self)

    def tokens(self, name: str) -> NDArray[np.int64]:
        """A column of lengths in tokens.

        Raises:
            TraceError: A value is null, negative, too big or not whole.
        """
        column = self._table[name]
        if pa.types.is_integer(column.type) and not column.null_count:
            values: NDArray[np.int64] = column.to_numpy()
            if int(values.min()) >= 0 and int(values.max()) <= MAX_TOKENS:
                return values.astype(np.int64, copy=False)
        return np.array(self._each(name, lambda value: token_count(name, value)), np.int64)

    def times(self, name: str, unit_ns: int, *, nullable: bool = False) -> NDArray[np.int64]:
        """A column of times, or durations, in ns; -1 for null where that is allowed.

        Raises:
            TraceError: A value is null, negative, or no time of at most a hundred years.
        """
        if name not in self._table.column_names:
            return np.full(len(self), -1, np.int64)
        column = self._table[name]
        if column.null_count and not nullable:
            self._refuse_null(name)
        missing = np.asarray(column.is_null().combine_chunks().to_numpy(zero_copy_only=False), np.bool_)
        if pa.types.is_integer(column.type):
            whole = column.fill_null(0).to_numpy()
            if int(whole.min()) >= 0 and int(whole.max()) <= MAX_NS // unit_ns:
                return np.where(missing, -1, whole.astype(np.int64) * unit_ns)
        elif pa.types.is_float64(column.type):
            # Thousandths and millionths of a unit are exact this way: no double of that size is off by half a ns.
            values = column.fill_null(0).to_numpy()
            if np.isfinite(values).all() and values.min() >= 0 and values.max() * unit_ns < 2**52:
                return np.where(missing, -1, np.rint(values * unit_ns).astype(np.int64))
        convert = self._each(name, lambda value: -1 if value is None else duration_ns(name, _exact(value), unit_ns))
        return np.array(convert, np.int64)

    def texts(self, name: str) -> Any:
        """A column as one array of strings; all null where it is absent.

        Raises:
            TraceError: It holds neither text nor whole numbers.
        """
        if name not in self._table.column_names:
            return pa.nulls(len(self), pa.string())
        column = self._table[name]
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_null)
        if not any(test(kind) for test in known):
            raise TraceError(self.source, f"holds {kind} where text belongs", field=name, kind="column")
        try:
            return column.cast(pa.string()).combine_chunks()
        except pa.ArrowInvalid as error:
            raise TraceError(
                self.source, f"cannot be read as text: {first_line(error)}", field=name, kind="column"
            ) from None

    def lists(self, name: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """A column of lists of whole numbers: the length of each, -1 for null, and all values in a row.

        Raises:
            TraceError: The column does not hold lists of whole numbers, or a list holds a null.
        """
        return self._lists(name, one_array(self._table[name]))

    def list_batches(self, name: str, rows: int) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """The same of a streamed column, a number of rows at a time.

        Raises:
            TraceError: The column does not hold lists of whole numbers, a list holds a null, or the file is damaged.
        """
        try:
            for batch in self._file.iter_batches(batch_size=rows, columns=[name], use_threads=False):
                yield self._lists(name, batch.column(0))
        except _BROKEN as error:
            raise TraceError(self.source, f"is damaged: {first_line(error)}") from None

    def _lists(self, name: str, lists: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
        whole = (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)) and pa.types.is_integer(
            lists.type.value_type
        )
        if not whole:
            raise TraceError(
                self.source, f"holds {lists.type} where lists of whole numbers belong", field=name, kind="column"
            )
        flat = lists.flatten()
        if flat.null_count:
            raise TraceError(self.source, "holds a null among the block ids", field=name, kind="column")
        lengths = lists.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return lengths, flat.to_numpy()

    def batches(self, rows: int = 10_000) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """All columns as Python objects, row by row, each batch with its first row's number; dates become text.

        Raises:
            TraceError: A column holds what no JSON could.
        """
        table = self._table
        for index, field in enumerate(table.schema):
            if pa.types.is_timestamp(field.type):
                table = table.set_column(index, field.name, table[field.name].cast(pa.string()))
        first = 1
        for batch in table.to_batches(max_chunksize=rows):
            yield first, batch.to_pylist()
            first += batch.num_rows

    def values(self, name: str) -> list[Any]:
        """Return a column as Python objects; None for each row if it is absent."""
        return self._table[name].to_pylist() if name in self._table.column_names else [None] * len(self)

    def _refuse_null(self, name: str) -> None:
        row = int(np.argmax(self._table[name].is_null().combine_chunks().to_numpy(zero_copy_only=False))) + 1
        raise TraceError(self.source, "is null; a number belongs there", row=row, field=name, kind="column")

    def _each(self, name: str, convert: Any) -> list[int]:
        converted = []
        for row, value in enumerate(self._table[name].to_pylist(), 1):
            try:
                converted.append(convert(value))
            except BadField as error:
                raise TraceError(self.source, error.problem, row=row, field=name, kind="column") from None
        return converted


def _exact(value: Any) -> Any:
    """Return a float as the decimal of its shortest spelling; other values unchanged."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, shortened."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
