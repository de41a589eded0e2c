"""A tape that was written is read back, by us and by others."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tokentape
from tokentape.engine.errors import UserError
from tokentape.engine.tape import seal
from tokentape.engine.tape.read import Tape, open_tape
from tokentape.engine.tape.schema import EVENTS, REQUESTS, SCHEMA_VERSION
from tokentape.engine.tape.writer import TapeWriter

MakeTape = Callable[..., Tape]
REQUEST = {
    "scheduled_ns": 10,
    "sent_ns": 2_000,
    "first_token_ns": 3_000,
    "last_token_ns": 5_000,
    "end_ns": 5_500,
}
ROWS = [REQUEST | {"request_id": n, "output_events": 3} for n in (2, 0, 1)]
EVENT_ROWS = [
    {"request_id": r, "event": e, "arrival_ns": 3_000 + 1_000 * e + r, "kind": kind, "tokens": 1 if e else -1}
    for e, kind in enumerate(("token", "reasoning", "done"))
    for r in range(3)
]


def test_rows_come_back_as_they_were_written(make_tape: MakeTape) -> None:
    tape = make_tape(ROWS, EVENT_ROWS, {"command": ["tokentape", "replay"]})
    assert tape.requests.schema == REQUESTS
    assert tape.events.schema == EVENTS
    assert tape.requests["request_id"].to_pylist() == [0, 1, 2]
    back = sorted(tape.events.to_pylist(), key=lambda row: (row["event"], row["request_id"]))
    assert [(r["request_id"], r["event"], r["arrival_ns"], r["kind"]) for r in back] == [
        (r["request_id"], r["event"], r["arrival_ns"], r["kind"]) for r in EVENT_ROWS
    ]
    assert [r["tokens"] for r in back] == [None] * 3 + [1] * 6
    assert tape.manifest["command"] == ["tokentape", "replay"]
    assert tape.manifest["rows"] == {"requests": 3, "events": 9, "bodies": 0, "blocks": 0, "probes": 0}
    assert not (tape.path / "journal").exists()


def test_started_at_is_the_wall_clock_of_the_send_or_of_the_schedule(make_tape: MakeTape) -> None:
    tape = make_tape([REQUEST | {"request_id": 0}, {"request_id": 1, "scheduled_ns": 5_000_000, "outcome": "timeout"}])
    epoch = tape.manifest["epoch_unix_ns"]
    started = tape.requests["started_at"].to_pylist()
    origin = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    micro = datetime.timedelta(microseconds=1)
    assert [(s - origin) // micro for s in started] == [(epoch + 2_000) // 1000, (epoch + 5_000_000) // 1000]


@pytest.mark.parametrize(
    ("row", "settled"),
    [
        ({"server_output_tokens": 7, "tokenizer_output_tokens": 8, "output_events": 9}, (7, "server")),
        ({"tokenizer_output_tokens": 8, "output_tokens": 9, "output_events": 9}, (8, "tokenizer")),
        ({"output_tokens": 6, "output_events": 9}, (6, "events")),
        ({"output_events": 9}, (9, "events")),
        ({"server_output_tokens": 0, "output_events": 9}, (9, "events")),
        ({"server_output_tokens": 0, "output_events": 0}, (0, "server")),
    ],
)
def test_the_servers_count_goes_before_the_tokenizers(
    make_tape: MakeTape, row: dict[str, Any], settled: tuple[int, str]
) -> None:
    table = make_tape([REQUEST | {"request_id": 0} | row]).requests
    assert (table["output_tokens"][0].as_py(), table["token_source"][0].as_py()) == settled


def test_every_file_says_its_epoch_and_version(make_tape: MakeTape) -> None:
    tape = make_tape(ROWS, EVENT_ROWS)
    for file in [*tape.files("requests"), *tape.files("events")]:
        metadata = pq.read_metadata(file).metadata
        assert int(metadata[b"epoch_unix_ns"]) == tape.manifest["epoch_unix_ns"]
        assert int(metadata[b"tokentape_schema_version"]) == SCHEMA_VERSION


def test_files_hold_plain_types_for_any_warehouse(make_tape: MakeTape) -> None:
    tape = make_tape(ROWS, EVENT_ROWS)
    assert pq.read_schema(tape.files("events")[0]).remove_metadata() == EVENTS
    assert pq.read_schema(tape.files("requests")[0]).remove_metadata() == REQUESTS


def test_duckdb_joins_requests_and_events(make_tape: MakeTape) -> None:
    tape = make_tape(ROWS, EVENT_ROWS)
    rows = duckdb.sql(
        f"""select r.request_id, count(*), max(e.arrival_ns) - min(e.arrival_ns), typeof(any_value(e.kind)),
                   typeof(any_value(r.started_at))
            from '{tape.path}/requests/*.parquet' r join '{tape.path}/events/*.parquet' e using (request_id)
            where e.kind != 'done' group by 1 order by 1"""
    ).fetchall()
    assert rows == [(n, 2, 1_000, "VARCHAR", "TIMESTAMP WITH TIME ZONE") for n in range(3)]


def test_a_long_run_is_sealed_in_partitions(make_tape: MakeTape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "PARTITION_EVENTS", 50)
    monkeypatch.setattr(seal, "ROW_GROUP_ROWS", 20)
    monkeypatch.setattr(seal, "PARTITION_REQUESTS", 2)
    events = [{"request_id": r, "event": e, "arrival_ns": 10 * e + r} for e in range(40) for r in range(3)]
    tape = make_tape(ROWS, events, batch=7)
    assert len(tape.files("events")) == 3
    assert [len(b) for b in tape.event_batches(["event"])][:3] == [20, 20, 16]
    wanted = {(e["request_id"], e["event"], e["arrival_ns"]) for e in events}
    columns = tape.events.select(["request_id", "event", "arrival_ns"]).to_pylist()
    assert {(r["request_id"], r["event"], r["arrival_ns"]) for r in columns} == wanted
    assert len(columns) == len(events)


def test_bodies_are_kept_where_given(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "t", {}, epoch_mono_ns=0, epoch_unix_ns=0)
    columns = {"request_id": [1, 0], "request_body": [b'{"a":1}', None], "request_headers": ["{}", None]}
    columns |= {"response_text": [None, "¡Hola!"]}
    writer.bodies(pa.RecordBatch.from_pydict(columns))
    tape = writer.seal()
    assert tape.read("bodies").to_pylist() == [
        {"request_id": 0, "request_body": None, "request_headers": None, "response_text": "¡Hola!"},
        {"request_id": 1, "request_body": b'{"a":1}', "request_headers": "{}", "response_text": None},
    ]


def test_an_empty_run_is_a_tape(make_tape: MakeTape) -> None:
    tape = make_tape([])
    assert len(tape.requests) == len(tape.events) == 0
    assert tape.events.schema == EVENTS


def test_seal_adds_to_the_manifest(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "t", {"seed": 1}, epoch_mono_ns=7, epoch_unix_ns=8)
    tape = writer.seal(workers=[{"busy_share": 0.1}])
    assert tape.manifest["seed"] == 1
    assert tape.manifest["workers"] == [{"busy_share": 0.1}]
    assert (tape.manifest["epoch_mono_ns"], tape.manifest["epoch_unix_ns"]) == (7, 8)
    assert open_tape(tmp_path / "t").manifest == tape.manifest


def test_the_python_api_opens_a_tape(make_tape: MakeTape) -> None:
    path = make_tape(ROWS, EVENT_ROWS).path
    tape = tokentape.open(str(path))
    assert len(tape.requests) == 3
    assert tape.summary(["ttft:1us"]).requests.ok == 3


def test_a_path_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "note").write_text("mine")
    for name in ("file", "folder"):
        with pytest.raises(UserError, match=f"{name}: .*another path"):
            TapeWriter(tmp_path / name, {}, epoch_mono_ns=0)
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "note").read_text() == "mine"


def test_reading_says_what_is_wrong(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = make_tape(ROWS, EVENT_ROWS)
    with pytest.raises(UserError, match="no such tape"):
        open_tape(tmp_path / "none")
    with pytest.raises(UserError, match=r"holds no manifest\.json"):
        open_tape(tmp_path)
    with pytest.raises(UserError, match="not a tape; a tape is a directory"):
        open_tape(tape.path / "manifest.json")
    unsealed = TapeWriter(tmp_path / "unsealed", {}, epoch_mono_ns=0)
    with pytest.raises(UserError, match=r"tokentape recover .*unsealed"):
        open_tape(unsealed.path)
    unsealed.close()


def test_a_tape_of_a_newer_version_is_refused(make_tape: MakeTape) -> None:
    tape = make_tape(ROWS)
    manifest = json.loads((tape.path / "manifest.json").read_text())
    manifest["schema_version"] = SCHEMA_VERSION + 1
    (tape.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=f"schema version {SCHEMA_VERSION + 1}.*upgrade"):
        open_tape(tape.path)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": "1"}'])
def test_a_damaged_manifest_is_told(make_tape: MakeTape, text: str) -> None:
    tape = make_tape(ROWS)
    (tape.path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json"):
        open_tape(tape.path)


def test_missing_cut_and_damaged_files_are_told(make_tape: MakeTape) -> None:
    tape = make_tape(ROWS, EVENT_ROWS)
    file = tape.files("events")[0]
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(UserError, match=r"part-00000\.parquet: \d+ bytes, the manifest says"):
        open_tape(tape.path)
    file.write_bytes(b"\0" * len(whole))
    with pytest.raises(UserError, match=r"part-00000\.parquet: truncated or damaged"):
        _ = open_tape(tape.path).events
    file.unlink()
    with pytest.raises(UserError, match=r"part-00000\.parquet: missing"):
        open_tape(tape.path)


def test_a_batch_of_wrong_columns_is_our_own_mistake(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "t", {}, epoch_mono_ns=0)
    with pytest.raises(ValueError, match="events_batch"):
        writer.events(pa.RecordBatch.from_pydict({"request_id": [1]}))
    with pytest.raises(ValueError, match="'request_id' is missing"):
        writer.requests(pa.RecordBatch.from_pydict({"turn": pa.array([1], pa.int32())}))
    writer.close()


def test_a_column_that_is_younger_than_the_tape_is_null(make_tape: MakeTape) -> None:
    tape = make_tape([{"request_id": 0}])
    (file,) = tape.files("requests")
    old = pq.read_table(file).drop_columns(["arrival", "retries"])
    pq.write_table(old, file)
    tape.manifest["files"] = [
        entry | {"bytes": file.stat().st_size} if entry["table"] == "requests" else entry
        for entry in tape.manifest["files"]
    ]
    assert tape.requests["arrival"].to_pylist() == [None]
    assert tape.read("requests", ["request_id", "retries"]).num_rows == 1
