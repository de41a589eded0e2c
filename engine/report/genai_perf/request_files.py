"""profile_export.json and inputs.json: one entry per request, written while the tape is read.

profile_export.json is Perf Analyzer's (src/profile_data_exporter.cc), times in ns since 1970:

    {"experiments": [{"experiment": {"mode", "value"}, "requests": [{"timestamp", "request_inputs": {"payload"},
      "response_timestamps", "response_outputs": [{"response"}]}], "window_boundaries": []}],
     "version", "service_kind", "endpoint"}

inputs.json is GenAI-Perf's (inputs/converters/base_converter.py): {"data": [{"payload": [{...}]}]}.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .... import __version__
from ...tape.read import Tape
from .chunk_stamps import Stamps
from .response_entries import response_texts

Payload = bytes | Mapping[str, Any]

_COLUMNS: Final = (
    *("request_id", "session_id", "phase", "endpoint", "model", "url", "outcome", "sent_ns", "end_ns", "scheduled_ns"),
    *("received_ns", "planned_output_tokens", "response_id"),
)
_BLOCK: Final = 1024
"""Number of requests that are Python objects at one time."""


def write_requests(
    tapes: Sequence[Tape],
    exports: Path,
    inputs: Path,
    *,
    stimulus: tuple[str, float] | None,
    payloads: Iterable[Payload] | None,
) -> bool:
    """Write both files, with the successful requests of the main phase. Perf Analyzer stops at a failed request.

    The responses of a request are its chunks with visible text. A tape keeps the response text as one string
    (--keep-bodies), which is divided evenly among the chunks. Without it there are stamps but no outputs, and a
    payload has only the model, the length, and whether the response was streamed.

    Args:
        tapes: Tapes whose requests are written; several tapes are one experiment.
        exports, inputs: Output files.
        stimulus: ("concurrency", N) or ("request_rate", R); None: the rate at which requests were due.
        payloads: Bodies by request_id, one for each row of the tape, tape after tape; used if a tape has none.

    Returns:
        Whether any body is known: only then inputs.json is written.

    Raises:
        ValueError: The number of payloads is not the number of rows.
    """
    bodies = _Inputs(inputs)
    given = None if payloads is None else iter(payloads)
    first = tapes[0].read("requests", _COLUMNS)
    path = urlsplit(first["url"][0].as_py()).path.lstrip("/") if len(first) else ""
    mode, level = stimulus or ("request_rate", planned_rate(first))
    with _draft(exports) as file, bodies:
        head = json.dumps({"mode": mode, "value": level})
        file.write(f'{{"experiments":[{{"experiment":{head},"requests":[')
        separator = "\n"
        for tape in tapes:
            for entry, body in _entries(tape, exports.parent, given):
                if body is not None:
                    bodies.add(body)
                file.write(separator + msgspec.json.encode(entry).decode())
                separator = ",\n"
        if given is not None and next(given, None) is not None and not any(tape.files("bodies") for tape in tapes):
            raise ValueError("there are more payloads than requests")
        tail = {"version": f"tokentape {__version__}", "service_kind": "openai", "endpoint": path}
        file.write(f'\n],"window_boundaries":[]}}],{json.dumps(tail)[1:]}\n')
    return bodies.written


def planned_rate(requests: pa.Table) -> float:
    """Return the rate at which the main phase's requests were due, in 1/s; 0 if all were due at one time.

    Args:
        requests: Requests with the columns phase and scheduled_ns.
    """
    scheduled = requests.filter(pc.equal(requests["phase"], "main"))["scheduled_ns"].to_numpy()
    span = float(np.ptp(scheduled)) if len(scheduled) else 0.0
    return round((len(scheduled) - 1) / (span / 1e9), 6) if span else 0.0


def _entries(
    tape: Tape, folder: Path, payloads: Iterator[Payload] | None
) -> Iterator[tuple[dict[str, Any], bytes | None]]:
    """Yield the entry and the body of each request of a tape."""
    every = tape.read("requests", _COLUMNS).sort_by("request_id")
    rows = every.filter(pc.and_(pc.equal(every["phase"], "main"), pc.equal(every["outcome"], "ok")))
    epoch = int(tape.manifest["epoch_unix_ns"])
    streamed = bool(tape.manifest.get("streaming"))
    stamps = Stamps(tape, rows["request_id"].to_numpy(), ("token",), folder)
    for row, place, body, text in _said(tape, rows, every, payloads):
        arrived = stamps.of(place).tolist() or [row["end_ns"]]
        sent = row["received_ns"] if row["sent_ns"] is None else row["sent_ns"]
        inputs = {"payload": _bare(row, streamed) if body is None else body.decode("utf-8", "replace")}
        entry = {
            "timestamp": epoch + sent,
            "request_inputs": inputs if row["session_id"] is None else inputs | {"session_id": row["session_id"]},
            "response_timestamps": [epoch + stamp for stamp in arrived],
            "response_outputs": response_texts(row, text, len(arrived), streamed=streamed) if text else [],
        }
        yield entry, body


def _said(
    tape: Tape, rows: pa.Table, every: pa.Table, payloads: Iterator[Payload] | None
) -> Iterator[tuple[dict[str, Any], int, bytes | None, str | None]]:
    """Yield row, index, body and text of each exported request; those with a kept body in the order of the bodies."""
    ids = rows["request_id"].to_numpy()
    left = np.ones(len(ids), np.bool_)
    if tape.files("bodies"):
        for group in tape.batches("bodies", ("request_id", "request_body", "response_text")):
            for kept in group.filter(pc.is_in(group["request_id"], pa.array(ids))).to_batches(max_chunksize=_BLOCK):
                places = np.searchsorted(ids, kept["request_id"].to_numpy())
                left[places] = False
                for said, (row, place) in zip(kept.to_pylist(), _at(rows, places), strict=True):
                    yield row, place, said["request_body"], said["response_text"]
    elif payloads is not None:
        exported = _at(rows, np.arange(len(ids)))
        left[:] = False
        wanted = np.isin(every["request_id"].to_numpy(), ids).tolist()
        for is_wanted, payload in zip(wanted, islice(payloads, len(every)), strict=True):
            if is_wanted:
                row, place = next(exported)
                yield row, place, payload if isinstance(payload, bytes) else msgspec.json.encode(payload), None
    for row, place in _at(rows, np.flatnonzero(left)):
        yield row, place, None, None


def _at(rows: pa.Table, places: NDArray[np.int64]) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the rows at the given indices as Python objects, converted in blocks."""
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        yield from zip(rows.take(pa.array(block)).to_pylist(), block.tolist(), strict=True)


