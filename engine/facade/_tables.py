"""Types of Arrow tables, and conversion to data frames of packages that are imported only when needed.

pyarrow has no type hints, so the parts of its tables that type checkers and editors should know are protocols here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from tokentape.engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas
    import polars


class Column(Protocol):
    """A column of a table; at run time a pyarrow.ChunkedArray."""

    @property
    def null_count(self) -> int:
        """Number of nulls."""
        ...

    def __len__(self) -> int: ...
    def to_pylist(self) -> list[Any]:
        """Return the values as Python objects; nulls are None."""
        ...

    def to_numpy(self) -> Any:
        """Return the values as a NumPy array."""
        ...


class Table(Protocol):
    """A table; at run time a pyarrow.Table, with all of its methods."""

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        ...

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        ...

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in their order."""
        ...

    @property
    def schema(self) -> Any:
        """The pyarrow.Schema."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, key: str) -> Column: ...
    def select(self, columns: Sequence[str]) -> Table:
        """Return a table of some columns."""
        ...

    def filter(self, mask: Any) -> Table:
        """Return a table of the rows that a boolean mask or a pyarrow.compute expression selects."""
        ...

    def sort_by(self, sorting: str | list[tuple[str, str]]) -> Table:
        """Return a sorted table: by a column's name, or by pairs of a name and "ascending" or "descending"."""
        ...

    def slice(self, offset: int = 0, length: int | None = None) -> Table:
        """Return a table of consecutive rows."""
        ...

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return one dict for each row."""
        ...

    def to_pydict(self) -> dict[str, list[Any]]:
        """Return one list for each column."""
        ...

    def to_pandas(self) -> Any:
        """Return a pandas.DataFrame. Columns of whole numbers with nulls become floats."""
        ...


def optional_package(name: str, what: str) -> Any:
    """Import an optional package.

    Args:
        name: Name of the package, and of the extra of tokentape that installs it.
        what: Feature that needs the package, for the message.

    Raises:
        UserError: The package is not installed; the message has the command that installs it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(f"{what} needs {name}, which is not installed; run: pip install 'tokentape[{name}]'") from None


def pandas_frame(table: Any) -> pandas.DataFrame:
    """Return an Arrow table as a pandas data frame; whole numbers stay whole numbers where some are null."""
    pd = optional_package("pandas", "to_pandas()")
    import pyarrow as pa

    nullable = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pandas.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return frame


def polars_frame(table: Any) -> polars.DataFrame:
    """Return an Arrow table as a Polars data frame."""
    frame: polars.DataFrame = optional_package("polars", "to_polars()").from_arrow(table)
    return frame
