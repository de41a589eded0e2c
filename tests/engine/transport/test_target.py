"""Finding the server: its URL, its address, its model."""

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import openai
import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.record.recorder import find_server
from tokentape.engine.transport.api_paths import join_path
from tokentape.engine.transport.connection_check import check_connection
from tokentape.engine.transport.models import served_model
from tokentape.engine.transport.target import TransportOptions, find_target

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("", CHAT),
        ("/", CHAT),
        ("/v1", CHAT),
        ("/v1/", CHAT),
        ("/v1/chat", CHAT),
        (CHAT, CHAT),
        (CHAT + "/", CHAT),
        ("/proxy", "/proxy/chat/completions"),
        ("/v1beta/openai/", "/v1beta/openai/chat/completions"),
        ("/api/v3", "/api/v3/chat/completions"),
        ("/compatible-mode/v1", "/compatible-mode/v1/chat/completions"),
        ("/api/paas/v4/", "/api/paas/v4/chat/completions"),
        ("/proxy/v1", "/proxy" + CHAT),
        ("/openai/v1", "/openai" + CHAT),
        ("/api/v1/chat/completions", "/api/v1/chat/completions"),
        ("/openai/deployments/gpt/chat/completions", "/openai/deployments/gpt/chat/completions"),
        ("/av1", "/av1/chat/completions"),
        ("/v12", "/v12/chat/completions"),
    ],
)
def test_a_base_may_hold_a_part_of_the_path(base: str, path: str) -> None:
    assert join_path(base, CHAT) == path


def test_the_embeddings_path_is_joined_in_the_same_way() -> None:
    assert join_path("/v1", "/v1/embeddings") == "/v1/embeddings"
    assert join_path("/x/embeddings", "/v1/embeddings") == "/x/embeddings"


def test_only_openai_s_apis_leave_v1_out_below_a_base() -> None:
    """Anthropic's client libraries write /v1/messages below any base URL."""
    assert join_path("/anthropic", "/v1/messages") == "/anthropic/v1/messages"
    assert join_path("/team-a", CHAT, below_v1=True) == "/team-a" + CHAT


def test_where_a_server_lists_its_models() -> None:
    for base, path in (("", "/v1/models"), ("/v1", "/v1/models"), ("/api/v3", "/api/v3/models")):
        assert find_target(f"http://127.0.0.1:1{base}", CHAT).models_path == path


SDK_BASES = ["/v1", "/v1beta/openai/", "/api/v3", "/openai/v1", "/compatible-mode/v1", "/api/paas/v4"]


@pytest.mark.parametrize("base", SDK_BASES)
def test_a_base_url_leads_where_openai_s_own_client_goes(raw_server: Any, base: str) -> None:
    asked: list[str] = []

    def handler(exchange: Any) -> None:
        while (request := exchange.request()) is not None:
            asked.append(request.split()[1].decode())
            exchange.respond(b"{}", "400 Bad Request")

    url = raw_server(handler).url + base
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client, pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert asked == [find_target(url, CHAT).path]


def test_a_url_without_a_scheme_is_http() -> None:
    target = find_target("127.0.0.1:8080", CHAT)
    assert (target.host, target.port, target.path) == ("127.0.0.1", 8080, CHAT)
    assert target.url == "http://127.0.0.1:8080/v1/chat/completions"
    assert target.address == "127.0.0.1:8080"
    assert target.sockaddr == struct.pack("=H", socket.AF_INET) + struct.pack("!H", 8080) + b"\x7f\0\0\1" + bytes(8)


def test_port_80_stands_in_no_host_header() -> None:
    assert find_target("http://127.0.0.1/v1", CHAT).authority == "127.0.0.1"


