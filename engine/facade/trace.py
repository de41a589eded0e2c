"""The trace in Python programs: recorded requests as a table or a data frame."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import TYPE_CHECKING

from tokentape import traces
from tokentape._tables import pandas_frame, polars_frame
from tokentape._values import errors_with_parameters
from tokentape.traces.table import Trace as ReadTrace

if TYPE_CHECKING:
    import pandas
    import polars
    from tokentape._tables import Table


class Trace(ReadTrace):
    """Recorded requests in the order of their arrival. ``len(trace)`` is their number.

    Attributes:
        table: One row per request (docs/traces.md). A pyarrow.Table.
        format: Name of the format, as in "mooncake".
        source: Path of the file, as given.
        digest: SHA-256 of the file.
        span_ns: Time from the first arrival to the last one.
        notes: Limits of the trace, one sentence each.
        skipped_rows: Number of rows that were left out with `skip_bad_rows`.
        bad_rows: Errors of the first few of these rows.
    """

    if TYPE_CHECKING:  # pyarrow has no type hints
        table: Table

    def __repr__(self) -> str:
        return f"<Trace {self.source}: {self.format}, {len(self):,} requests over {self.span_ns / 1e9:,.1f} s>"

    def to_pandas(self) -> pandas.DataFrame:
        """Return the requests as a pandas data frame. Columns of whole numbers keep their type even with nulls.

        Raises:
            UserError: pandas is not installed.
        """
        return pandas_frame(self.table)

    def to_polars(self) -> polars.DataFrame:
        """Return the requests as a Polars data frame.

        Raises:
            UserError: Polars is not installed.
        """
        return polars_frame(self.table)


def read(
    path: str | PathLike[str], *, format: str | None, mapping: str | Mapping[str, str] | None, skip_bad_rows: bool
) -> Trace:
    """Read a trace.

    Raises:
        TraceError: As for ``tokentape.read_trace``.
    """
    with errors_with_parameters({"--map": "mapping", "--trace-format": "format"}):
        found = traces.read(fspath(path), format=format, skip_bad_rows=skip_bad_rows, mapping=mapping)
    return Trace(**vars(found))
