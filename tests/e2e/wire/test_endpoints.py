"""Every API through the real reactor, against the simulator that speaks it: tokens, texts, counts, ends and errors."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokentape.cext.server import words
from tokentape.engine.errors import UserError
from tokentape.engine.requests.endpoints import ENDPOINTS
from tokentape.engine.tape import Tape

ROWS, TOKENS = 6, 12
SLACK_NS = 20_000
"""Of the two clocks: kernel stamps are on the wall clock, brought to the monotonic one by an offset."""


@dataclass(frozen=True)
class Facts:
    """What a good answer of an API leaves on the tape, streamed; by the vendor's documentation."""

    finish: str | None
    end: str
    counts: bool = True
    """It tells its token counts."""
    has_id: bool = True
    message: str = "the engine died"
    """Of an error within the stream."""


STREAMING = {
    "chat": Facts("length", "done"),
    "completions": Facts("length", "done"),
    "responses": Facts("max_output_tokens", "terminal_event"),
    "messages": Facts("max_tokens", "terminal_event"),
    "ollama_chat": Facts("length", "terminal_event", has_id=False),
    "ollama_generate": Facts("length", "terminal_event", has_id=False),
    "tgi": Facts("length", "terminal_event", has_id=False, message="Request failed during generation: the engine died"),
    "triton": Facts(None, "length", counts=False, has_id=False),
    "sglang": Facts("length", "done"),
}
GENERATING = [*STREAMING, "kserve"]
SCORING = ["embeddings", "rankings", "cohere_rankings", "tei_rankings"]
REASONING = ["chat", "responses", "messages", "ollama_chat", "ollama_generate"]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Prompts of distinct lengths, by which requests are known on both sides."""
    rows = [
        {"timestamp": 4 * row, "input_length": 40 * (row + 1), "output_length": TOKENS, "hash_ids": [row]}
        for row in range(ROWS)
    ]
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ran(simulator: Any, replayed: Any, trace: Path, tmp_path: Path, name: str, **config: Any) -> tuple[Tape, Tape]:
    """The client's tape and the server's."""
    options = {key: config.pop(key) for key in ("stream",) if key in config}
    server = simulator(truth=tmp_path / "truth", **config)
    client = replayed(trace, server.url, endpoint=name, keep_bodies=True, **options)
    server.stop()
    assert server.tape is not None
    return client, server.tape


def column(tape: Tape, name: str) -> list[Any]:
    """Of the requests, in the order of their prompts' lengths."""
    key = "planned_input_tokens" if tape.manifest["role"] == "client" else "server_input_tokens"
    values: list[Any] = tape.requests.sort_by(key)[name].to_pylist()
    return values


def stamps(tape: Tape, name: str) -> Any:
    """A column of stamps on CLOCK_MONOTONIC."""
    return np.array(column(tape, name)) + tape.manifest["epoch_mono_ns"]


@pytest.mark.parametrize("name", STREAMING)
def test_a_stream(simulator: Any, replayed: Any, trace: Path, tmp_path: Path, name: str) -> None:
    client, server = ran(simulator, replayed, trace, tmp_path, name)
    facts = STREAMING[name]
    assert column(client, "outcome") == ["ok"] * ROWS, column(client, "error")
    assert column(client, "output_tokens") == [TOKENS] * ROWS == column(client, "output_events")
    assert column(client, "token_source") == ["server" if facts.counts else "events"] * ROWS
    told = column(server, "server_input_tokens")
    assert column(client, "server_input_tokens") == (told if facts.counts else [None] * ROWS)
    assert column(client, "server_output_tokens") == [TOKENS if facts.counts else None] * ROWS
    for tape in (client, server):
        assert column(tape, "finish_reason") == [facts.finish] * ROWS
        assert column(tape, "end_marker") == [facts.end] * ROWS
    assert column(client, "response_id") == column(server, "response_id")
    assert (None in column(client, "response_id")) != facts.has_id
    assert [row["response_text"] for row in client.read("bodies").to_pylist()] == ["".join(words(TOKENS))] * ROWS
    assert (stamps(server, "received_ns") >= stamps(client, "sent_ns") - SLACK_NS).all()
    for stamp in ("first_token_ns", "last_token_ns", "end_ns"):
        assert (stamps(client, stamp) >= stamps(server, stamp) - SLACK_NS).all(), stamp
    assert column(client, "first_visible_ns") == column(client, "first_token_ns")
    each = 1 if name == "sglang" else None  # only a running count tells an event's tokens
    outputs = [event for event in client.events.to_pylist() if event["kind"] == "token"]
    assert {event["tokens"] for event in outputs} == {each}


