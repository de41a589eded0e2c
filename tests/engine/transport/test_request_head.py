"""Headers and keys: what is sent, and what is never shown."""

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.transport.request_head import redact, request_head, request_headers, secrets
from tokentape.engine.transport.target import find_target

TARGET = find_target("http://127.0.0.1:8000", "/v1/chat/completions")


def test_a_head_is_whole_http() -> None:
    lines = request_head(TARGET, [("X-Test", "1")], stream=True).decode().split("\r\n")
    assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
    assert "Host: 127.0.0.1:8000" in lines
    assert "Accept: text/event-stream" in lines
    assert "Accept-Encoding: identity" in lines
    assert "Content-Type: application/json" in lines
    assert lines[-2:] == ["X-Test: 1", "Content-Length: "]
    assert b"Accept: application/json\r\n" in request_head(TARGET, [], stream=False)


def test_the_users_header_takes_the_place_of_ours() -> None:
    head = request_head(TARGET, [("accept", "*/*"), ("User-Agent", "me")], stream=True)
    assert head.lower().count(b"\r\naccept:") == 1
    assert head.lower().count(b"user-agent:") == 1
    assert b"accept: */*" in head


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", " sk-secret \n")
    assert request_headers(["A: b:c"], "SOME_KEY") == [("A", "b:c"), ("Authorization", "Bearer sk-secret")]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("sk-a-key-without-a-name", "--header number 2 is not a header; write 'Name: value'"),
        (": value", "--header number 2 is not a header"),
        ("Na me: value", "--header number 2 is not a header"),
        ("Name: a\r\nEvil: b", "the header 'Name' contains characters that HTTP does not allow"),
        ("Name: ü", "the header 'Name' contains characters"),
        ("Host: elsewhere", "the header 'Host' is set by the program; omit it"),
        ("content-length: 5", "is set by the program"),
    ],
)
def test_a_bad_header_is_named_without_its_value(header: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        request_headers(["Good: one", header], None)
    assert problem in str(caught.value)
    assert "sk-a-key" not in str(caught.value)


def test_a_key_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(UserError, match="the environment variable NO_KEY is not set; set it to the key"):
        request_headers([], "NO_KEY")
    monkeypatch.setenv("NO_KEY", "sk-\x07")
    with pytest.raises(UserError, match="the key in NO_KEY contains characters that HTTP does not allow"):
        request_headers([], "NO_KEY")
    monkeypatch.setenv("NO_KEY", "sk-1")
    with pytest.raises(UserError, match="both give a key; omit one of them"):
        request_headers(["authorization: Bearer x"], "NO_KEY")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-H", "A: secret"], ["-H", "A: ***"]),
        (["--header", "A: secret"], ["--header", "A: ***"]),
        (["--header=A: secret"], ["--header=A: ***"]),
        (["-HA: secret"], ["-HA: ***"]),
        (["-qHA: secret"], ["-qHA: ***"]),
        (["-qH", "A: secret"], ["-qH", "A: ***"]),
        (["--url", "http://a:1"], ["--url", "http://a:1"]),
    ],
)
def test_a_command_line_is_shown_without_headers_values(words: list[str], shown: list[str]) -> None:
    assert redact(words, ["A: secret"]) == shown


def test_secrets_are_the_words_of_credentials() -> None:
    pairs = [("Authorization", "Bearer sk-12345678"), ("X-Api-Key", "0123456789"), ("X-Trace", "harmless-value")]
    assert set(secrets(pairs)) == {"sk-12345678", "0123456789"}
