"""A tape as a trace: a recorder's, a client's or a server's own.

A tape is a directory of Parquet files with a ``manifest.json`` that lists them. Arrivals are ``sent_ns`` (of a server's
tape ``received_ns``), lengths the counts of the usage, bodies those of ``--keep-bodies``, block ids the hashes of
``--anonymize``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..assembly.trace_builder import build_trace, rows_text
from ..errors import TraceError
from ..reading.field_checks import MAX_TOKENS
from ..recorded.headers import check_headers
from ..table import Trace, one_array

NAME = "tape"
ABOUT = "The tape of a run, a recorder or a server"
LOOKS = "a directory with manifest.json"
MANIFEST = "manifest.json"
BYTES_PER_TOKEN = 4
"""Bytes per token where the server sent no usage: a rough value for English text and JSON."""

_COLUMNS = (
    *("request_id", "sent_ns", "received_ns", "outcome", "model", "url", "session_id", "bytes_sent"),
    *("input_tokens", "output_tokens", "planned_input_tokens", "planned_output_tokens"),
)


def is_tape(path: Path) -> bool:
    """Return whether a tape lies there, sealed or not."""
    try:
        return (path / MANIFEST).is_file()
    except (OSError, ValueError):  # a name that no file can have: whoever opens it says so
        return False


def matches(head: bytes, path: Path) -> bool:
    """Return whether a tape lies there; it is a directory and has no head."""
    del head
    return is_tape(path)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a tape's requests.

    Requests that never left (a run was stopped) are left out, those that failed are not: they arrived.

    Args:
        path: The tape's directory.
        skip_bad_rows: Has no effect: a tape has no bad rows, and a damaged tape is refused.

    Raises:
        TraceError: The tape is not sealed, is damaged, or holds no request.
    """
    del skip_bad_rows
    source = str(path)
    manifest, digest = _manifest(path)
    table = _table(path, manifest, "requests", _COLUMNS)
    assert table is not None
    came = table["received_ns" if manifest.get("role") == "server" else "sent_ns"]
    notes = []
    if came.null_count:
        notes.append(f"{rows_text(came.null_count)} never left, and {'is' if came.null_count == 1 else 'are'} left out")
        table = table.filter(came.is_valid())
        came = came.drop_null()
    if not table.num_rows:
        raise TraceError(source, "holds no request that was sent")
    ids = table["request_id"].to_numpy()
    bodies, headers = _bodies(path, manifest, ids)
    input_tokens, estimated = _input_tokens(table, bodies)
    if estimated:
        notes.append(
            f"{rows_text(estimated)} without usage: the input length is estimated, {BYTES_PER_TOKEN} bytes a token"
        )
    output_tokens = _output_tokens(table)
    models = [name or None for name in table["model"].to_pylist()]
    optional: dict[str, Any] = {"model": pa.array(models, pa.string()), "session_id": table["session_id"]}
    if bodies is not None:
        optional["body"], optional["headers"] = bodies, headers
        optional["path"] = pa.array([urlsplit(url).path for url in table["url"].to_pylist()], pa.string())
    blocks = _table(path, manifest, "blocks", ("request_id", "block", "hash"))
    block_tokens = None
    if blocks is not None and blocks.num_rows:
        block_tokens, optional["block_ids"] = _block_ids(blocks, ids, input_tokens)
    return build_trace(
        source=source,
        format=NAME,
        digest=digest,
        arrival_ns=came.to_numpy().astype(np.int64),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        source_row=np.arange(1, len(ids) + 1, dtype=np.int64),
        optional=optional,
        block_tokens=block_tokens,
        notes=notes,
    )