def test_an_ipv6_address_is_written_in_brackets() -> None:
    target = find_target("http://[::1]:8080", CHAT)
    assert target.authority == "[::1]:8080"
    assert target.address == "[::1]:8080"
    assert target.sockaddr[:4] == struct.pack("=H", socket.AF_INET6) + struct.pack("!H", 8080)
    assert target.sockaddr[8:24] == bytes(15) + b"\1"
    assert len(target.sockaddr) == 28


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("unix:/run/llm.sock", CHAT),
        ("unix:///run/llm.sock", CHAT),
        ("unix:/run/llm.sock:/v1", CHAT),
        ("unix:/run/llm.sock:/proxy/v1?a=b", f"/proxy{CHAT}?a=b"),
        ("http+unix://%2Frun%2Fllm.sock", CHAT),
        ("http+unix://%2Frun%2Fllm.sock/v1", CHAT),
    ],
)
def test_a_unix_socket_has_a_path_and_the_api_its_own(url: str, path: str) -> None:
    target = find_target(url, CHAT)
    assert (target.unix, target.path, target.authority) == ("/run/llm.sock", path, "localhost")
    assert target.url == f"unix:/run/llm.sock:{path}"
    assert find_target(target.url, CHAT) == target
    assert target.address == "unix:/run/llm.sock"
    assert target.sockaddr == struct.pack("=H", socket.AF_UNIX) + b"/run/llm.sock\0"
    assert target.request_target(path) == path


def test_https_has_a_port_of_its_own_and_a_route_that_verifies() -> None:
    target = find_target("https://127.0.0.1/v1", CHAT, TransportOptions(cacert="ca.pem"))
    assert (target.port, target.authority) == (443, "127.0.0.1")
    assert target.url == f"https://127.0.0.1{CHAT}"
    assert find_target("https://127.0.0.1:8443", CHAT).authority == "127.0.0.1:8443"
    route = target.route()
    assert (route.tls_host, route.ca_file, route.insecure) == ("127.0.0.1", "ca.pem", False)
    assert target.facts()["tls_verified"] is True


def test_a_recorder_passes_on_over_plain_http_alone() -> None:
    for url in ("https://127.0.0.1", "unix:/run/llm.sock"):
        with pytest.raises(UserError, match=r"over plain http only; give the server's http port"):
            find_server(url)


def test_a_query_goes_with_every_request() -> None:
    url = "http://127.0.0.1:1/openai/deployments/g/chat/completions?api-version=2024-10-21"
    target = find_target(url, CHAT)
    assert target.path == "/openai/deployments/g/chat/completions?api-version=2024-10-21"
    assert target.models_path == "/openai/deployments/g/models"


