"""Datasets by hub name or local copy, through the `datasets` library, as contents."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..assembly.trace_builder import rows_text
from ..content import Content
from ..errors import InputError
from ..reading.field_checks import BadField, shown
from ..reading.parquet_columns import first_line
from .batches import sample
from .hub import hub_address, hub_is_off, hub_is_reachable
from .prompt_files import SUFFIXES
from .prompt_rows import PROMPTS, NoPrompt, content_of

DRAWN_FROM_ROWS = 10_000
"""Number of rows from which a seeded sample is drawn; all of them must be loaded."""


@dataclass(frozen=True)
class Known:
    """A dataset with a short name.

    Attributes:
        hub: Name on the hub.
        subset: Configuration; None: there is only one.
        files: Files to read; None: all.
    """

    hub: str
    subset: str | None = None
    files: str | None = None


KNOWN = {
    "openorca": Known("Open-Orca/OpenOrca"),
    "cnn_dailymail": Known("abisee/cnn_dailymail", subset="3.0.0"),
    "sharegpt": Known("anon8231489123/ShareGPT_Vicuna_unfiltered", files="ShareGPT_V3_unfiltered_cleaned_split.json"),
}
"""Datasets by short name: OpenOrca (system_prompt, question), CNN/DailyMail (article), ShareGPT (first question)."""

_BUILDERS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}


def load_dataset(
    name: str,
    *,
    column: str | None = None,
    split: str | None = None,
    subset: str | None = None,
    limit: int | None = None,
    seed: int | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[Content]:
    """Read the rows of a dataset as contents.

    Hub datasets are streamed: only the requested rows are loaded.

    Args:
        name: openorca, cnn_dailymail or sharegpt; any name on the hub; or a file or folder that is a copy of a
            dataset. A name that is both is the file or folder.
        column: Column of the prompt; None: the known columns, see rows.
        split: Split; None: train, or the only one.
        subset: Configuration, for datasets with several.
        limit: Number of rows; None: all.
        seed: Seed of a random sample, with a limit from the first 10,000 rows; None: rows in order.
        on_note: Called with the number of rows that were skipped because they have no prompt.

    Raises:
        InputError: The library is missing, the hub cannot be reached, or there is no such dataset, split, subset
            or column; the message says what to do.
    """
    if limit is not None and limit < 1:
        raise InputError(name, f"{limit} rows are asked for; at least 1 belongs there")
    wanted = limit if limit is None or seed is None else max(limit, DRAWN_FROM_ROWS)
    try:
        contents, without = _contents(name, split, subset, column, wanted)
    finally:
        gc.collect()  # end Arrow's read-ahead threads, which would abort the program at its exit
    if not contents:
        raise InputError(name, f"has no row with a prompt: {rows_text(without)} without one" if without else "is empty")
    if without and on_note is not None:
        on_note(f"{name}: {rows_text(without)} without a prompt left out")
    return contents if seed is None else sample(contents, limit or len(contents), seed=seed)


def _contents(
    name: str, split: str | None, subset: str | None, column: str | None, wanted: int | None
) -> tuple[list[Content], int]:
    """Return up to `limit` contents and the number of rows skipped before the last of them."""
    contents: list[Content] = []
    without = 0
    each = _each(name, _opened(name, split, subset))
    try:
        for number, row in enumerate(each, 1):
            if number == 1:
                _check_columns(name, row, column)
            try:
                contents.append(content_of(row, column=column))
            except NoPrompt:
                without += 1
            except BadField as error:
                raise InputError(name, error.problem, row=number, field=error.field) from None
            if len(contents) == wanted:
                break
    finally:
        each.close()
    return contents, without


def _opened(name: str, split: str | None, subset: str | None) -> Any:
    """Yield the rows from the library."""
    known = KNOWN.get(name.lower(), Known(name))
    path = Path(name).expanduser()
    local = path.exists()
    if not local and (path.is_absolute() or name.startswith((".", "~"))):
        raise InputError(name, "there is no such file or folder")
    if local:
        os.environ.setdefault(
            "HF_UPDATE_DOWNLOAD_COUNTS", "0"
        )  # otherwise each file that is read is reported to the hub
    try:
        import datasets
    except ImportError:
        raise InputError(
            name, "needs the datasets library: pip install 'tokentape[datasets]'; a file of prompts needs none of it"
        ) from None
    if not local:
        if name.lower() not in KNOWN and name.count("/") > 1:
            raise InputError(name, f"is no file, no folder and no hub name; names are {', '.join(KNOWN)} or OWNER/NAME")
        if not hub_is_off() and not hub_is_reachable():
            raise InputError(name, f"{hub_address()} cannot be reached; {_offline(known.hub)}")
    args, options = _source(path) if local else ((known.hub, subset or known.subset), {"data_files": known.files})
    if local and subset is not None:
        args = (*args, subset)
    try:
        parts = datasets.load_dataset(*args, **options, streaming=True)
    except (ConnectionError, TimeoutError) as error:
        raise InputError(name, f"{_first(error)}; {_offline(known.hub)}") from None
    except Exception as error:  # errors of the library and of httpx, fsspec and pyarrow have no common base class
        hint = "name one with --dataset-subset" if "onfig" in str(error) else "" if local else _offline(known.hub)
        raise InputError(name, "; ".join(filter(None, (f"cannot be loaded: {_first(error)}", hint)))) from None
    wanted = split or ("train" if "train" in parts else next(iter(parts)) if len(parts) == 1 else None)
    if wanted is None or wanted not in parts:
        problem = "has several splits" if split is None else f"has no split {split!r}"
        raise InputError(name, f"{problem}; name one of {', '.join(parts)} with --dataset-split")
    return parts[wanted]


def _source(path: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the library's arguments for a local copy."""
    if path.is_dir():
        return (str(path),), {}
    suffix = next((suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() in SUFFIXES), None)
    if suffix is None:
        raise InputError(str(path), f"is no dataset's file; {', '.join(SUFFIXES)} are")
    return (_BUILDERS[suffix],), {"data_files": str(path)}


def _offline(hub: str) -> str:
    return (
        f"name a local copy (hf download {hub} --repo-type dataset --local-dir DIR, where there is a network), or set "
        "HF_HUB_OFFLINE=1 to use what HF_HOME holds of it"
    )


def _each(name: str, rows: Any) -> Generator[dict[str, Any], None, None]:
    """Yield the rows; convert the library's errors to InputError."""
    iterator = iter(rows)
    try:
        while True:
            try:
                row = next(iterator, None)
            except Exception as error:  # likewise
                raise InputError(name, f"cannot be read: {_first(error)}") from None
            if row is None:
                return
            yield row
    finally:
        iterator.close()


def _check_columns(name: str, row: dict[str, Any], column: str | None) -> None:
    has = f"it has {shown(', '.join(row))}"
    if column is not None:
        if column not in row:
            raise InputError(name, f"has no column {column!r}; {has}", field=column)
    elif not row.keys() & set(PROMPTS):
        raise InputError(name, f"no column of it is known to be the prompt; {has}: name one with --dataset-column")


def _first(error: BaseException) -> str:
    return first_line(error).rstrip(".")