def _manifest(path: Path) -> tuple[dict[str, Any], str]:
    source = str(path)
    try:
        data = (path / MANIFEST).read_bytes()
        manifest = json.loads(data)
    except OSError as error:
        raise TraceError(source, f"is no tape: {MANIFEST} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise TraceError(source, f"is no tape: {MANIFEST} is not JSON ({error})") from None
    if not isinstance(manifest, dict) or "tape_id" not in manifest:
        raise TraceError(source, f"is no tape: {MANIFEST} does not tell a tape_id")
    if not manifest.get("sealed"):
        raise TraceError(
            source, f"is not sealed: it is still being written, or was killed; then run: tokentape recover {path}"
        )
    if not isinstance(manifest.get("files"), list):
        raise TraceError(source, f"{MANIFEST} lists no files")
    return manifest, hashlib.sha256(data).hexdigest()


def _table(path: Path, manifest: dict[str, Any], name: str, columns: tuple[str, ...]) -> Any:
    """Return a table of the tape in the order of request_id, absent columns as nulls; None if the table is absent."""
    from pyarrow import parquet

    parts = []
    for entry in manifest["files"]:
        if entry.get("table") != name:
            continue
        file = path / str(entry.get("path"))
        try:
            part = parquet.ParquetFile(file).read(columns=list(columns))
        except FileNotFoundError:
            raise TraceError(str(path), f"{entry.get('path')} is missing; the manifest lists it") from None
        except (pa.ArrowException, OSError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
            raise TraceError(str(path), f"{entry.get('path')} is damaged ({reason})") from None
        for column in columns:
            if column not in part.column_names:
                part = part.append_column(column, pa.nulls(part.num_rows))
        parts.append(part.select(columns).replace_schema_metadata(None))
    if not parts:
        if name == "requests":
            raise TraceError(str(path), "has no table of requests")
        return None
    order = [(column, "ascending") for column in ("request_id", "block") if column in columns]
    return pa.concat_tables(parts, promote_options="permissive").sort_by(order)


def _bodies(path: Path, manifest: dict[str, Any], ids: NDArray[np.int64]) -> tuple[Any, Any]:
    """Return the recorded bodies and headers in the order of the ids; None if the tape has no bodies."""
    table = _table(path, manifest, "bodies", ("request_id", "request_body", "request_headers"))
    if table is None or table["request_body"].null_count == table.num_rows:
        return None, None
    known = table["request_id"].to_numpy()
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    taken = pa.array(place, mask=known[place] != ids)
    bodies, headers = (one_array(table[name]).take(taken) for name in ("request_body", "request_headers"))
    headers = headers.cast(pa.string())
    check_headers(str(path), headers)
    return bodies, headers


def _numbers(column: Any) -> NDArray[np.int64]:
    values: NDArray[np.int64] = column.cast(pa.int64()).fill_null(-1).to_numpy().astype(np.int64)
    return values


def _input_tokens(table: pa.Table, bodies: Any) -> tuple[NDArray[np.int64], int]:
    """Return input tokens from the usage, else from the plan, else estimated, and the number of estimated rows."""
    counted = _numbers(table["input_tokens"])
    counted = np.where(counted >= 0, counted, _numbers(table["planned_input_tokens"]))
    size = _numbers(table["bytes_sent"])
    if bodies is not None:
        lengths = pa.array([None if body is None else len(body) for body in bodies.to_pylist()], pa.int64())
        length = _numbers(lengths)
        size = np.where(length >= 0, length, size)
    unknown = counted < 0
    estimate = np.clip(size // BYTES_PER_TOKEN, 1, MAX_TOKENS)
    return np.where(unknown, estimate, counted), int(unknown.sum())


def _output_tokens(table: pa.Table) -> NDArray[np.int64]:
    """Return the output that came; of a request that failed what had been planned, where that is more."""
    came = np.maximum(_numbers(table["output_tokens"]), 0)
    ok = np.array([outcome == "ok" for outcome in table["outcome"].to_pylist()], np.bool_)
    return np.where(ok, came, np.maximum(came, _numbers(table["planned_output_tokens"])))


def _block_ids(blocks: pa.Table, ids: NDArray[np.int64], input_tokens: NDArray[np.int64]) -> tuple[int, Any]:
    """Return how many tokens a block stands for on average, and each row's ids, as many as its tokens fill.

    Hashed blocks have equally many bytes, a trace's blocks equally many tokens. Ids are numbers from 0 in the order of
    their first occurrence.
    """
    owner, hashes = blocks["request_id"].to_numpy(), blocks["hash"].to_numpy()
    _, first, number = np.unique(hashes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    dense = rank[number]
    start, end = np.searchsorted(owner, ids, "left"), np.searchsorted(owner, ids, "right")
    counts = end - start
    hashed = counts > 0
    filled = float(counts[hashed].sum()) - 0.5 * int(hashed.sum())  # the last block of each is half full, on average
    block_tokens = max(1, round(int(input_tokens[hashed].sum()) / max(filled, 0.5)))
    fresh = len(first)
    rows: list[list[int] | None] = []
    for begin, count, tokens in zip(start.tolist(), counts.tolist(), input_tokens.tolist(), strict=True):
        if not count:
            rows.append(None)
            continue
        needed = -(-tokens // block_tokens)
        row = dense[begin : begin + min(count, needed)].tolist()
        rows.append(row + list(range(fresh, fresh + needed - len(row))))
        fresh += needed - len(row)
    return block_tokens, pa.array(rows, pa.list_(pa.int32()))