def _bare(row: Mapping[str, Any], streamed: bool) -> str:
    """Return the body of a request whose content is unknown."""
    said: dict[str, Any] = {"messages": [{"role": "user", "content": ""}]}
    if row["endpoint"] != "chat":
        said = {"input" if row["endpoint"] == "embeddings" else "prompt": ""}
    length = row["planned_output_tokens"]
    further = {} if not length or row["endpoint"] == "embeddings" else {"max_tokens": length}
    return json.dumps({"model": row["model"], **said, **further, **({"stream": True} if streamed else {})})


class _Inputs:
    """Writer of inputs.json: each body once, in order of first use. Remembers 16 bytes of each body.

    A body that is not JSON cannot be in the file and is omitted. The file is created with the first body.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(path.name + ".new")
        self._file: TextIO | None = None
        self._seen: set[bytes] = set()

    @property
    def written(self) -> bool:
        return bool(self._seen)

    def __enter__(self) -> "_Inputs":
        return self

    def add(self, body: bytes) -> None:
        digest = hashlib.blake2b(body, digest_size=16).digest()
        if digest in self._seen:
            return
        try:
            compact = msgspec.json.format(body, indent=-1).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if self._file is None:
            self._file = self._draft.open("w", encoding="utf-8")
            self._file.write('{"data":[\n')
        else:
            self._file.write(",\n")
        self._seen.add(digest)
        self._file.write(f'{{"payload":[{compact}]}}')

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._file is None:
            return
        self._file.write("\n]}\n")
        self._file.close()
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink()


@contextmanager
def _draft(path: Path) -> Iterator[TextIO]:
    """Open a file that gets its name only when it is complete."""
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
