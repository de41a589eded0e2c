"""What each API's answers mean: real servers' captures, and bytes written from the vendors' documentation."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokentape.cext.parsers import Dialect, ParsedResponse, parse_response
from tokentape.engine.requests.endpoints import ENDPOINTS

WIRE = Path(__file__).parents[3] / "wire"
FACTS: dict[str, dict[str, Any]] = json.loads((WIRE / "facts.json").read_text())
NAMES = {"anthropic": "messages"}
"""The captures' words for APIs, where they are not ours."""


def dialect(name: str) -> Dialect:
    return Dialect(ENDPOINTS[name].fields, ENDPOINTS[name].types)


def text_of(response: ParsedResponse) -> str:
    spans = (scan.text or b"" for scan in response.scans if scan.kind == "token")
    return "".join(json.loads(b'"' + span + b'"') for span in spans)


@pytest.mark.parametrize("name", [name for name, facts in FACTS.items() if facts["dialect"] != "native"])
def test_captures(name: str) -> None:
    facts = FACTS[name]
    response = parse_response(
        [(WIRE / f"{name}.bin").read_bytes()], dialect(NAMES.get(facts["dialect"], facts["dialect"]))
    )
    kinds = [scan.kind for scan in response.scans]
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == facts["kinds"]
    assert text_of(response) == facts["text"]
    for count in ("output_tokens", "cached_tokens", "reasoning_tokens"):
        assert max((getattr(scan, count) for scan in response.scans), default=-1) == facts[count]
    assert [scan.finish.decode() for scan in response.scans if scan.finish] == facts["finish"]
    assert [index for index, scan in enumerate(response.scans) if scan.ends] == facts["ends"]
    # Anthropic's input tokens leave out those from the cache; ours do not.
    beside = facts["cached_tokens"] if facts["dialect"] == "anthropic" and facts["cached_tokens"] > 0 else 0
    told = max((scan.input_tokens for scan in response.scans), default=-1)
    assert told == (facts["input_tokens"] + beside if facts["input_tokens"] >= 0 else -1)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nConnection: close\r\n\r\n"
SSE, LINES, WHOLE = b"text/event-stream", b"application/x-ndjson", b"application/json"


def scans(name: str, kind: bytes, *events: str) -> list[tuple[Any, ...]]:
    """Kind, text, whether it ends the stream, of each event."""
    if kind == LINES:
        body = "".join(f"{event}\n" for event in events)
    else:
        framed = (event if event.startswith(("event:", "data:")) else f"data: {event}" for event in events)
        body = "".join(f"{event}\n\n" for event in framed)
    response = parse_response([HEAD % kind + body.encode()], dialect(name))
    return [(scan.kind, None if scan.text is None else scan.text.decode(), scan.ends) for scan in response.scans]


def last(name: str, event: str) -> Any:
    return dialect(name).scan(event.encode())


def test_ollama_chat() -> None:
    """docs.ollama.com/api/chat: a thought, a word, a tool call, and the end."""
    created = '"model":"gemma3","created_at":"2025-10-17T23:14:07.414671Z"'
    end = (
        f'{{{created},"message":{{"role":"assistant","content":""}},"done":true,"done_reason":"stop",'
        '"total_duration":174560334,"prompt_eval_count":11,"eval_count":18,"eval_duration":52479709}'
    )
    assert scans(
        "ollama_chat",
        LINES,
        f'{{{created},"message":{{"role":"assistant","content":"","thinking":"Hm"}},"done":false}}',
        f'{{{created},"message":{{"role":"assistant","content":"Hello"}},"done":false}}',
        f'{{{created},"message":{{"role":"assistant","content":"","tool_calls":[{{"function":{{"name":"f","arguments":{{}}}}}}]}},'
        '"done":false}',
        end,
    ) == [
        ("reasoning", "Hm", False),
        ("token", "Hello", False),
        ("tool_call", '[{"function":{"name":"f","arguments":{}}}]', False),
        ("done", None, True),
    ]
    scan = last("ollama_chat", end)
    assert (scan.input_tokens, scan.output_tokens, scan.finish) == (11, 18, b"stop")
    assert last("ollama_chat", '{"error":"model runner has stopped"}').error == b"model runner has stopped"


def test_ollama_generate_ends_with_a_word() -> None:
    """docs.ollama.com/api/streaming: the last line may hold a piece of the text."""
    line = '{"model":"gemma3","response":"!","done":true,"done_reason":"stop"}'
    assert scans("ollama_generate", LINES, line) == [("token", "!", True)]


def test_tgi() -> None:
    """The event's fields of text-generation-inference's OpenAPI: StreamResponse, ErrorResponse."""
    token = '{{"id":{},"text":"{}","logprob":-0.1,"special":{}}}'
    end = (
        f'data:{{"index":2,"token":{token.format(2, "</s>", "true")},"generated_text":" the",'
        '"details":{"finish_reason":"eos_token","generated_tokens":2,"input_length":4,"seed":null}}'
    )
    assert scans(
        "tgi",
        SSE,
        f'data:{{"index":1,"token":{token.format(262, " the", "false")},"generated_text":null,"details":null}}',
        end,
    ) == [("token", " the", False), ("token", "</s>", True)]
    scan = last("tgi", end.removeprefix("data:"))
    assert (scan.input_tokens, scan.output_tokens, scan.finish, scan.whole) == (4, 2, b"eos_token", b" the")
    error = last("tgi", '{"error":"Request failed during generation: boom","error_type":"generation"}')
    assert (error.kind, error.error) == ("error", b"Request failed during generation: boom")


