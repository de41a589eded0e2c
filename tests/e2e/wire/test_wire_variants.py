"""Every dialect of the wire that servers speak: all requests succeed, and every token is counted."""

from typing import Any

import pyarrow.compute as pc
import pytest

ROWS, TOKENS = 5, 9

VARIANTS: list[dict[str, Any]] = [
    {},
    {"role": "with"},
    {"role": "early"},
    {"role": "none"},
    {"headers": "first"},
    {"headers": "1ms"},
    {"finish": "last"},
    {"finish": "usage"},
    {"line_end": "crlf"},
    {"line_end": "cr"},
    {"framing": "length"},
    {"framing": "close"},
    {"done": False},
    {"space": False},
    {"empty_choice": True},
    {"continuous_usage": True},
    {"tokens_per_chunk": 4},
    {"tokens_per_chunk": 4, "continuous_usage": True},
    {"reasoning_tokens": 3},
    {"keepalive": "1ms", "itl": "3ms"},
    {"keepalive": "1ms", "itl": "3ms", "ping": "bare"},
    {"chunk_extensions": True},
    {"trailers": True},
    {"interim": True},
    {"split_bytes": 1},
    {"split_bytes": 1, "line_end": "crlf", "chunk_extensions": True, "trailers": True, "interim": True},
    {"split_bytes": 7, "line_end": "cr", "framing": "close", "role": "early"},
    {"done": False, "finish": "usage", "role": "early", "framing": "close"},
    {"close_after": 1},
]


def _name(config: dict[str, Any]) -> str:
    return "-".join(f"{name}={value}" for name, value in config.items()) or "plain"


@pytest.mark.parametrize("config", VARIANTS, ids=_name)
def test_a_chat_in_every_dialect(simulator: Any, small_trace: Any, replayed: Any, config: dict[str, Any]) -> None:
    tape = replayed(small_trace(ROWS, output_tokens=TOKENS), simulator(**config).url)
    requests = tape.requests
    assert requests["outcome"].to_pylist() == ["ok"] * ROWS
    assert requests["error"].null_count == ROWS
    assert requests["output_tokens"].to_pylist() == [TOKENS] * ROWS
    assert set(requests["token_source"].to_pylist()) == {"server"}
    assert set(requests["finish_reason"].to_pylist()) == {"length"}
    assert set(requests["end_marker"].to_pylist()) == {"done" if config.get("done", True) else "finish"}
    assert len(set(requests["response_id"].to_pylist())) == ROWS
    assert all(received > 0 for received in requests["bytes_received"].to_pylist())
    _check_order(requests)
    _check_events(tape, config)


def _check_order(requests: Any) -> None:
    for row in requests.to_pylist():
        steps = ("scheduled_ns", "sent_ns", "headers_ns", "first_event_ns", "first_token_ns", "last_token_ns", "end_ns")
        times = [row[name] for name in steps]
        assert times == sorted(times), row


def _check_events(tape: Any, config: dict[str, Any]) -> None:
    events = tape.events
    chunks = 1 + -(-(TOKENS - 1) // config.get("tokens_per_chunk", 1))
    kinds = events["kind"].to_pylist()
    reasoning = config.get("reasoning_tokens", 0)
    assert kinds.count("token") + kinds.count("reasoning") == ROWS * chunks
    assert kinds.count("reasoning") == ROWS * reasoning
    assert kinds.count("done") == (ROWS if config.get("done", True) else 0)
    assert ("comment" in kinds) == ("keepalive" in config)
    assert kinds.count("error") == 0
    if config.get("continuous_usage"):
        counted = pc.sum(events["tokens"]).as_py()
        assert counted == ROWS * TOKENS
    for request_id in range(ROWS):
        own = events.filter(pc.equal(events["request_id"], request_id))
        assert own["event"].to_pylist() == list(range(len(own)))
        arrivals = own["arrival_ns"].to_pylist()
        assert arrivals == sorted(arrivals)
        assert all(a <= r for a, r in zip(arrivals, own["read_ns"].to_pylist(), strict=True))


@pytest.mark.parametrize("form", ["text", "token_ids"])
@pytest.mark.parametrize("stream", [True, False])
def test_completions(simulator: Any, small_trace: Any, replayed: Any, form: str, stream: bool) -> None:
    tape = replayed(
        small_trace(ROWS, output_tokens=TOKENS, input_tokens=33),
        simulator().url,
        endpoint="completions",
        prompt_form=form,
        stream=stream,
    )
    assert tape.requests["outcome"].to_pylist() == ["ok"] * ROWS
    assert tape.requests["output_tokens"].to_pylist() == [TOKENS] * ROWS
    assert set(tape.requests["endpoint"].to_pylist()) == {"completions"}
    if form == "token_ids":
        assert tape.requests["server_input_tokens"].to_pylist() == [33] * ROWS
    assert len(tape.events) == (ROWS * (TOKENS + 3) if stream else ROWS)


def test_a_chat_without_a_stream_is_one_event(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(ROWS, output_tokens=TOKENS), simulator().url, stream=False)
    assert tape.requests["outcome"].to_pylist() == ["ok"] * ROWS
    assert tape.requests["output_tokens"].to_pylist() == [TOKENS] * ROWS
    assert tape.requests["output_events"].to_pylist() == [1] * ROWS
    assert set(tape.requests["end_marker"].to_pylist()) == {"finish"}
    assert tape.manifest["streaming"] is False


@pytest.mark.parametrize("form", ["text", "token_ids"])
def test_embeddings(simulator: Any, small_trace: Any, replayed: Any, form: str) -> None:
    tape = replayed(small_trace(ROWS, input_tokens=12), simulator().url, endpoint="embeddings", prompt_form=form)
    assert tape.requests["outcome"].to_pylist() == ["ok"] * ROWS
    assert tape.requests["first_token_ns"].null_count == ROWS
    assert tape.requests["output_tokens"].to_pylist() == [0] * ROWS
    assert tape.requests["server_input_tokens"].null_count == 0


def test_what_was_said_is_kept(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(ROWS), simulator(split_bytes=1, reasoning_tokens=2).url, keep_bodies=True)
    bodies = tape.read("bodies").sort_by("request_id").to_pylist()
    assert [row["request_id"] for row in bodies] == list(range(ROWS))
    assert all(row["request_body"].startswith(b'{"model":"m","messages":') for row in bodies)
    assert all(len(row["response_text"].split()) == 4 for row in bodies)


def test_user_stamps_are_said_to_be_so(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(ROWS), simulator().url, kernel_stamps=False)
    assert set(tape.requests["clock"].to_pylist()) == {"user"}
    assert tape.events["arrival_ns"].to_pylist() == tape.events["read_ns"].to_pylist()
