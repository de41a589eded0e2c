"""GenAI-Perf's files of a tape: their layouts, and that they are read back."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tokentape import traces
from tokentape.engine.cli.export import export
from tokentape.engine.errors import UserError
from tokentape.engine.report.genai_perf import artifact_directory, config_of, write_genai_perf
from tokentape.engine.report.genai_perf.chunk_stamps import Stamps
from tokentape.engine.report.genai_perf.response_entries import response_texts
from tokentape.engine.tape.read import Tape
from tokentape.engine.workloads.replay_run import ReplayOptions, replay

MakeTape = Callable[..., Tape]
MS = 1_000_000
EPOCH = 1_700_000_000_123_456_789
CONFIG = {"model_names": ["m"], "perf_analyzer": {"stimulus": {"concurrency": 7}}}


def small(make_tape: MakeTape, name: str = "tape") -> Tape:
    """Two requests of three tokens that overlap, one that failed, one of the warm-up."""
    requests: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for r in range(4):
        sent = 10 * MS * r
        stamps = [sent + 50 * MS + 10 * MS * e for e in range(3)]
        events += [{"request_id": r, "event": e, "arrival_ns": a} for e, a in enumerate(stamps)]
        requests.append(
            {"request_id": r, "scheduled_ns": sent, "sent_ns": sent, "first_token_ns": stamps[0]}
            | {"last_token_ns": stamps[-1], "end_ns": stamps[-1], "output_events": 3}
            | {"input_tokens": 5, "output_tokens": 3, "planned_output_tokens": 3, "model": "org/m"}
            | {"outcome": "timeout" if r == 2 else "ok", "phase": "warmup" if r == 0 else "main"}
        )
    return make_tape(requests, events, {"streaming": True}, name=name)


def exported(directory: Path) -> list[dict[str, Any]]:
    data = json.loads((directory / "profile_export.json").read_text())
    requests: list[dict[str, Any]] = data["experiments"][0]["requests"]
    return requests


def test_the_layout_is_genai_perfs(make_tape: MakeTape, tmp_path: Path) -> None:
    bodies = [
        json.dumps({"model": "m", "messages": [{"role": "user", "content": f"é{r}"}]}).encode() for r in (0, 1, 2, 1)
    ]
    files = write_genai_perf(small(make_tape), tmp_path / "a" / "b", input_config=CONFIG, payloads=bodies)
    names = ["profile_export_genai_perf.csv", "profile_export_genai_perf.json", "profile_export.json", "inputs.json"]
    assert files == [tmp_path / "a" / "b" / name for name in names]
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted(names)

    rows = list(csv.reader(files[0].read_text().splitlines()))
    assert rows[0] == ["Metric", "avg", "min", "max", "p99", "p95", "p90", "p75", "p50", "p25", "p10", "p5", "p1"]
    assert rows[1] == ["Time To First Token (ms)", *["50.00"] * 12]
    assert rows[8:10] == [[], ["Metric", "Value"]]
    assert rows[10] == ["Output Token Throughput (tokens/sec)", "66.67"]  # 6 tokens from 10 to 100 ms
    assert rows[12] == ["Request Count (count)", "2.00"]

    stats = json.loads(files[1].read_text())
    percentiles = [f"p{p}" for p in (1, 5, 10, 25, 50, 75, 90, 95, 99)]
    assert list(stats["time_to_first_token"]) == ["unit", "avg", *percentiles, "min", "max", "std"]
    assert stats["request_throughput"] == {"unit": "requests/sec", "avg": pytest.approx(2 / 0.09)}
    assert stats["input_config"] == CONFIG

    data = json.loads(files[2].read_text())
    assert list(data) == ["experiments", "version", "service_kind", "endpoint"]
    assert (data["service_kind"], data["endpoint"]) == ("openai", "v1/chat/completions")
    (experiment,) = data["experiments"]
    assert experiment["experiment"] == {"mode": "concurrency", "value": 7}
    assert experiment["window_boundaries"] == []
    assert experiment["requests"] == [
        {
            "timestamp": EPOCH + 10 * MS * r,
            "request_inputs": {"payload": bodies[r].decode()},
            "response_timestamps": [EPOCH + (10 * r + 50 + 10 * e) * MS for e in range(3)],
            "response_outputs": [],
        }
        for r in (1, 3)
    ]
    assert json.loads(files[3].read_text()) == {"data": [{"payload": [json.loads(bodies[1])]}]}  # equal ones once


def test_payloads_may_be_objects_and_must_be_one_for_each_request(make_tape: MakeTape, tmp_path: Path) -> None:
    payload = {"model": "m", "messages": []}
    tape = small(make_tape)
    write_genai_perf(tape, tmp_path, input_config={}, payloads=[payload] * 4)
    assert exported(tmp_path)[0]["request_inputs"]["payload"] == '{"model":"m","messages":[]}'
    for number, message in ((3, "shorter"), (5, "more payloads than requests")):
        with pytest.raises(ValueError, match=message):
            write_genai_perf(tape, tmp_path, input_config={}, payloads=[payload] * number)
    assert not list(tmp_path.glob("*.new"))


def test_a_tape_without_bodies_has_stamps_and_frames(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = small(make_tape)
    files = write_genai_perf(tape, tmp_path, input_config=config_of(tape), profile_export_name="mine.json")
    assert [file.name for file in files] == ["mine_genai_perf.csv", "mine_genai_perf.json", "mine.json"]
    trace = traces.read(files[2])
    assert trace.table["arrival_ns"].to_pylist() == [0, 20 * MS]
    assert trace.table["output_tokens"].to_pylist() == [3, 3]
    assert trace.table["model"].to_pylist() == ["org/m"] * 2
    with pytest.raises(UserError, match="is not a file name"):
        write_genai_perf(tape, tmp_path, input_config={}, profile_export_name="../up.json")


@pytest.mark.parametrize(("endpoint", "stream"), [("chat", True), ("completions", True), ("chat", False)])
def test_real_runs_are_read_back(small_trace: Callable[..., Path], tmp_path: Path, endpoint: str, stream: bool) -> None:
    options = ReplayOptions(
        simulator=["--ttft", "5ms", "--itl", "1ms"], endpoint=endpoint, stream=stream, keep_bodies=True
    )
    tape = replay(small_trace(6, output_tokens=5), tmp_path / "t.tape", options, command=["test"])
    written = write_genai_perf(tape, tmp_path / "out", input_config=config_of(tape))
    trace = traces.read(written[2])
    assert trace.format == "genai-perf-export"
    kept = {row["request_id"]: row for row in tape.read("bodies").to_pylist()}
    requests = {row["sent_ns"] + tape.manifest["epoch_unix_ns"]: row for row in tape.requests.to_pylist()}
    entries = exported(tmp_path / "out")
    assert len(entries) == len(trace) == 6
    for entry in entries:
        row = requests[entry["timestamp"]]
        body = kept[row["request_id"]]
        assert entry["request_inputs"]["payload"].encode() == body["request_body"]
        stamps = entry["response_timestamps"]
        assert len(stamps) == len(entry["response_outputs"]) == (5 if stream else 1)
        assert [stamps[0], stamps[-1]] == [
            row[name] + tape.manifest["epoch_unix_ns"] for name in ("first_token_ns", "last_token_ns")
        ]
        said = [json.loads(out["response"].removeprefix("data: ")) for out in entry["response_outputs"]]
        assert all(out["response"].startswith("data: ") == stream for out in entry["response_outputs"])
        assert "".join(map(text_of, said)) == body["response_text"]
    inputs = traces.read(written[3])
    assert inputs.format == "genai-perf-inputs"
    assert inputs.table["output_tokens"].to_pylist() == [5] * 6


@pytest.mark.parametrize(
    ("endpoint", "streamed", "response"),
    [
        ("tgi", True, 'data: [{"generated_text":"wör"}]\n\n'),
        ("triton", True, 'data: {"text_output":"wör"}\n\n'),
        ("triton", False, '{"text_output":"wör"}'),
    ],
)
def test_other_servers_responses(endpoint: str, streamed: bool, response: str) -> None:
    row = {"endpoint": endpoint, "model": "m", "response_id": None}
    first, second = response_texts(row, "wörter", 2, streamed=streamed)
    assert first == {"response": response}
    assert "ter" in second["response"]


def text_of(response: dict[str, Any]) -> str:
    choice = response["choices"][0]
    text = {
        "text_completion": lambda: choice["text"],
        "chat.completion.chunk": lambda: choice["delta"]["content"],
        "chat.completion": lambda: choice["message"]["content"],
    }[response["object"]]()
    assert isinstance(text, str)
    return text


def test_stamps_of_requests_that_are_spread_over_a_file(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = small(make_tape)
    stamps = Stamps(tape, tape.requests["request_id"].to_numpy()[1:], ("token",), tmp_path)
    assert [stamps.of(place).tolist() for place in range(3)] == [
        [(10 * r + 50 + 10 * e) * MS for e in range(3)] for r in (1, 2, 3)
    ]
    assert not list(tmp_path.glob("tmp*"))


@pytest.mark.parametrize(
    ("arguments", "load", "name"),
    [
        (("gpt2", "openai", "chat"), {"concurrency": 1}, "artifacts/gpt2-openai-chat-concurrency1"),
        (
            ("intfloat/e5-mistral-7b-instruct", "openai", "embeddings"),
            {"concurrency": 8},
            "artifacts/intfloat_e5-mistral-7b-instruct-openai-embeddings-concurrency8",
        ),
        ((["a/b", "c"], "openai", "chat"), {"request_rate": 10}, "artifacts/a_b_multi-openai-chat-request_rate10.0"),
        (("m", "triton", "vllm"), {"base": "x/y"}, "x/y/m-triton-vllm"),
        (("m", "tensorrtllm_engine", "-"), {"concurrency": 2}, "artifacts/m-tensorrtllm_engine-concurrency2"),
        (("m", "openai", "chat"), {"session_concurrency": 3}, "artifacts/m-openai-chat-session_concurrency3"),
        (("m", "openai", "chat"), {"fixed_schedule": True}, "artifacts/m-openai-chat-fixed_schedule"),
    ],
)
def test_directories_have_genai_perfs_names(arguments: Any, load: dict[str, Any], name: str) -> None:
    assert artifact_directory(*arguments, **load) == Path(name)


def test_the_command_prints_what_it_wrote(make_tape: MakeTape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(small(make_tape).path)
    result = CliRunner().invoke(export, [path, "-o", str(tmp_path / "out"), "-g", "request_latency:100"])
    assert result.exit_code == 0
    assert [Path(line).name for line in result.stdout.split()] == [
        "profile_export_genai_perf.csv",
        "profile_export_genai_perf.json",
        "profile_export.json",
    ]
    assert "--keep-bodies" in result.stderr
    stats = json.loads((tmp_path / "out" / "profile_export_genai_perf.json").read_text())
    assert stats["request_goodput"]["avg"] == pytest.approx(2 / 0.09)
    assert stats["input_config"]["input"]["goodput"] == {"request_latency": 100.0}
    assert stats["input_config"]["perf_analyzer"]["stimulus"] == {"request_rate": 100.0}  # three in 20 ms
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(export, [path]).exit_code == 0
    assert (tmp_path / "artifacts/org_m-openai-chat-request_rate100.0/profile_export.json").is_file()


def test_several_tapes_make_one_export(make_tape: MakeTape, tmp_path: Path) -> None:
    tapes = [small(make_tape, name=name) for name in ("one", "two")]
    result = CliRunner().invoke(export, [*(str(tape.path) for tape in tapes), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0
    stamps = [entry["timestamp"] for entry in exported(tmp_path / "out")]
    assert stamps == [EPOCH + at * MS for at in (10, 30, 10, 30)]
    stats = json.loads((tmp_path / "out" / "profile_export_genai_perf.json").read_text())
    assert stats["request_count"]["avg"] == 4
    assert stats["request_throughput"]["avg"] == pytest.approx(2 * 2 / 0.09)  # of each run, added


def test_a_servers_own_tape_counts_from_arrival(make_tape: MakeTape, tmp_path: Path) -> None:
    row = {"received_ns": 5 * MS, "first_token_ns": 9 * MS, "last_token_ns": 9 * MS, "end_ns": 9 * MS}
    event = {"request_id": 0, "event": 0, "arrival_ns": 9 * MS}
    tape = make_tape([row | {"request_id": 0, "output_events": 1}], [event], {"role": "server", "streaming": True})
    files = write_genai_perf(tape, tmp_path, input_config={})
    assert exported(tmp_path)[0]["timestamp"] == EPOCH + 5 * MS
    assert json.loads(files[1].read_text())["request_latency"]["avg"] == pytest.approx(4)


@pytest.mark.parametrize(
    ("load", "stimulus"),
    [
        ({"concurrency": 4, "rates": None}, {"concurrency": 4}),
        ({"concurrency": None, "rates": [{"length_s": None, "from": 20, "to": 20}]}, {"request_rate": 20.0}),
        ({"concurrency": None, "rates": [{"length_s": 5, "from": 1, "to": 9}]}, {"request_rate": 1000.0}),
        (None, {"request_rate": 1000.0}),
    ],
)
def test_the_configuration_tells_the_load(make_tape: MakeTape, load: Any, stimulus: dict[str, Any]) -> None:
    rows = [{"request_id": r, "scheduled_ns": r * MS, "model": "a"} for r in range(3)]
    config = config_of(make_tape(rows, [], {"load": load, "models": ["a", "b"], "streaming": True}), goodput=["k:5"])
    assert config["perf_analyzer"] == {"stimulus": stimulus}
    assert config["model_names"] == ["a", "b"]
    assert config["input"]["goodput"] == {"k": 5.0}


def test_sessions_have_their_own_statistics(make_tape: MakeTape, tmp_path: Path) -> None:
    requests: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    # b: TTFT 10 and 30, a: 20; a request of c fails; one has no session. Each has two tokens 5 ms apart.
    for r, (session, ttft) in enumerate([("b", 10), ("a", 20), ("b", 30), ("c", 40), (None, 50)]):
        stamps = [(100 * r + ttft) * MS, (100 * r + ttft + 5) * MS]
        events += [{"request_id": r, "event": e, "arrival_ns": at} for e, at in enumerate(stamps)]
        requests.append(
            {"request_id": r, "session_id": session, "sent_ns": 100 * r * MS, "first_token_ns": stamps[0]}
            | {"last_token_ns": stamps[1], "end_ns": stamps[1], "output_events": 2, "output_tokens": 2}
            | {"outcome": "timeout" if session == "c" else "ok"}
        )
    files = write_genai_perf(make_tape(requests, events, {"streaming": True}), tmp_path, input_config={})
    sessions = json.loads(files[1].read_text())["sessions"]
    assert list(sessions) == ["b", "a"]
    assert sessions["b"]["time_to_first_token"]["avg"] == pytest.approx(20)
    assert sessions["b"]["request_throughput"]["avg"] == pytest.approx(2 / 0.235)  # 0 to 235 ms
    assert sessions["a"]["output_token_throughput"]["avg"] == pytest.approx(2 / 0.025)
    said = [entry["request_inputs"].get("session_id") for entry in exported(tmp_path)]
    assert said == ["b", "a", "b", None]


def test_a_directory_that_cannot_be_made_is_the_users_error(make_tape: MakeTape, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(export, [str(small(make_tape).path), "-o", str(tmp_path / "file" / "out")])
    assert isinstance(result.exception, UserError)
    assert "file" in str(result.exception)