@pytest.mark.parametrize(
    ("url", "models"), [("h", "/v1/models"), ("h/v1", "/v1/models"), ("h/api/v1", "/api/v1/models")]
)
def test_models_are_listed_beside_the_api(url: str, models: str) -> None:
    assert find_target(url.replace("h", "http://127.0.0.1:1", 1), CHAT).models_path == models


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://127.0.0.1/", "is not a URL; write http://HOST:PORT"),
        ("http://", "is not a URL; write http://HOST:PORT"),
        ("", "is not a URL; write http://HOST:PORT"),
        ("http://127.0.0.1:99999", "out of range 0-65535; write http://HOST:PORT"),
        ("http://127.0.0.1:http", "write http://HOST:PORT"),
        ("http://me:secret@127.0.0.1", "give the key with --api-key-env"),
        ("http://127.0.0.1/v1?api_key=abc", "the URL's parameter 'api_key' would be written to the tape"),
        ("http://127.0.0.1/a b", "the path contains characters that HTTP does not allow"),
        ("http://127.0.0.1/ü", "write them as %XX"),
        ("http://nowhere.invalid/", "the host 'nowhere.invalid' has no address"),
        ("http://a..b/", "the host 'a..b' has no address"),
        ("http://[::1", "write http://HOST:PORT"),
    ],
)
def test_what_is_no_url_is_named(url: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        find_target(url, CHAT)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_address_that_answers_is_taken() -> None:
    """localhost is ::1 and 127.0.0.1 on most machines; a server often listens at one of them only."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        target = check_connection(find_target(f"http://localhost:{port}", CHAT), 5)
        assert target.address == f"127.0.0.1:{port}"
        assert target.sockaddr[4:8] == b"\x7f\0\0\1"
        assert target.authority == f"localhost:{port}"


def test_a_refusal_is_told_with_the_address(refusing_port: int) -> None:
    with pytest.raises(
        UserError, match=rf"127\.0\.0\.1:{refusing_port} refuses connections: check that the server is running"
    ):
        check_connection(find_target(f"http://127.0.0.1:{refusing_port}", CHAT), 5)


def test_a_server_that_never_takes_the_connection(eventually: Callable[..., Any]) -> None:
    """A full backlog leaves the next connection without an answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        try:
            while True:
                client = socket.socket()
                waiting.append(client)
                client.settimeout(0.2)
                client.connect(listener.getsockname())
        except TimeoutError:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with pytest.raises(UserError, match=r"does not respond: no connection after 0\.2 s"):
                check_connection(find_target(url, CHAT), 0.2)
        finally:
            for client in waiting:
                client.close()


def _answers(
    raw_server: Callable[..., Any], body: bytes, status: str = "200 OK", kind: str = "application/json"
) -> str:
    def handler(exchange: Any) -> None:
        if exchange.request():
            exchange.respond(body, status, kind)

    return str(raw_server(handler).url)


def test_the_first_model_is_taken(raw_server: Callable[..., Any]) -> None:
    seen = []

    def handler(exchange: Any) -> None:
        seen.append(exchange.request())
        exchange.respond(json.dumps({"data": [{"id": "first"}, {"id": "second"}]}).encode())

    target = find_target(raw_server(handler).url + "/proxy/v1", CHAT)
    assert served_model(target, [("Authorization", "Bearer k")], 5) == "first"
    assert seen[0].startswith(b"GET /proxy/v1/models HTTP/1.1\r\n")
    assert b"Authorization: Bearer k\r\n" in seen[0]
    assert seen[0].count(b"Host: ") == 1


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"{}", "401 Unauthorized", "with 401 Unauthorized; give the server's API key with --api-key-env"),
        (b"", "404 Not Found", "answers GET /v1/models with 404 Not Found; give the model with --model"),
        (b"oops", "500 Internal Server Error", "with 500 Internal Server Error; give the model with --model"),
        (b"<html>hello</html>", "200 OK", "something other than a list of models; is it an LLM server's URL?"),
        (b'{"data": []}', "200 OK", "other than a list of models"),
        (b'{"data": {"id": 1}}', "200 OK", "other than a list of models"),
        (b"[" * 100_000, "200 OK", "other than a list of models"),
    ],
)
def test_no_model_is_told_with_what_to_do(
    raw_server: Callable[..., Any], body: bytes, status: str, problem: str
) -> None:
    target = find_target(_answers(raw_server, body, status), CHAT)
    with pytest.raises(UserError) as caught:
        served_model(target, [], 5)
    assert problem in str(caught.value)
    assert target.address in str(caught.value)


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (lambda exchange: exchange.wait_for_close(), "does not respond to GET /v1/models (no response after 0.3 s)"),
        (lambda exchange: exchange.reset(), "does not respond to GET /v1/models ("),
        (lambda exchange: exchange.connection.close(), "does not respond to GET /v1/models ("),
        (lambda exchange: exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not respond to GET /v1/models ("),
    ],
)
def test_a_server_that_does_not_answer(raw_server: Callable[..., Any], act: Callable[..., Any], problem: str) -> None:
    def handler(exchange: Any) -> None:
        exchange.request()
        act(exchange)

    with pytest.raises(UserError) as caught:
        served_model(find_target(raw_server(handler).url, CHAT), [], 0.3)
    assert problem in str(caught.value)
    assert "give the model with --model" in str(caught.value)
