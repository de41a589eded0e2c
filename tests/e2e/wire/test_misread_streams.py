"""Answers that are easily misread: errors in every shape, aborted requests, unusual output, wrong counts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.measure.summary import summarize
from tokentape.engine.report.summary_export import to_csv
from tokentape.engine.tape import Tape

Run = Callable[..., Tape]
DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def chunk(delta: Any, finish: Any = None, completion: int | None = None) -> bytes:
    value: dict[str, Any] = {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if completion is not None:
        value["usage"] = {"prompt_tokens": 9, "completion_tokens": completion}
    return event(value)


def usage(prompt: int, completion: int) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})


WORDS = [chunk({"content": f" w{number}"}) for number in range(4)]
STOP = chunk({}, "stop")


@pytest.fixture
def answered(raw_server: Any, small_trace: Callable[..., Path], replayed: Run) -> Run:
    """Replays three requests against a server that answers each with these events: answered(*events, kind=…)."""

    def run(*events: bytes, kind: str = "text/event-stream", **options: Any) -> Tape:
        def handler(exchange: Any) -> None:
            if exchange.request() is None:
                return
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
            exchange.send(head.encode())
            for one in events:
                exchange.send(one)

        return replayed(small_trace(3), raw_server(handler).url, **options)

    return run


def kinds(tape: Tape) -> list[str]:
    """Kinds of the first request's events, in their order."""
    rows = [row for row in tape.events.to_pylist() if row["request_id"] == 0]
    return [row["kind"] for row in sorted(rows, key=lambda row: row["event"])]


def first(tape: Tape) -> dict[str, Any]:
    """The row of the first request."""
    row: dict[str, Any] = tape.requests.to_pylist()[0]
    return row


ERRORS: list[Any] = [
    {"error": {"message": "out of memory", "code": 500}},
    {"error": "out of memory"},
    {"object": "error", "message": "out of memory", "type": "InternalServerError", "code": 500},
    {"detail": "out of memory"},
    {"detail": [{"loc": ["body"], "msg": "out of memory"}]},
    {"error": "out of memory", "error_type": "generation"},
    {"errors": ["out of memory"]},
    {"error_message": "out of memory"},
    {"type": "error", "message": "out of memory"},
    {"status": "error", "message": "out of memory"},
    {"code": 503, "message": "out of memory"},
    {"status_code": 500, "message": "out of memory"},
]


@pytest.mark.parametrize("error", ERRORS, ids=json.dumps)
def test_an_error_within_a_stream_is_one_in_every_shape(answered: Run, error: Any) -> None:
    tape = answered(*WORDS[:2], event(error), DONE)
    row = first(tape)
    assert (row["outcome"], row["output_tokens"]) == ("stream_error", 2)
    assert "out of memory" in row["error"]
    assert kinds(tape) == ["token", "token", "error", "done"]


@pytest.mark.parametrize("error", ERRORS, ids=json.dumps)
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_an_error_instead_of_an_answer_is_one_however_it_is_sent(answered: Run, error: Any, kind: str) -> None:
    """As JSON with the status 200, or under the type of a stream without being framed as an event."""
    row = first(answered(json.dumps(error).encode(), kind=kind))
    assert row["outcome"] == "stream_error"
    assert "out of memory" in row["error"]


@pytest.mark.parametrize(
    "fine",
    [{"id": "c1", "choices": []}, {"error": None}, {"message": "loading"}, {"status": "ok", "code": 200}],
    ids=json.dumps,
)
def test_what_is_no_error_is_none(answered: Run, fine: Any) -> None:
    tape = answered(event(fine), *WORDS, STOP, DONE)
    assert (first(tape)["outcome"], first(tape)["error"]) == ("ok", None)


@pytest.mark.parametrize(
    ("finish", "reason", "message"),
    [
        ("abort", "abort", "the server gave the request up: finish reason abort"),
        ("error", "error", "the server gave the request up: finish reason error"),
        ({"type": "abort", "message": "out of pages"}, "abort", "out of pages"),
    ],
)
def test_a_request_that_the_server_gives_up_has_failed(answered: Run, finish: Any, reason: str, message: str) -> None:
    row = first(answered(*WORDS[:2], chunk({}, finish), DONE))
    assert (row["outcome"], row["finish_reason"], row["error"]) == ("stream_error", reason, message)
    assert row["output_tokens"] == 2


def test_finish_reasons_are_counted(answered: Run, run_cli: Any) -> None:
    tape = answered(*WORDS[:2], chunk({}, "content_filter"), DONE)
    assert first(tape)["outcome"] == "ok"
    summary = summarize(tape)
    assert summary.requests.finish_reasons == {"content_filter": 3}
    assert summary.as_dict()["requests"]["finish_reasons"] == {"content_filter": 3}
    assert "finish_reason_content_filter,requests" in to_csv([summary])
    assert "Finish reasons: content_filter 3" in run_cli("summarize", tape.path).stdout