def test_triton() -> None:
    """Triton's generate extension, with the fields of the TensorRT-LLM backend."""
    sequence = '"sequence_end":false,"sequence_id":0,"sequence_start":false'
    assert scans(
        "triton",
        SSE,
        f'{{"model_name":"ensemble","model_version":"1",{sequence},"text_output":" is"}}',
        f'{{"model_name":"ensemble","model_version":"1",{sequence},"text_output":""}}',
        '{"error":"Encountered error for requestId 3"}',
    ) == [("token", " is", False), ("other", None, False), ("error", None, False)]


def test_kserve() -> None:
    answer = (
        '{"model_name":"m","model_version":"1","id":"42","outputs":['
        '{"name":"cum_log_probs","datatype":"FP32","shape":[1],"data":[0.0]},'
        '{"name":"text_output","datatype":"BYTES","shape":[1],"data":["a b"]}]}'
    )
    scan = last("kserve", answer)
    assert (scan.kind, scan.text, scan.id) == ("token", b"a b", b"42")


def test_sglang_repeats_the_text() -> None:
    """SGLang's native API: text and meta_info of each event are cumulative, [DONE] comes last."""
    info = '"meta_info":{{"id":"7e","finish_reason":{},"prompt_tokens":5,"completion_tokens":{},"cached_tokens":1}}'
    end = '{"text":" Paris.",' + info.format('{"type":"length","length":2}', 2) + "}"
    assert scans("sglang", SSE, '{"text":" Paris",' + info.format("null", 1) + "}", end, "[DONE]") == [
        ("token", " Paris", False),
        ("token", " Paris.", False),
        ("done", None, True),
    ]
    scan = last("sglang", end)
    assert (scan.so_far, scan.input_tokens, scan.output_tokens, scan.cached_tokens) == (True, 5, 2, 1)
    assert (scan.finish, scan.id) == (b"length", b"7e")


def test_anthropic_thinks_and_calls_tools() -> None:
    """Anthropic's page on streaming: a thought with its signature, a tool call, a ping, an error."""
    delta = '{{"type":"content_block_delta","index":0,"delta":{}}}'
    assert scans(
        "messages",
        SSE,
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        '"content_block":{"type":"thinking","thinking":""}}',
        "event: content_block_delta\ndata: " + delta.format('{"type":"thinking_delta","thinking":"Let me"}'),
        "event: content_block_delta\ndata: " + delta.format('{"type":"signature_delta","signature":"EqQB"}'),
        "event: content_block_delta\ndata: " + delta.format('{"type":"input_json_delta","partial_json":"{\\"a"}'),
        "event: content_block_delta\ndata: " + delta.format('{"type":"input_json_delta","partial_json":""}'),
        'event: ping\ndata: {"type": "ping"}',
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    ) == [
        ("other", None, False),
        ("reasoning", "Let me", False),
        ("other", None, False),
        ("tool_call", '{\\"a', False),
        ("other", None, False),
        ("comment", None, False),
        ("error", None, False),
    ]


def test_anthropic_counts_the_whole_prompt() -> None:
    usage = (
        '"usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":1}'
    )
    scan = last("messages", f'{{"type":"message_start","message":{{"id":"msg_1","content":[],{usage}}}}}')
    assert (scan.kind, scan.id, scan.input_tokens, scan.cached_tokens) == ("usage", b"msg_1", 123, 100)
    whole = (
        f'{{"id":"msg_1","type":"message","content":[{{"type":"text","text":"Hi"}}],"stop_reason":"end_turn",{usage}}}'
    )
    scan = last("messages", whole)
    assert (scan.kind, scan.text, scan.finish, scan.output_tokens) == ("token", b"Hi", b"end_turn", 1)


def test_responses_fail_and_call_tools() -> None:
    """OpenAI's reference of streaming events."""
    failed = '{"type":"response.failed","response":{"id":"r","error":{"code":"server_error","message":"it broke"}}}'
    assert scans(
        "responses",
        SSE,
        '{"type":"response.function_call_arguments.delta","item_id":"fc","delta":"{\\"city"}',
        '{"type":"response.reasoning_summary_text.delta","delta":"I should"}',
        '{"type":"response.refusal.delta","delta":"No"}',
        failed,
    ) == [
        ("tool_call", '{\\"city', False),
        ("reasoning", "I should", False),
        ("token", "No", False),
        ("error", None, False),
    ]
    assert last("responses", failed).error == b'{"code":"server_error","message":"it broke"}'


@pytest.mark.parametrize(
    ("name", "answer", "input_tokens"),
    [
        ("rankings", '{"rankings":[{"index":0,"logit":-1.2}],"usage":{"prompt_tokens":9,"total_tokens":9}}', 9),
        ("cohere_rankings", '{"id":"r","results":[{"index":0}],"meta":{"tokens":{"input_tokens":9}}}', 9),
        ("cohere_rankings", '{"id":"r","model":"m","usage":{"total_tokens":9},"results":[]}', 9),
        ("tei_rankings", '[{"index":1,"score":0.99},{"index":0,"score":0.01}]', -1),
    ],
)  # fmt: skip
def test_rankings(name: str, answer: str, input_tokens: int) -> None:
    scan = last(name, answer)
    assert not scan.malformed
    assert (scan.input_tokens, scan.output_tokens, scan.text) == (input_tokens, -1, None)
