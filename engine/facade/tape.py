"""The tape in Python programs: tables, summary, data frames, SQL and plots."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tokentape._tables import optional_package, pandas_frame, polars_frame
from tokentape._values import note_with, one_of, several
from tokentape.engine.errors import UserError
from tokentape.engine.measure.dialects import summary_in
from tokentape.engine.measure.slo import Slo, parse_slo
from tokentape.engine.measure.summary import summarize
from tokentape.engine.measure.verdict import DEFAULT_MAX_FAILURES
from tokentape.engine.tape.read import Tape as SealedTape
from tokentape.engine.tape.read import open_tape as open_sealed
from tokentape.engine.tape.schema import BLOCKS, BODIES, EVENTS, PROBES, REQUESTS

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    from tokentape._tables import Table
    from tokentape.engine.measure.dialects.dialect_summary import DialectSummary
    from tokentape.engine.measure.summary import Summary

TableName = Literal["requests", "events", "probes", "bodies", "blocks"]
Dialect = Literal["genai-perf", "aiperf", "vllm", "sglang", "guidellm", "mlperf"]
PlotFormat = Literal["png", "svg", "both"]

_SCHEMAS = {"requests": REQUESTS, "events": EVENTS, "probes": PROBES, "bodies": BODIES, "blocks": BLOCKS}


class Tape(SealedTape):
    """A sealed tape: the record of a run.

    ``tokentape.open``, ``replay``, ``profile``, ``record`` and ``serve`` return tapes. In a notebook a tape is shown as
    a card with its verdict and its headline latencies. ``read(table, columns)`` reads a part of a table, and
    ``batches(table, columns)`` reads it in pieces, for tables that do not fit in memory.

    Attributes:
        path: The tape's folder.
        requests: One row per request, by request_id. Times are ns since the tape's epoch. A pyarrow.Table.
        events: One row per streamed event, all of them in memory (about 50 bytes each). A pyarrow.Table.
        manifest: Description of the run: options, hashes, host, clocks, files (docs/tape.md).
    """

    if TYPE_CHECKING:  # the tables are pyarrow's, which has no type hints

        @property
        def requests(self) -> Table:
            """One row per request, by request_id. Times are ns since the tape's epoch. A pyarrow.Table."""
            ...

        @property
        def events(self) -> Table:
            """One row per streamed event, all of them in memory (about 50 bytes each). A pyarrow.Table."""
            ...

        def read(self, table: str, columns: Sequence[str] | None = None) -> Table:
            """Read a whole table, or some of its columns."""
            ...

        def batches(self, table: str, columns: Sequence[str] | None = None) -> Iterator[Table]:
            """Read a table in pieces, in the order of its files."""
            ...

        def event_batches(self, columns: Sequence[str] | None = None, *, words: bool = True) -> Iterator[Table]:
            """Read the events in pieces of about a million rows each."""
            ...

    @cached_property
    def probes(self) -> Table:
        """One row per worker and probe: lag, CPU and queues of the client during the run. A pyarrow.Table."""
        return self.read("probes")

    @property
    def stopped(self) -> bool:
        """Whether the user stopped the run before its end."""
        return bool(self.manifest.get("stopped_by_user"))

    # ---- metrics ----

    def summary(
        self, slos: str | Slo | Sequence[Slo | str] = (), *, max_failures: float = DEFAULT_MAX_FAILURES
    ) -> Summary:
        """Return metrics, rates and verdict, computed from the raw stamps.

        Example:
            summary = tape.summary(["ttft:p99:300ms"])
            print(summary.verdict.state, summary.statistic("ttft", "send").value("p99"))

        Args:
            slos: Objectives: "ttft:p99:300ms" of the run, "ttft:300ms" of each request.
            max_failures: Failed requests up to which the verdict's exit code stays 0: a share below 1, or a number.

        Raises:
            UserError: An objective cannot be read, or a file of the tape is damaged.
        """
        return summarize(self, parsed_slos(slos), max_failures=max_failures)

    def summary_in(self, dialect: Dialect | str, slos: str | Slo | Sequence[Slo | str] = ()) -> DialectSummary:
        """Return the metrics as another tool would have computed them.

        Example:
            tape.summary_in("vllm").value("mean_ttft_ms")

        Args:
            dialect: genai-perf, aiperf, vllm, sglang, guidellm or mlperf.
            slos: Objectives of each request, for the tool's goodput.

        Raises:
            UserError: The dialect is unknown, an objective cannot be read, or a file of the tape is damaged.
        """
        return summary_in(dialect, [self], parsed_slos(slos))

    # ---- data frames and SQL ----

    def to_pandas(self, table: TableName = "requests") -> pandas.DataFrame:
        """Return a table as a pandas data frame. Columns of whole numbers keep their type even with nulls.

        Args:
            table: requests, events, probes, bodies or blocks.

        Raises:
            UserError: pandas is not installed, there is no table of that name, or a file of the tape is damaged.
        """
        return pandas_frame(self._table(table))

    def to_polars(self, table: TableName = "requests") -> polars.DataFrame:
        """Return a table as a Polars data frame.

        Args:
            table: requests, events, probes, bodies or blocks.

        Raises:
            UserError: Polars is not installed, there is no table of that name, or a file of the tape is damaged.
        """
        return polars_frame(self._table(table))

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Run a query in DuckDB over the tape's files, and return the relation: ``.df()``, ``.pl()``, ``.fetchall()``.

        Each table is a view with the table's name. DuckDB reads only what the query needs, so tapes may exceed memory.

        Example:
            tape.sql("select outcome, count(*) from requests group by all").fetchall()

        Args:
            query: One SELECT statement over requests, events, probes, bodies and blocks.

        Raises:
            UserError: DuckDB is not installed, or the statement returns no rows.
            duckdb.Error: DuckDB cannot run the statement.
        """
        database = optional_package("duckdb", "sql()").connect()
        for name, schema in _SCHEMAS.items():
            files = [str(file) for file in self.files(name)]
            if files:
                database.read_parquet(files, union_by_name=True).create_view(name)
            else:
                database.from_arrow(schema.empty_table()).create(name)
        relation: duckdb.DuckDBPyRelation | None = database.sql(query)
        if relation is None:
            raise UserError(f"sql() takes a query that returns rows, as in 'select * from requests'; got {query!r}")
        return relation

    def _table(self, name: str) -> Any:
        one_of("table", name, tuple(_SCHEMAS))
        return self.requests if name == "requests" else self.read(name)

    # ---- pictures ----

    def plot(
        self,
        directory: str | PathLike[str] | None = None,
        *,
        format: PlotFormat = "png",
        only: str | Sequence[str] | None = None,
        slos: str | Slo | Sequence[Slo | str] = (),
        on_note: Callable[[str], object] | None = None,
    ) -> Plots:
        """Draw the tape, and return the files. A notebook shows the plots.

        Args:
            directory: Folder of the files, which is created if it does not exist. None: the folder "plots" of the tape.
            format: "png", "svg" or "both".
            only: Names of plots to draw, as in ["ttft_by_input_length"] (docs/plots.md). None: all.
            slos: Objectives of each request, for the goodput over time.
            on_note: Called with a note for each plot that is left out. None: the logger "tokentape", at level INFO.

        Raises:
            UserError: A name is unknown, or the folder cannot be written.
        """
        return draw([self], directory, format=format, only=only, slos=slos, on_note=on_note)

    def report(
        self,
        file: str | PathLike[str] | None = None,
        *,
        slos: str | Slo | Sequence[Slo | str] = (),
        max_failures: float = DEFAULT_MAX_FAILURES,
        on_note: Callable[[str], object] | None = None,
    ) -> Path:
        """Write verdict, tables and plots as one HTML file that needs no other files, and return its path.

        Args:
            file: The file, which is replaced if it exists. None: report.html in the tape's folder.
            slos: Objectives, as for `summary`.
            max_failures: As for `summary`.
            on_note: Called with a note for each plot that is left out. None: the logger "tokentape", at level INFO.

        Raises:
            UserError: The file cannot be written.
        """
        from tokentape.engine.report.html import write_report

        target = self.path / "report.html" if file is None else Path(file)
        write_report(self, target, slos=parsed_slos(slos), max_failures=max_failures, on_note=note_with(on_note))
        return target

    @cached_property
    def _card(self) -> str:
        from tokentape.engine.report.notebook_card import card

        return card(self.summary())

    def _repr_html_(self) -> str:
        """Return the card that notebooks show."""
        return self._card


MeasuredTape = Tape
"""The name of `Tape` in earlier versions."""


class Plots(list[Path]):
    """Files of plots. In a notebook they are shown as pictures."""

    def _repr_html_(self) -> str:
        kinds = {".png": "image/png", ".svg": "image/svg+xml"}
        pngs = [file for file in self if file.suffix == ".png"] or list(self)
        return "\n".join(
            f'<img alt="{escape(file.stem)}" style="max-width:100%;background:#fff" '
            f'src="data:{kinds[file.suffix]};base64,{b64encode(file.read_bytes()).decode()}">'
            for file in pngs
        )


def open_tape(path: str | PathLike[str]) -> Tape:
    """Open a sealed tape.

    Raises:
        UserError: As for ``tokentape.open``.
    """
    place = Path(path)
    return Tape(place, open_sealed(place).manifest)


def measured(tape: str | PathLike[str] | SealedTape) -> Tape:
    """Return a tape with the methods of `Tape`, from a path or from a tape of the engine."""
    if isinstance(tape, Tape):
        return tape
    return Tape(tape.path, tape.manifest) if isinstance(tape, SealedTape) else open_tape(tape)


open_measured = open_tape
"""The name of `open_tape` in earlier versions."""


def parsed_slos(slos: str | Slo | Sequence[Slo | str]) -> list[Slo]:
    """Return objectives, from one text or objective or from several.

    Raises:
        UserError: An objective cannot be read.
    """
    every = [slos] if isinstance(slos, str | Slo) else slos
    return [parse_slo(slo) if isinstance(slo, str) else slo for slo in every]


def draw(
    tapes: Sequence[SealedTape],
    directory: str | PathLike[str] | None,
    *,
    format: str,
    only: str | Sequence[str] | None,
    slos: str | Slo | Sequence[Slo | str],
    on_note: Callable[[str], object] | None,
) -> Plots:
    """Draw tapes into a folder, and return the files.

    Raises:
        UserError: As for ``tokentape.plot``.
    """
    from tokentape.engine.report.plots import FORMATS, draw_plots

    one_of("format", format, (*FORMATS, "both"))
    if not tapes:
        raise UserError("there is no tape to plot; give at least one")
    objectives = parsed_slos(slos)
    for slo in objectives:
        if slo.statistic is not None:
            text = f"{slo.metric}:{slo.limit_ns / 1e6:g}ms"
            raise UserError(f"SLO {slo.text}: a plot shows only objectives for each request; write {text}")
    default = tapes[0].path / "plots" if len(tapes) == 1 else Path("plots")
    return Plots(
        draw_plots(
            tapes,
            default if directory is None else Path(directory),
            formats=FORMATS if format == "both" else (format,),
            only=None if only is None else several(only),
            slos=objectives,
            on_note=note_with(on_note),
        )
    )