def rows_of(tape: Tape, key: str, names: tuple[str, ...]) -> list[list[tuple[Any, ...]]]:
    """The events of each request, in the order of the prompts' lengths."""
    events = tape.events.to_pylist()
    return [
        [tuple(event[name] for name in names) for event in events if event["request_id"] == request]
        for request in tape.requests.sort_by(key)["request_id"].to_pylist()
    ]


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("variant", [{}, {"split_bytes": 7, "line_end": "crlf"}, {"framing": "close", "role": "with"}])
def test_the_events_are_those_that_the_server_sent(
    simulator: Any, replayed: Any, trace: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    reasoning = 5 if name in REASONING else 0
    client, server = ran(simulator, replayed, trace, tmp_path, name, reasoning_tokens=reasoning, **variant)
    ours = rows_of(client, "planned_input_tokens", ("event", "kind", "bytes"))
    assert ours == rows_of(server, "server_input_tokens", ("event", "kind", "bytes"))
    kinds = [kind for _, kind, _ in ours[0] if kind in ("reasoning", "token")]
    assert kinds == ["reasoning"] * reasoning + ["token"] * (TOKENS - reasoning)
    if reasoning:
        arrived = rows_of(client, "planned_input_tokens", ("kind", "arrival_ns"))
        visible = [next(at for kind, at in row if kind == "token") for row in arrived]
        assert column(client, "first_visible_ns") == visible
        texts = [row["response_text"] for row in client.read("bodies").to_pylist()]
        assert texts == ["".join(words(TOKENS))] * ROWS  # what was thought is output too


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_reasoning_is_counted_apart(simulator: Any, replayed: Any, trace: Path, tmp_path: Path, name: str) -> None:
    client, _ = ran(simulator, replayed, trace, tmp_path, name, reasoning_tokens=5)
    assert column(client, "server_reasoning_tokens") == [5] * ROWS
    assert column(client, "output_tokens") == [TOKENS] * ROWS


@pytest.mark.parametrize("name", ["messages", "sglang", "responses"])
def test_cached_tokens_are_input_tokens(
    simulator: Any, replayed: Any, small_trace: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    trace = small_trace(1, input_tokens=64, output_tokens=3)
    server = simulator(prefix_cache=100, block_tokens=16)
    for turn in range(2):
        tape = replayed(trace, server.url, endpoint=name, out=f"tape-{turn}")
        assert tape.requests["server_input_tokens"].to_pylist() == [64]
    assert tape.requests["server_cached_tokens"].to_pylist()[0] >= 48


@pytest.mark.parametrize("name", GENERATING)
def test_an_answer_that_is_no_stream(simulator: Any, replayed: Any, trace: Path, tmp_path: Path, name: str) -> None:
    client, server = ran(simulator, replayed, trace, tmp_path, name, stream=False)
    assert column(client, "outcome") == ["ok"] * ROWS, column(client, "error")
    assert [row["response_text"] for row in client.read("bodies").to_pylist()] == ["".join(words(TOKENS))] * ROWS
    counts = name not in ("triton", "kserve")
    assert column(client, "server_output_tokens") == [TOKENS if counts else None] * ROWS
    assert column(client, "output_events") == [1] * ROWS
    assert column(client, "finish_reason") == column(server, "finish_reason")
    assert column(server, "server_output_tokens") == [TOKENS] * ROWS
    assert client.manifest["streaming"] is False


@pytest.mark.parametrize("name", SCORING)
def test_scores_and_vectors(simulator: Any, replayed: Any, trace: Path, tmp_path: Path, name: str) -> None:
    client, server = ran(simulator, replayed, trace, tmp_path, name)
    assert column(client, "outcome") == ["ok"] * ROWS, column(client, "error")
    assert column(client, "output_tokens") == [0] * ROWS
    told = column(server, "server_input_tokens")
    assert column(client, "server_input_tokens") == ([None] * ROWS if name == "tei_rankings" else told)


@pytest.mark.parametrize("name", STREAMING)
def test_an_error_within_the_stream(simulator: Any, replayed: Any, trace: Path, name: str) -> None:
    tape = replayed(trace, simulator(fault="error", fault_after=3).url, endpoint=name)
    assert set(column(tape, "outcome")) == {"stream_error"}
    assert set(column(tape, "error")) == {STREAMING[name].message}
    assert set(column(tape, "output_events")) == {3}


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_stream_that_is_cut(simulator: Any, replayed: Any, trace: Path, name: str, framing: str) -> None:
    tape = replayed(trace, simulator(fault="cut", fault_after=3, framing=framing).url, endpoint=name)
    # Triton marks no end: where the body's length is not told, a cut cannot be known from an end.
    unseen = name == "triton" and framing == "close"
    assert set(column(tape, "outcome")) == {"ok" if unseen else "truncated"}
    assert set(column(tape, "output_events")) == {3}


@pytest.mark.parametrize("name", [*GENERATING, *SCORING])
@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_a_refusal_in_the_apis_own_shape(simulator: Any, replayed: Any, trace: Path, name: str, status: int) -> None:
    tape = replayed(trace, simulator(fault="status", fault_status=status).url, endpoint=name)
    assert set(column(tape, "outcome")) == {"http_error"}
    assert set(column(tape, "http_status")) == {status}
    assert set(column(tape, "error")) == {"the simulated server was told to refuse this request"}


@pytest.mark.parametrize("name", [*GENERATING, *SCORING])
def test_what_the_server_cannot_read_it_refuses(simulator: Any, replayed: Any, trace: Path, name: str) -> None:
    """The body's own prompt field is overwritten by one that is no prompt."""
    endpoint = ENDPOINTS[name]
    field = {"chat": "messages", "messages": "messages", "ollama_chat": "messages", "completions": "prompt",
             "ollama_generate": "prompt", "responses": "input", "embeddings": "input", "tgi": "inputs",
             "kserve": "inputs", "triton": "text_input", "sglang": "text", "rankings": "passages",
             "cohere_rankings": "documents", "tei_rankings": "texts"}[name]  # fmt: skip
    tape = replayed(trace, simulator().url, endpoint=endpoint.name, extra={field: 5})
    assert set(column(tape, "http_status")) == {400}
    assert all(field in error and "must" in error for error in column(tape, "error"))


def test_the_model_in_the_path(simulator: Any, replayed: Any, trace: Path, tmp_path: Path) -> None:
    server = simulator(model="served", truth=tmp_path / "truth")
    tape = replayed(trace, server.url, endpoint="triton", model=None)
    server.stop()
    url = f"{server.url}/v2/models/served/generate_stream"
    assert set(tape.requests["url"].to_pylist()) == set(server.tape.requests["url"].to_pylist()) == {url}
    assert set(server.tape.requests["model"].to_pylist()) == {"served"}


def test_anthropics_headers_and_key(
    raw_server: Any, replayed: Any, small_trace: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[str] = []

    def answer(exchange: Any) -> None:
        while (request := exchange.request()) is not None:
            heads.append(request.partition(b"\r\n\r\n")[0].decode().lower())
            exchange.respond(
                b'{"type":"error","error":{"type":"not_found_error","message":"no key-1234567890"}}', "404 No"
            )

    monkeypatch.setenv("SOME_KEY", "key-1234567890")
    tape = replayed(small_trace(1), raw_server(answer).url, endpoint="messages", api_key_env="SOME_KEY")
    assert "post /v1/messages http/1.1" in heads[0]
    assert "\r\nanthropic-version: 2023-06-01" in heads[0]
    assert "\r\nx-api-key: key-1234567890" in heads[0]
    assert "authorization" not in heads[0]
    assert tape.requests["error"].to_pylist() == ["no ***"]


@pytest.mark.parametrize("name", ["messages", "tgi", "ollama_chat", "triton"])
def test_a_tape_is_sent_again_to_where_it_went(
    simulator: Any, replayed: Any, trace: Path, tmp_path: Path, name: str
) -> None:
    first, _ = ran(simulator, replayed, trace, tmp_path, name)
    server = simulator()
    again = replayed(first.path, server.url, out="again", endpoint=name)
    assert column(again, "outcome") == ["ok"] * ROWS, column(again, "error")
    assert column(again, "endpoint") == [name] * ROWS
    assert column(again, "output_tokens") == [TOKENS] * ROWS
    assert column(again, "end_marker") == column(first, "end_marker")


TEMPLATE = '{"text_input": {{ text|tojson }}, "max_tokens": {{ output_tokens }}, "model": {{ model|tojson }}}'


def test_an_api_of_the_users_own(simulator: Any, replayed: Any, trace: Path, tmp_path: Path) -> None:
    """Triton's, as if it were not known."""
    file = tmp_path / "body.j2"
    file.write_text(TEMPLATE)
    server = simulator(truth=tmp_path / "truth")
    tape = replayed(
        trace,
        f"{server.url}/v2/models/m/generate_stream",
        endpoint="template",
        template=file,
        response_fields=["text=text_output", "error=error"],
        keep_bodies=True,
    )
    server.stop()
    assert column(tape, "outcome") == ["ok"] * ROWS, column(tape, "error")
    assert column(tape, "endpoint") == ["template"] * ROWS
    assert column(tape, "output_events") == [TOKENS] * ROWS
    assert column(server.tape, "server_output_tokens") == [TOKENS] * ROWS
    assert [row["response_text"] for row in tape.read("bodies").to_pylist()] == ["".join(words(TOKENS))] * ROWS


def test_lines_of_json_of_the_users_own(simulator: Any, replayed: Any, trace: Path, tmp_path: Path) -> None:
    """Ollama's; without its end the stream was cut."""
    file = tmp_path / "body.j2"
    file.write_text('{"prompt": {{ text|tojson }}, "options": {"num_predict": {{ output_tokens }}}}')
    options = {
        "endpoint": "template",
        "template": file,
        "framing": "ndjson",
        "response_fields": ["text=response", "end=done", "output_tokens=eval_count", "input_tokens=prompt_eval_count"],
    }
    tape = replayed(trace, f"{simulator().url}/api/generate", **options)
    assert column(tape, "outcome") == ["ok"] * ROWS, column(tape, "error")
    assert column(tape, "end_marker") == ["terminal_event"] * ROWS
    assert column(tape, "server_output_tokens") == [TOKENS] * ROWS
    cut = replayed(trace, f"{simulator(fault='cut', framing='close').url}/api/generate", out="cut", **options)
    assert set(column(cut, "outcome")) == {"truncated"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"response_fields": ["text=a"]}, "need --endpoint template"),
        ({"endpoint": "template"}, "needs --request-template FILE"),
        ({"endpoint": "template", "template": Path("missing.j2")}, r"missing\.j2: cannot be read: No such file"),
        ({"endpoint": "template", "template": Path(__file__)}, "give the path of the text in responses"),
        (
            {"endpoint": "template", "template": Path(__file__), "response_fields": ["text=a"]},
            r"test_endpoints\.py, line \d+: |does not render JSON",
        ),
        ({"endpoint": "chart"}, "--endpoint 'chart' is unknown"),
    ],
)
def test_an_api_that_cannot_be(replayed: Any, trace: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replayed(trace, None, **options)
