"""The simulated server as a client library and as a reader of its tape see it."""

import selectors
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pyarrow.compute as pc
import pytest
from tokentape.cext.server import words
from tokentape.engine.errors import UserError
from tokentape.engine.simulate.simulator import Simulator, SimulatorConfig, parse_law

MESSAGES: list[Any] = [{"role": "user", "content": "one two three"}]


@pytest.fixture
def fast() -> Iterator[openai.OpenAI]:
    with Simulator(SimulatorConfig(ttft="1ms", itl="100us")) as simulator, client_of(simulator) as client:
        yield client


def client_of(simulator: Simulator, **settings: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{simulator.url}/v1", api_key="none", timeout=20, **settings)


# ---- openai-python, unmodified -------------------------------------------------------


def test_openai_chat(fast: openai.OpenAI) -> None:
    answer = fast.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5)
    assert answer.choices[0].message.content == "".join(words(5))
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None and (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 5)


def test_openai_chat_stream(fast: openai.OpenAI) -> None:
    stream = fast.chat.completions.create(
        model="m", messages=MESSAGES, max_completion_tokens=20, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "".join(words(20))
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 20
    assert len({chunk.id for chunk in chunks}) == 1


def test_openai_completions(fast: openai.OpenAI) -> None:
    answer = fast.completions.create(model="m", prompt=[1, 2, 3, 4], max_tokens=3)
    assert answer.choices[0].text == "love time list"
    assert answer.usage is not None and answer.usage.prompt_tokens == 4
    stream = fast.completions.create(model="m", prompt="a b", max_tokens=3, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "love time list"


def test_openai_embeddings(fast: openai.OpenAI) -> None:
    packed = fast.embeddings.create(model="m", input=["a b", "c"])
    plain = fast.embeddings.create(model="m", input="a b c", encoding_format="float", dimensions=8)
    assert [len(row.embedding) for row in packed.data] == [64, 64]
    assert sum(x * x for x in packed.data[0].embedding) == pytest.approx(1, abs=1e-6)
    assert len(plain.data[0].embedding) == 8
    assert packed.usage.prompt_tokens == plain.usage.prompt_tokens == 3


def test_openai_models(fast: openai.OpenAI) -> None:
    assert [model.id for model in fast.models.list()] == ["simulated"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_openai_raises_its_errors(status: int, error: type[openai.APIStatusError]) -> None:
    with (
        Simulator(SimulatorConfig(fault="status", fault_status=status)) as simulator,
        client_of(simulator, max_retries=0) as client,
        pytest.raises(error) as caught,
    ):
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert isinstance(caught.value.body, dict) and caught.value.body["code"] == status


def test_openai_retries_as_told() -> None:
    config = SimulatorConfig(ttft="1ms", itl="0", fault="status", fault_status=429, fault_share=0.5, retry_after_s=0)
    with Simulator(config) as simulator, client_of(simulator, max_retries=8) as client:
        for _ in range(4):
            assert client.completions.create(model="m", prompt="a", max_tokens=1).choices[0].text == "love"


def test_openai_sees_an_error_in_the_stream() -> None:
    with (
        Simulator(SimulatorConfig(ttft="1ms", itl="0", fault="error", fault_after=3)) as simulator,
        client_of(simulator) as client,
        pytest.raises(openai.APIError, match="the engine died"),
    ):
        list(client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5, stream=True))


def test_openai_follows_a_redirect() -> None:
    with (
        Simulator(SimulatorConfig(ttft="1ms", itl="0", fault="redirect")) as simulator,
        client_of(simulator) as client,
    ):
        assert client.completions.create(model="m", prompt="a", max_tokens=1).choices[0].text == "love"


def test_openai_counts_reasoning() -> None:
    with (
        Simulator(SimulatorConfig(ttft="1ms", itl="0", reasoning_tokens=2)) as simulator,
        client_of(simulator) as client,
    ):
        answer = client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5)
    assert answer.usage is not None and answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2


# ---- settings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("50ms", ("constant", 5e7, 0.0)),
        ("0", ("constant", 0.0, 0.0)),
        ("uniform:40ms:60ms", ("uniform", 4e7, 6e7)),
        ("normal:50ms:5ms", ("normal", 5e7, 5e6)),
        ("lognormal:0.05:10ms", ("lognormal", 5e7, 1e7)),
    ],
)
def test_laws_are_read(text: str, law: tuple[str, float, float]) -> None:
    assert parse_law(text) == law


@pytest.mark.parametrize(
    "text", ["", "fast", "uniform:40ms", "uniform:60ms:40ms", "poisson:1s:2s", "lognormal:0:1ms", "normal:1:2:3"]
)
def test_what_is_no_law_is_named(text: str) -> None:
    with pytest.raises(UserError):
        parse_law(text)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"fault_share": 1.5}, "fault-share is 1.5"),
        ({"fault_status": 200}, "fault-status is 200"),
        ({"tokens_per_chunk": 0}, "tokens-per-chunk is 0"),
        ({"port": 70000}, "port is 70000"),
        ({"model": 'a"b'}, "without quotes"),
        ({"ttft": "soon"}, "'soon' is not a duration"),
        ({"host": "no.such.host.invalid"}, "has no address"),
        ({"host": "192.0.2.1"}, "does not belong to this machine"),
    ],
)
def test_settings_that_cannot_be_are_named(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError, match=part):
        Simulator(SimulatorConfig(**settings))