@pytest.mark.parametrize(
    ("delta", "kind"),
    [
        ({"content": [{"type": "text", "text": " w"}]}, "token"),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, "reasoning"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, "reasoning"),
        ({"audio": {"id": "a", "data": "UklGRg=="}}, "token"),
        ({"audio": {"transcript": "hello"}}, "token"),
        ({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}, "token"),
    ],
    ids=json.dumps,
)
def test_output_in_any_form_is_output(answered: Run, delta: Any, kind: str) -> None:
    tape = answered(*[chunk(delta)] * 3, STOP, DONE)
    row = first(tape)
    assert kinds(tape) == [kind] * 3 + ["other", "done"]
    assert (row["outcome"], row["output_events"], row["output_tokens"]) == ("ok", 3, 3)
    assert row["first_token_ns"] is not None
    assert (row["first_visible_ns"] is not None) == (kind == "token")


def test_a_completions_chunk_in_a_chat_is_output(answered: Run) -> None:
    text = event({"id": "c", "choices": [{"index": 0, "text": " w", "finish_reason": None}]})
    tape = answered(*[text] * 4, DONE)
    assert kinds(tape) == ["token"] * 4 + ["done"]
    assert first(tape)["output_tokens"] == 4


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_answers_without_output_that_is_understood_are_said(answered: Run, kind: str) -> None:
    strange = {"words": [" w"]}
    events = [event(strange)] * 4 + [DONE] if kind.endswith("stream") else [json.dumps(strange).encode()]
    tape = answered(*events, kind=kind)
    assert first(tape)["outcome"] == "ok"
    (reason,) = [reason for reason in summarize(tape).verdict.reasons if reason.code == "not_understood"]
    assert reason.level == "DEGRADED"
    assert "3 of 3 requests succeeded without any output that was recognized" in reason.text
    assert '"words"' in reason.text
    assert "--endpoint" in reason.advice


def test_a_count_that_the_events_contradict_is_not_used(answered: Run, run_cli: Any) -> None:
    tape = answered(*WORDS, STOP, usage(0, 0), DONE)
    row = first(tape)
    assert (row["output_tokens"], row["token_source"], row["server_output_tokens"]) == (4, "events", 0)
    assert (row["input_tokens"], row["server_input_tokens"]) == (None, 0)  # no prompt has none
    tokens = summarize(tape).tokens
    assert (tokens.refused_counts, tokens.output_tokens) == (3, 12)
    assert tokens.first_refused == "request 0: 0 output tokens reported by the server, 4 output events"
    assert "Server counts ignored: 3" in run_cli("summarize", tape.path).stdout


def test_tokens_whose_text_is_held_back_arrive_when_they_are_counted(answered: Run) -> None:
    tape = answered(
        *[chunk({}, completion=number + 1) for number in range(3)],
        chunk({"content": " abc"}, completion=4),
        chunk({"content": " d"}, completion=5),
        chunk({}, "stop", completion=5),
        DONE,
    )
    row = first(tape)
    events = sorted((one for one in tape.events.to_pylist() if one["request_id"] == 0), key=lambda one: one["event"])
    assert [(one["kind"], one["tokens"]) for one in events[:5]] == [("token", 1)] * 5
    assert [one["kind"] for one in events[5:]] == ["usage", "done"]
    assert row["first_token_ns"] == events[0]["arrival_ns"]
    assert row["first_visible_ns"] == events[3]["arrival_ns"]
    assert row["last_token_ns"] == events[4]["arrival_ns"]
    assert (row["output_events"], row["output_tokens"]) == (5, 5)


def test_a_usage_after_the_tokens_is_no_arrival(answered: Run) -> None:
    tape = answered(*WORDS, STOP, usage(9, 4), DONE)
    assert kinds(tape) == ["token"] * 4 + ["other", "usage", "done"]


def test_a_stream_without_an_event_shows_what_it_holds(answered: Run) -> None:
    row = first(answered(b"hello\nworld\n"))
    assert row["outcome"] == "protocol_error"
    assert row["error"].startswith("the stream holds no event; it begins with: hello world")


def test_an_event_that_is_cut_off_inside_its_json_fails_the_request(answered: Run) -> None:
    broken = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":" b\n\n'
    row = first(answered(WORDS[0], broken, STOP, DONE))
    assert (row["outcome"], row["output_tokens"]) == ("protocol_error", 1)
    assert row["error"].startswith('an event is not whole JSON: {"id":"c1"')


def test_words_that_were_never_json_are_let_pass(answered: Run) -> None:
    assert first(answered(b"data: ping\n\n", *WORDS, STOP, DONE))["outcome"] == "ok"
