"""Which of two paths a base URL means, as the server knows it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.tape import Tape
from tokentape.engine.transport.preflight import settle_path
from tokentape.engine.transport.target import find_target

CHAT = "/v1/chat/completions"
KEY = [("Authorization", "Bearer k")]


@pytest.fixture
def server_with(raw_server: Any) -> Callable[[str], tuple[str, list[str]]]:
    """Starts a server that knows one path; gives its URL and the list of paths that were asked for."""

    def start(known: str) -> tuple[str, list[str]]:
        asked: list[str] = []

        def handler(exchange: Any) -> None:
            while (request := exchange.request()) is not None:
                path = request.split()[1].decode()
                asked.append(path)
                if path == known.replace("chat/completions", "models"):
                    exchange.respond(b'{"data": [{"id": "m"}]}')
                elif path != known:
                    exchange.respond(b'{"error": "no such path"}', "404 Not Found")
                elif len(request.partition(b"\r\n\r\n")[2]) < 3:
                    exchange.respond(b'{"error": "model is missing"}', "400 Bad Request")
                else:
                    exchange.stream_head()
                    exchange.token()
                    exchange.done()
                    return

        return raw_server(handler).url, asked

    return start


def test_the_path_of_openai_s_client_is_tried_first(server_with: Any) -> None:
    url, asked = server_with("/api/v3/chat/completions")
    target, note = settle_path(find_target(url + "/api/v3", CHAT), CHAT, KEY, 5)
    assert (target.path, target.models_path, target.other_path) == ("/api/v3/chat/completions", "/api/v3/models", None)
    assert note == f"requests go to {url}/api/v3/chat/completions"
    assert asked == ["/api/v3/chat/completions"]


def test_a_base_may_be_the_root_of_a_server(server_with: Any) -> None:
    url, asked = server_with("/team-a/v1/chat/completions")
    target, note = settle_path(find_target(url + "/team-a", CHAT), CHAT, KEY, 5)
    assert asked == ["/team-a/chat/completions", "/team-a/v1/chat/completions"]
    assert (target.path, target.models_path) == ("/team-a/v1/chat/completions", "/team-a/v1/models")
    assert note == f"requests go to {target.url}: the server does not have /team-a/chat/completions"


def test_the_first_guess_stays_where_the_server_knows_neither(server_with: Any) -> None:
    url, asked = server_with("/elsewhere")
    target, note = settle_path(find_target(url + "/team-a?x=1", CHAT), CHAT, KEY, 5)
    assert asked == ["/team-a/chat/completions?x=1", "/team-a/v1/chat/completions?x=1"]
    assert (target.path, target.other_path, note) == ("/team-a/chat/completions?x=1", None, None)


def test_nothing_is_asked_where_the_url_leaves_no_doubt(server_with: Any) -> None:
    url, asked = server_with("/v1/chat/completions")
    for base in ("", "/", "/v1", "/proxy/v1", CHAT):
        assert settle_path(find_target(url + base, CHAT), CHAT, KEY, 5)[1] is None
    assert asked == []


@pytest.mark.parametrize(
    ("base", "known"),
    [("/v1beta/openai/", "/v1beta/openai/chat/completions"), ("/team-a", "/team-a/v1/chat/completions")],
)
def test_a_replay_finds_its_path_and_says_so(
    server_with: Any, small_trace: Callable[..., Path], replayed: Callable[..., Tape], base: str, known: str
) -> None:
    url, asked = server_with(known)
    notes: list[str] = []
    tape = replayed(small_trace(3), url + base, notes=notes, model=None)
    assert set(tape.requests["outcome"].to_pylist()) == {"ok"}
    assert set(tape.requests["url"].to_pylist()) == {url + known}
    assert json.loads((tape.path / "manifest.json").read_text())["target"]["url"] == url + known
    assert any(note.startswith(f"requests go to {url}{known}") for note in notes)
    assert known.replace("chat/completions", "models") in asked


def test_a_profile_finds_its_path_and_says_so(server_with: Any, run_cli: Any) -> None:
    url, _ = server_with("/api/v3/chat/completions")
    done = run_cli("profile", "--url", url + "/api/v3", "--streaming", "--request-count", "4", "--concurrency", "1")
    assert done.returncode in (0, 3), done.stderr
    assert f"requests go to {url}/api/v3/chat/completions" in done.stderr
