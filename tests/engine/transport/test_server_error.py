"""A server's error body, in one line."""

import pytest
from tokentape.engine.transport.server_error import LONGEST, error_text, status_text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": {"message": "no such model", "type": "x", "code": 404}}', "no such model"),
        (b'{"error": "overloaded"}', "overloaded"),
        (b'{"message": "plain"}', "plain"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (
            b'{"detail": [{"loc": ["body", "max_tokens"], "msg": "not an int", "type": "t"},'
            b' {"loc": ["q"], "msg": "m"}]}',
            "body.max_tokens: not an int; q: m",
        ),
        (b'{"object": "error", "message": "vllm"}', "vllm"),
        (b'"just a text"', "just a text"),
        (b'{"other": 1}', '{"other": 1}'),
        (b'{"error": null}', '{"error": null}'),
        (b"[]", "[]"),
        (b"Internal Server Error", "Internal Server Error"),
        (b" spread\r\n over\tlines ", "spread over lines"),
        (b"<html><head><title>502 Bad\n Gateway</title></head><body>x</body></html>", "an HTML page: 502 Bad Gateway"),
        (b"<p>no <b>title</b></p>", "an HTML page: no title"),
        (b"\xff\xfe broken", "\ufffd\ufffd broken"),
        (b"{cut", "{cut"),
        (b"", ""),
    ],
)
def test_what_servers_say(body: bytes, text: str) -> None:
    assert error_text(body) == text


def test_a_body_of_any_depth_or_length_is_one_short_line() -> None:
    assert len(error_text(b"x" * 100_000)) == LONGEST
    assert len(error_text(b'{"error":' * 5000 + b"1" + b"}" * 5000)) <= LONGEST


def test_a_status_without_a_body() -> None:
    assert status_text(503) == "Service Unavailable, without a message"
    assert status_text(599) == "an unknown status, without a message"
    assert status_text(307).startswith("the server redirects, and redirects are not followed")
