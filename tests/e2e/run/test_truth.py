"""The client's tape against the server's own: the same answers, the same events, and no time before its cause."""

import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from completed_runs import assert_completed
from tokentape.engine.tape import Tape, open_tape

SLACK_NS = 20_000
"""Of the two clocks: kernel stamps are on the wall clock, brought to the monotonic one by an offset."""


def _joined(client: Tape, server: Tape) -> pa.Table:
    names = ["response_id", "received_ns", "first_token_ns", "last_token_ns", "server_output_tokens", "output_events"]
    ours = client.requests.select(
        ["response_id", "request_id", "scheduled_ns", "sent_ns", "first_token_ns", "last_token_ns", "output_tokens",
         "output_events"]
    )  # fmt: skip
    theirs = server.requests.select(names).rename_columns(["response_id", *(f"server_{name}" for name in names[1:])])
    shift = server.manifest["epoch_mono_ns"] - client.manifest["epoch_mono_ns"]
    for name in ("server_received_ns", "server_first_token_ns", "server_last_token_ns"):
        theirs = theirs.set_column(theirs.column_names.index(name), name, pc.add(theirs[name], shift))
    return ours.join(theirs, "response_id", join_type="inner").combine_chunks()


def _agree(client: Tape, server: Tape, rows: int) -> None:
    joined = _joined(client, server)
    assert len(joined) == rows
    assert joined["output_tokens"].to_pylist() == joined["server_server_output_tokens"].to_pylist()
    assert joined["output_events"].to_pylist() == joined["server_output_events"].to_pylist()
    times = {name: joined[name].to_numpy() for name in joined.column_names if name.endswith("_ns")}
    assert (times["sent_ns"] >= times["scheduled_ns"]).all()
    assert (times["server_received_ns"] >= times["sent_ns"] - SLACK_NS).all()
    assert (times["first_token_ns"] >= times["server_first_token_ns"] - SLACK_NS).all()
    assert (times["last_token_ns"] >= times["server_last_token_ns"] - SLACK_NS).all()
    _events_agree(client, server)


def _events_agree(client: Tape, server: Tape) -> None:
    """Event for event: handed to the kernel by the server, before it arrived at the client."""
    ids = dict(zip(server.requests["response_id"].to_pylist(), server.requests["request_id"].to_pylist(), strict=True))
    shift = server.manifest["epoch_mono_ns"] - client.manifest["epoch_mono_ns"]
    ours, theirs = client.events, server.events
    for row in client.requests.to_pylist():
        mine = ours.filter(pc.equal(ours["request_id"], row["request_id"]))
        other = theirs.filter(pc.equal(theirs["request_id"], ids[row["response_id"]]))
        assert mine["kind"].to_pylist() == other["kind"].to_pylist()
        assert mine["bytes"].to_pylist() == other["bytes"].to_pylist()
        handed = other["arrival_ns"].to_numpy() + shift
        assert (mine["arrival_ns"].to_numpy() >= handed - SLACK_NS).all()
        assert (np.diff(mine["arrival_ns"].to_numpy()) >= 0).all()


@pytest.mark.parametrize("config", [{}, {"role": "early", "line_end": "crlf"}, {"keepalive": "1ms", "itl": "3ms"}])
def test_client_and_server_agree(
    simulator: Any, small_trace: Any, replayed: Any, tmp_path: Path, config: dict[str, Any]
) -> None:
    server = simulator(truth=tmp_path / "truth", **config)
    client = replayed(small_trace(20, gap_ms=3, output_tokens=12), server.url, workers=2)
    server.stop()
    assert server.tape is not None
    _agree(client, server.tape, 20)


def test_the_commands_agree(start_cli: Any, run_cli: Any, small_trace: Any, tmp_path: Path) -> None:
    server = start_cli(
        "serve", "--port", "0", "--ttft", "normal:5ms:1ms", "--itl", "1ms", "--truth", tmp_path / "truth"
    )
    line = server.process.stderr.readline()
    url = re.fullmatch(r"listening on (http://\S+)\n", line)[1]  # type: ignore[index]
    result = run_cli("replay", small_trace(20, gap_ms=3), "--url", url, "--out", "client.tape", "--quiet")
    assert_completed(result.returncode, tmp_path / "client.tape", result.stderr)
    server.send(signal.SIGTERM)
    assert server.end()[0] == 0
    client, truth = open_tape(tmp_path / "client.tape"), open_tape(tmp_path / "truth")
    assert truth.manifest["role"] == "server"
    assert client.manifest["target"]["model"] == "simulated"
    _agree(client, truth, 20)
