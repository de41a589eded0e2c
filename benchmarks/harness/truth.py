"""A client's stamps beside the server's own tape: the same event on both sides, on one clock."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Times = NDArray[np.int64]


class Joined(NamedTuple):
    """One element per event that both sides know."""

    handed_ns: Times
    """When the server handed it to its kernel, CLOCK_MONOTONIC."""
    arrival_ns: Times
    """The client's stamp, CLOCK_MONOTONIC."""
    read_ns: Times
    """The client's clock after the read; equal to arrival_ns where it has only one."""
    coalesced: NDArray[np.bool_]
    """Flagged by the client: a later event came in the same read."""
    events: int
    """That the server sent."""


def _absolute(path: Path, columns: list[str]) -> tuple[pa.Table, pa.Table, int]:
    from tokentape.engine.tape import open_tape

    tape = open_tape(path)
    return tape.requests, tape.read("events", ["request_id", "event", *columns]), int(tape.manifest["epoch_mono_ns"])


def _of_server(path: Path) -> pa.Table:
    requests, events, epoch_ns = _absolute(path, ["arrival_ns"])
    known = requests.select(["request_id", "response_id"])
    handed = pa.array(events["arrival_ns"].to_numpy() + epoch_ns)
    table = events.drop_columns(["arrival_ns"]).append_column("handed_ns", handed)
    return table.join(known, "request_id").drop_columns(["request_id"])


def _join(client: pa.Table, server: pa.Table) -> Joined:
    both = client.join(server, ["response_id", "event"], join_type="inner")
    get = {name: both[name].to_numpy() for name in ("handed_ns", "arrival_ns", "read_ns", "coalesced")}
    return Joined(get["handed_ns"], get["arrival_ns"], get["read_ns"], get["coalesced"], server.num_rows)


def join_tapes(client: Path, server: Path) -> Joined:
    """A replay's tape beside the server's."""
    requests, events, epoch_ns = _absolute(client, ["arrival_ns", "read_ns", "coalesced"])
    for name in ("arrival_ns", "read_ns"):
        place = events.column_names.index(name)
        events = events.set_column(place, name, pa.array(events[name].to_numpy() + epoch_ns))
    known = requests.select(["request_id", "response_id"])
    return _join(events.join(known, "request_id").drop_columns(["request_id"]), _of_server(server))


def join_stamps(stamps: Path, server: Path) -> Joined:
    """What aiohttp_client.py wrote beside the server's tape."""
    ids: list[str] = []
    events: list[int] = []
    times: list[int] = []
    for line in stamps.read_text().splitlines():
        stream = json.loads(line)
        times += stream["stamps_ns"]
        events += range(len(stream["stamps_ns"]))
        ids += [stream["id"]] * len(stream["stamps_ns"])
    table = pa.table(
        {
            "response_id": ids,
            "event": pa.array(events, pa.int32()),
            "arrival_ns": times,
            "read_ns": times,
            "coalesced": np.zeros(len(ids), np.bool_),
        }
    )
    return _join(table, _of_server(server))


def join_requests(client: Path, server: Path) -> tuple[Times, Times, Times]:
    """Each request's scheduled and sent time as the client's tape has it, and received as the server's has it."""
    columns = []
    for path, names in ((client, ["scheduled_ns", "sent_ns"]), (server, ["received_ns"])):
        requests, _, epoch_ns = _absolute(path, [])
        absolute = {name: requests[name].to_numpy() + epoch_ns for name in names}
        columns.append(pa.table({"response_id": requests["response_id"], **absolute}))
    both = columns[0].join(columns[1], "response_id", join_type="inner")
    return tuple(both[name].to_numpy() for name in ("scheduled_ns", "sent_ns", "received_ns"))
