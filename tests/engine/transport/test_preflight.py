"""One small request before the run: what it learns, and what it does not let begin."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.transport.connection_check import check_connection
from tokentape.engine.transport.preflight import Preflight, probe
from tokentape.engine.transport.target import TransportOptions, find_target

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
KEY = "sk-preflight-0123456789"
HEADERS = [("Authorization", f"Bearer {KEY}")]
Act = Callable[[str, dict[str, Any]], tuple[str, Any, str]]


@pytest.fixture
def told(raw_server: Any) -> Callable[[Act], Any]:
    """Starts a server that answers as a function says of path and body: status, JSON, further header lines."""

    def start(act: Act) -> Any:
        def handler(exchange: Any) -> None:
            while (request := exchange.request()) is not None:
                head, _, body = request.partition(b"\r\n\r\n")
                status, answer, more = act(head.split()[1].decode(), json.loads(body or b"{}"))
                exchange.respond(json.dumps(answer).encode(), status, more=more)

        return raw_server(handler)

    return start


def _probe(url: str, body: dict[str, Any] = BODY, **options: Any) -> Preflight:
    return probe(check_connection(find_target(url, CHAT, TransportOptions(**options)), 5), HEADERS, body, 5)


def test_a_good_server_teaches_nothing(simulator: Any) -> None:
    server = simulator()
    learned = _probe(server.url, BODY | {"ignore_eos": True})
    assert learned == Preflight(find_target(server.url, CHAT))


def test_over_tls_and_at_a_unix_socket(simulator: Any, certificates: Any, tmp_path: Any) -> None:
    server = simulator(tls_cert=str(certificates.cert), tls_key=str(certificates.key))
    assert _probe(server.url, cacert=str(certificates.ca)).answered
    assert _probe(simulator(uds=str(tmp_path / "s")).url).answered


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_redirect_on_the_same_host_is_followed(told: Any, status: str, absolute: bool) -> None:
    def act(path: str, body: dict[str, Any]) -> tuple[str, Any, str]:
        if path == "/there?a=b":
            assert body == BODY
            return "200 OK", {}, ""
        return status, {}, f"Location: {server.url if absolute else ''}/there?a=b\r\n"

    server = told(act)
    learned = _probe(server.url)
    assert learned.target.url == f"{server.url}/there?a=b"
    assert learned.target.models_path == "/v1/models"
    assert learned.notes == (f"the server redirects; requests go to {server.url}/there?a=b",)


def test_a_redirect_to_tls_on_the_same_host_is_followed(told: Any, simulator: Any, certificates: Any) -> None:
    server = simulator(tls_cert=str(certificates.cert), tls_key=str(certificates.key))
    plain = told(lambda path, body: ("301 Moved Permanently", {}, f"Location: {server.url}{path}\r\n"))
    learned = _probe(plain.url, cacert=str(certificates.ca))
    assert learned.target.url == f"{server.url}{CHAT}"
    assert learned.target.route().tls_host == "127.0.0.1"
    assert check_connection(learned.target, 5).address == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        (
            "http://evil.example/v1",
            "redirects to another server, evil.example; a key is sent only",
        ),
        ("http://127.0.0.1:1/v1", "redirects to another server, 127.0.0.1:1; a key is sent only"),
        ("https://evil.example/v1", "redirects to another server, evil.example"),
        ("ftp://127.0.0.1/", "redirects to 'ftp://127.0.0.1/'; give the URL of the API itself"),
        ("http://[::1", "redirects to 'http://[::1'; give the URL"),
        (None, "redirects to 'nowhere'; give the URL"),
        (CHAT, "redirects endlessly; give the URL"),
    ],
)
def test_other_redirects_are_not_followed(told: Any, location: str | None, problem: str) -> None:
    header = "" if location is None else f"Location: {location}\r\n"
    server = told(lambda path, body: ("307 Temporary Redirect", {}, header))
    with pytest.raises(UserError) as caught:
        _probe(server.url)
    assert problem in str(caught.value)
    assert KEY not in str(caught.value)


def test_the_simulators_redirect_is_followed(simulator: Any) -> None:
    learned = _probe(simulator(fault="redirect").url)
    assert learned.target.path == f"/redirected{CHAT}"
    assert learned.answered


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("400 Bad Request", {"error": {"message": "Unrecognized request argument supplied: {field}"}}),
        (
            "422 Unprocessable Entity",
            {"detail": [{"loc": ["body", "{field}"], "msg": "Extra inputs are not permitted"}]},
        ),
    ],
)
def test_fields_that_are_refused_are_found(told: Any, status: str, answer: Any) -> None:
    def act(path: str, body: dict[str, Any]) -> tuple[str, Any, str]:
        unknown = [field for field in ("min_tokens", "ignore_eos") if field in body]
        if unknown:
            return status, json.loads(json.dumps(answer).replace("{field}", unknown[0])), ""
        return "200 OK", {}, ""

    learned = _probe(told(act).url, BODY | {"ignore_eos": True, "min_tokens": 1})
    assert set(learned.refused) == {"ignore_eos", "min_tokens"}
    assert learned.answered
    assert [note for note in learned.notes if "rejects the field 'ignore_eos': it is omitted, and" in note]


@pytest.mark.parametrize("status", ["404 Not Found", "400 Bad Request"])
def test_an_unknown_model_is_told_with_those_that_there_are(told: Any, status: str) -> None:
    def act(path: str, body: dict[str, Any]) -> tuple[str, Any, str]:
        if path == "/v1/models":
            return "200 OK", {"data": [{"id": "gpt2"}, {"id": "llama"}]}, ""
        return status, {"error": {"message": f"The model `m` does not exist, nor does the key {KEY}."}}, ""

    with pytest.raises(UserError, match=r"does not know the model 'm' \(40.*\); it serves gpt2, llama$") as caught:
        _probe(told(act).url)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ("401 Unauthorized", "rejects the request with 401 Unauthorized: no; check the API key"),
        ("403 Forbidden", "rejects the request with 403 Forbidden: no; check the API key"),
        (
            "404 Not Found",
            "is not an API of this server, which answers with 404 Not Found: no; give its root with --url",
        ),
        ("405 Method Not Allowed", "is not an API of this server"),
    ],
)
def test_what_every_request_would_get_is_told_at_once(told: Any, status: str, problem: str) -> None:
    server = told(lambda path, body: (status, {"error": {"message": "no"}}, ""))
    with pytest.raises(UserError) as caught:
        _probe(server.url)
    assert problem in str(caught.value)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable", "400 Bad Request"])
def test_what_may_pass_is_a_note(told: Any, status: str) -> None:
    learned = _probe(told(lambda path, body: (status, {"error": {"message": f"later, {KEY}"}}, "")).url)
    assert not learned.answered
    assert learned.notes == (f"the server answered the test request with {status}: later, ***",)


def test_a_server_that_hangs_up(raw_server: Any) -> None:
    with pytest.raises(UserError, match="closes the connection instead of answering POST /v1/chat/completions"):
        _probe(raw_server(lambda exchange: exchange.request() and None).url)


def test_a_server_that_is_silent(raw_server: Any) -> None:
    server = raw_server(lambda exchange: exchange.wait_for_close())
    with pytest.raises(UserError, match=r"does not answer a request for one token within 0.2 s"):
        probe(check_connection(find_target(server.url, CHAT), 5), [], BODY, 0.2)