def test_a_port_in_use_is_named() -> None:
    with Simulator(SimulatorConfig()) as simulator, pytest.raises(UserError, match="the port is in use"):
        Simulator(SimulatorConfig(port=simulator.port))


def test_ipv6_is_served() -> None:
    with Simulator(SimulatorConfig(host="::1", ttft="1ms", itl="0")) as simulator, client_of(simulator) as client:
        assert simulator.url == f"http://[::1]:{simulator.port}"
        assert client.completions.create(model="m", prompt="a", max_tokens=1).choices[0].text == "love"


# ---- the server's tape ---------------------------------------------------------------


def test_the_tape_tells_what_was_handed_over(tmp_path: Path) -> None:
    config = SimulatorConfig(ttft="uniform:3ms:6ms", itl="1ms", seed=4)
    simulator = Simulator(config, tmp_path / "server.tape")
    ids = []
    with simulator, client_of(simulator) as client:
        for count in (1, 7, 20):
            stream = client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=count, stream=True)
            ids += list({chunk.id for chunk in stream})
        client.embeddings.create(model="e", input="a")
    tape = simulator.tape
    assert tape is not None and tape.manifest["role"] == "server" and tape.manifest["options"]["seed"] == 4
    requests = tape.requests.sort_by("request_id")
    assert requests["response_id"].to_pylist()[:3] == ids
    assert requests["outcome"].to_pylist() == ["ok"] * 4
    assert requests["output_tokens"].to_pylist() == [1, 7, 20, 0]
    assert requests["input_tokens"].to_pylist() == [3, 3, 3, 1]
    assert requests["model"].to_pylist() == ["m", "m", "m", "e"]
    assert requests["end_marker"].to_pylist() == ["done", "done", "done", "length"]
    for row in requests.to_pylist()[:3]:
        events = tape.events.filter(pc.equal(tape.events["request_id"], row["request_id"]))
        assert events["event"].to_pylist() == list(range(row["output_tokens"] + 3))
        assert row["output_events"] == row["output_tokens"]
        stamps = events["arrival_ns"].to_pylist()
        assert stamps == sorted(stamps)
        assert 0 <= row["received_ns"] <= row["headers_ns"] <= stamps[0]
        ttft_ns = row["first_token_ns"] - row["received_ns"]
        assert ttft_ns >= 3_000_000
        assert row["last_token_ns"] - row["received_ns"] >= 3_000_000 + (row["output_tokens"] - 1) * 1_000_000
        tokens = events.filter(pc.equal(events["kind"], "token"))["arrival_ns"].to_pylist()
        assert (tokens[0], tokens[-1]) == (row["first_token_ns"], row["last_token_ns"])


def test_failures_are_rows_too(tmp_path: Path) -> None:
    simulator = Simulator(SimulatorConfig(ttft="1ms", itl="0", fault="cut", fault_after=2), tmp_path / "server.tape")
    with simulator, client_of(simulator, max_retries=0) as client:
        with pytest.raises(openai.APIError):
            list(client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=5, stream=True))
        with pytest.raises(openai.BadRequestError):
            client.completions.create(model="m", prompt=[])
    assert simulator.tape is not None
    rows = simulator.tape.requests.sort_by("request_id").to_pylist()
    told = [(row["outcome"], row["http_status"], row["output_tokens"], row["end_marker"]) for row in rows]
    assert told == [("truncated", 200, 2, None), ("http_error", 400, 0, None)]


def test_an_unused_server_seals_an_empty_tape(tmp_path: Path) -> None:
    simulator = Simulator(SimulatorConfig(), tmp_path / "server.tape")
    with simulator:
        pass
    simulator.stop()
    assert simulator.tape is not None and len(simulator.tape.requests) == 0


def test_two_thousand_streams_at_once(tmp_path: Path) -> None:
    """Every stream is whole, and the tape has each of its events."""
    streams, tokens = 2000, 20
    body = b'{"stream":true,"max_tokens":%d,"messages":[{"role":"user","content":"a"}]}' % tokens
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    simulator = Simulator(SimulatorConfig(ttft="1s", itl="20ms"), tmp_path / "server.tape")
    received: dict[socket.socket, bytearray] = {}
    with simulator, selectors.DefaultSelector() as selector:
        for _ in range(streams):
            connection = socket.create_connection(("127.0.0.1", simulator.port), 20)
            connection.sendall(request)
            received[connection] = bytearray()
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(20)
            assert ready, f"{len(selector.get_map())} streams fell silent"
            for key, _ in ready:
                connection = key.fileobj  # type: ignore[assignment]
                piece = connection.recv(65536)
                received[connection] += piece
                if not piece:
                    selector.unregister(connection)
                    connection.close()
    assert all(whole.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for whole in received.values())
    assert all(whole.count(b"data: ") == tokens + 3 for whole in received.values())
    stats = simulator.stats()
    assert (stats.requests, stats.tokens, stats.dropped_rows) == (streams, streams * tokens, 0)
    assert simulator.tape is not None
    rows = simulator.tape.manifest["rows"]
    assert (rows["requests"], rows["events"]) == (streams, streams * (tokens + 3))
    assert set(simulator.tape.requests["outcome"].to_pylist()) == {"ok"}


def test_a_law_that_is_none_is_told_by_its_name() -> None:
    with pytest.raises(UserError, match="itl: 'abc' is not a duration"):
        Simulator(SimulatorConfig(itl="abc"))
