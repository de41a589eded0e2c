"""Dialects: what they refuse, and how they travel."""

import pickle

import pytest
from tokentape.cext.parsers import KINDS, ROLES, Dialect, parse_response

PATHS = {
    "choices[].delta.content": "text",
    "error": "error",
    "type": "type",
    "usage.prompt_tokens": "input_tokens",
}


def test_scan() -> None:
    scan = Dialect(PATHS).scan(b'{"choices":[{"delta":{"content":"a\\"b"}}],"usage":{"prompt_tokens":7}}')
    assert (scan.kind, scan.text, scan.input_tokens, scan.output_tokens, scan.token_ids) == (
        "token",
        b'a\\"b',
        7,
        -1,
        -1,
    )
    assert not (scan.ends or scan.done_marker or scan.malformed)
    assert Dialect({}).scan(b"[DONE]").done_marker
    assert Dialect({}).scan(b"it broke", b"error").error == b"it broke"
    assert Dialect({}).scan(b"it broke").malformed


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_a_type(kind: str) -> None:
    dialect = Dialect({**PATHS, "delta": "text"}, {"t": kind})
    assert dialect.scan(b'{"type":"t","delta":"x"}').kind == kind


@pytest.mark.parametrize(
    ("paths", "types", "message"),
    [
        ({"a": "texts"}, {}, "no role is called 'texts'"),
        ({"a..b": "text"}, {}, "'a..b' cannot be added"),
        ({"a\0b": "text"}, {}, "NUL"),
        ({f"key{i}": "text" for i in range(256)}, {}, "cannot be added"),
        ({}, {"t": "tokens"}, "no kind is called 'tokens'"),
        ({}, {"t" * 64: "token"}, "at most 64 types"),
        ({}, {f"type{i}": "token" for i in range(65)}, "at most 64 types"),
    ],
)
def test_bad_dialects_are_refused(paths: dict[str, str], types: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dialect(paths, types)


def test_a_dialect_travels_to_another_process() -> None:
    dialect = Dialect(dict.fromkeys(ROLES, "text"), {"t": "done"})
    again = pickle.loads(pickle.dumps(dialect))
    assert (again.paths, again.types) == (dialect.paths, dialect.types)


def test_errors_inside_a_good_stream() -> None:
    """vLLM's and SGLang's, Dynamo's, old llama.cpp's, and a gateway's comment sent as data."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    stream = (
        b'data: {"error":{"code":500}}\n\n'
        b"event: error\n: worker died\n\n"
        b"error: out of slots\n\n"
        b"data: : OPENROUTER PROCESSING\n\n"
        b"data:\n\n"
        b"data: [DONE]\n\n"
    )
    scans = parse_response([head + stream], Dialect(PATHS)).scans
    assert [(scan.kind, scan.error) for scan in scans] == [
        ("error", b'{"code":500}'),
        ("error", b"worker died"),
        ("error", b"out of slots"),
        ("comment", None),
        ("comment", None),
        ("done", None),
    ]
