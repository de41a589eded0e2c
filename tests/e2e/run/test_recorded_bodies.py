"""What was recorded is what the server gets."""

import json
from pathlib import Path
from typing import Any

import pytest

MESSAGES = [{"role": "user", "content": "Hello, wörld"}]


def _sent(tape: Any) -> list[bytes]:
    return [bytes(row["request_body"]) for row in tape.read("bodies").sort_by("request_id").to_pylist()]


def test_a_batch_is_sent_byte_for_byte(tmp_path: Path, simulator: Any, replayed: Any) -> None:
    before = '{ "model":"theirs", "stream":true,"max_tokens":4,  "messages":[{"role":"user","content":"\\u00e9 '
    bodies = [f'{before}{place}"}}]}}' for place in range(20)]
    line = '{"custom_id": "r%d", "method": "POST", "url": "/v1/chat/completions", "body": %s}\n'
    trace = tmp_path / "batch.jsonl"
    trace.write_text("".join(line % (place, body) for place, body in enumerate(bodies)))
    tape = replayed(trace, simulator().url, keep_bodies=True)
    assert _sent(tape) == [body.encode() for body in bodies]
    assert set(tape.requests["outcome"].to_pylist()) == {"ok"}
    assert set(tape.requests["output_tokens"].to_pylist()) == {4}


def test_a_batch_line_may_have_headers(tmp_path: Path, raw_server: Any, replayed: Any) -> None:
    heads: list[bytes] = []

    def capture(exchange: Any) -> None:
        while request := exchange.request():
            heads.append(request.partition(b"\r\n\r\n")[0])
            exchange.respond(b'{"id":"r","choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{}}')

    lines = [
        {
            "custom_id": str(place),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "m", "messages": []},
        }
        | ({"headers": {"X-Tenant": f"t{place}", "Authorization": "Bearer sk-of-theirs"}} if place else {})
        for place in range(3)
    ]
    trace = tmp_path / "batch.jsonl"
    trace.write_text("".join(json.dumps(line) + "\n" for line in lines))
    replayed(trace, raw_server(capture).url, headers=["Authorization: Bearer ours"])
    told = sorted(line for head in heads for line in head.split(b"\r\n") if line.startswith((b"X-T", b"Auth")))
    assert told == [b"Authorization: Bearer ours"] * 3 + [b"X-Tenant: t1", b"X-Tenant: t2"]


def test_messages_of_spans_become_whole_requests(tmp_path: Path, simulator: Any, replayed: Any) -> None:
    spans = [
        {
            "trace_id": "t",
            "span_id": str(place),
            "start_time": f"2026-02-25T10:00:00.{place}",
            "end_time": f"2026-02-25T10:00:00.{place}5",
            "attributes": {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(MESSAGES),
                           "gen_ai.usage.output_tokens": 3 + place},
        }
        for place in range(3)
    ]  # fmt: skip
    trace = tmp_path / "spans.json"
    trace.write_text(json.dumps({"spans": spans}))
    tape = replayed(trace, simulator().url, keep_bodies=True)
    assert [(body["model"], body["messages"], body["max_tokens"]) for body in map(json.loads, _sent(tape))] == [
        ("m", MESSAGES, 3 + place) for place in range(3)
    ]
    assert tape.requests["output_tokens"].to_pylist() == [3, 4, 5]


def test_fresh_namespaces_share_nothing_and_are_recorded(
    tmp_path: Path, simulator: Any, small_trace: Any, replayed: Any
) -> None:
    server, trace = simulator(), small_trace(2)
    tapes = [
        replayed(trace, server.url, out=f"tape{place}", keep_bodies=True, cache_namespace=namespace)
        for place, namespace in enumerate(("shared", "shared", "fresh", "fresh"))
    ]
    first = [json.loads(_sent(tape)[0])["messages"][0]["content"].split()[0] for tape in tapes]
    assert first[0] == first[1]
    assert len(set(first)) == 3
    assert _sent(tapes[0]) == _sent(tapes[1])
    namespaces = [tape.manifest["plan"]["cache_namespace"] for tape in tapes]
    assert namespaces[:2] == ["", ""]
    assert len(set(namespaces)) == 3
    assert len({tape.manifest["plan"]["sha256"] for tape in tapes}) == 3


def test_the_namespace_through_the_command_line(simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path) -> None:
    out = tmp_path / "tape"
    run_cli("replay", small_trace(1), "--url", simulator().url, "--cache-namespace", "fresh", "--out", out)
    assert len(json.loads((out / "manifest.json").read_text())["plan"]["cache_namespace"]) == 16


def test_a_live_history_and_recorded_bodies_exclude_each_other(tmp_path: Path, simulator: Any, replayed: Any) -> None:
    from tokentape.engine.errors import UserError

    payload = {"model": "m", "messages": MESSAGES, "max_tokens": 2}
    trace = tmp_path / "inputs.json"
    trace.write_text(json.dumps({"data": [{"session_id": "s", "payloads": [payload, payload]}]}))
    with pytest.raises(UserError, match="--history live composes prompts, but the trace has recorded bodies"):
        replayed(trace, simulator().url, sessions="closed", history="live")
    tape = replayed(trace, simulator().url, sessions="closed", out="closed", keep_bodies=True)
    assert [json.loads(body) for body in _sent(tape)] == [payload, payload]


def test_bodies_for_another_api_are_refused(tmp_path: Path, simulator: Any, replayed: Any) -> None:
    from tokentape.engine.errors import UserError

    body = {"model": "m", "input": "x"}
    trace = tmp_path / "batch.jsonl"
    trace.write_text(json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": body}))
    with pytest.raises(UserError, match="first recorded body has no 'messages', which --endpoint chat sends"):
        replayed(trace, simulator().url)
    tape = replayed(trace, simulator().url, endpoint="embeddings")
    assert tape.requests["outcome"].to_pylist() == ["ok"]
