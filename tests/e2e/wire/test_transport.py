"""How the server is reached: TLS, Unix sockets, IPv6, proxies; against our own server, which tells what it saw."""

import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from completed_runs import assert_completed
from tokentape.engine.errors import UserError
from tokentape.engine.measure.summary import summarize

MS = 1_000_000
ROWS = 20
SLACK_NS = 20_000
"""Of the two clocks; see test_truth."""


@pytest.fixture
def tls_server(simulator: Any, certificates: Any) -> Callable[..., Any]:
    """Starts simulated servers that speak TLS."""

    def start(**config: Any) -> Any:
        return simulator(tls_cert=str(certificates.cert), tls_key=str(certificates.key), **config)

    return start


@pytest.fixture
def ca(certificates: Any) -> str:
    """The certificates to trust."""
    return str(certificates.ca)


def _all_ok(tape: Any, rows: int = ROWS) -> None:
    assert tape.requests["request_id"].to_pylist() == list(range(rows))
    assert set(tape.requests["outcome"].to_pylist()) == {"ok"}, tape.requests["error"].to_pylist()


def _same_events(client: Any, server: Any) -> None:
    """Token counts and events are the server's own, and none arrived before it left."""
    ids = dict(zip(server.requests["response_id"].to_pylist(), server.requests["request_id"].to_pylist(), strict=True))
    shift = server.manifest["epoch_mono_ns"] - client.manifest["epoch_mono_ns"]
    truth = {row["request_id"]: row for row in server.requests.to_pylist()}
    theirs = server.events.sort_by([("request_id", "ascending"), ("event", "ascending")])
    ours = client.events
    for row in client.requests.to_pylist():
        other = truth[ids[row["response_id"]]]
        assert row["output_tokens"] == row["planned_output_tokens"] == other["server_output_tokens"]
        mine = ours.filter(pc.equal(ours["request_id"], row["request_id"]))
        handed = theirs.filter(pc.equal(theirs["request_id"], other["request_id"]))
        assert mine["kind"].to_pylist() == handed["kind"].to_pylist()
        assert (mine["arrival_ns"].to_numpy() >= handed["arrival_ns"].to_numpy() + shift - SLACK_NS).all()


# ---- TLS ----


def test_a_thousand_requests_over_tls_count_as_the_server_does(
    tls_server: Any, ca: str, small_trace: Any, replayed: Any, tmp_path: Path
) -> None:
    server = tls_server(truth=tmp_path / "truth")
    notes: list[str] = []
    tape = replayed(
        small_trace(1000, gap_ms=2, output_tokens=6), server.url, cacert=ca, notes=notes, preopen_ns=200 * MS
    )
    server.stop()
    _all_ok(tape, 1000)
    _same_events(tape, server.tape)
    times = {name: tape.requests[name].to_numpy() for name in ("connect_start_ns", "connected_ns", "tls_ns", "sent_ns")}
    assert (times["connect_start_ns"] <= times["connected_ns"]).all()
    assert (times["connected_ns"] < times["tls_ns"]).all()
    assert (times["tls_ns"] <= times["sent_ns"]).all()
    assert set(tape.requests["clock"].to_pylist()) == {"kernel"}
    assert tape.manifest["target"]["url"].startswith("https://127.0.0.1:")
    assert tape.manifest["target"]["tls_verified"] is True
    assert set(tape.requests["address"].to_pylist()) == {f"127.0.0.1:{server.port}"}
    assert not [note for note in notes if "TLS" in note]


def test_tls_answers_cut_anywhere_are_the_same(
    tls_server: Any, ca: str, small_trace: Any, replayed: Any, tmp_path: Path
) -> None:
    """The server's writes are cut into writes of 13 bytes: records and events come in pieces."""
    server = tls_server(truth=tmp_path / "truth", split_bytes=13, itl="0ms")
    tape = replayed(small_trace(ROWS, output_tokens=9), server.url, cacert=ca)
    server.stop()
    _all_ok(tape)
    _same_events(tape, server.tape)


def test_large_prompts_go_out_in_many_records(tls_server: Any, ca: str, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(ROWS, input_tokens=60_000), tls_server().url, cacert=ca)
    _all_ok(tape)
    assert min(tape.requests["bytes_sent"].to_pylist()) > 200_000
    assert tape.requests["server_input_tokens"].to_pylist() == tape.requests["planned_input_tokens"].to_pylist()


def test_without_reuse_each_request_has_its_handshake(
    tls_server: Any, ca: str, small_trace: Any, replayed: Any
) -> None:
    tape = replayed(small_trace(ROWS), tls_server().url, cacert=ca, reuse=False)
    _all_ok(tape)
    assert len(set(tape.requests["connection_id"].to_pylist())) == ROWS
    assert len(set(tape.requests["tls_ns"].to_pylist())) == ROWS


@pytest.mark.parametrize(
    ("host", "trusts", "problem"),
    [
        ("localhost", False, "the server's certificate is not trusted: unable to get local issuer certificate"),
        ("localhost.localdomain.invalid", True, "has no address"),
        ("127.0.0.2", True, "the server's certificate is not trusted: IP address mismatch, certificate is not valid"),
    ],
)
def test_a_certificate_that_will_not_do_is_told_before_the_start(
    tls_server: Any, ca: str, small_trace: Any, replayed: Any, host: str, trusts: bool, problem: str
) -> None:
    server = tls_server(host="0.0.0.0")
    with pytest.raises(UserError) as caught:
        replayed(small_trace(), f"https://{host}:{server.port}", cacert=ca if trusts else None)
    assert problem in str(caught.value)


def test_insecure_trusts_anybody_and_says_so(tls_server: Any, small_trace: Any, replayed: Any) -> None:
    notes: list[str] = []
    server = tls_server(host="0.0.0.0")
    tape = replayed(small_trace(ROWS), f"https://127.0.0.2:{server.port}", insecure=True, notes=notes)
    _all_ok(tape)
    assert [note for note in notes if "TLS certificates are not verified" in note]
    assert tape.manifest["target"]["tls_verified"] is False
    assert "tls_unverified" in {reason.code for reason in summarize(tape).verdict.reasons}


def test_a_server_that_turns_bad_is_a_row_with_the_reason(
    raw_server: Any, certificates: Any, ca: str, small_trace: Any, replayed: Any
) -> None:
    """The first connection, which only tries, meets a good certificate; those of the run meet another's."""
    good = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    good.load_cert_chain(certificates.cert, certificates.key)
    other = certificates.ca.parent / "other.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        ["openssl", *command.split(), "-keyout", other.with_suffix(".key"), "-out", other],
        check=True,
        capture_output=True,
    )
    bad = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    bad.load_cert_chain(other, other.with_suffix(".key"))

    def handler(exchange: Any) -> None:
        context = bad if exchange.number else good
        try:
            with context.wrap_socket(exchange.connection, server_side=True) as wrapped:
                wrapped.recv(1)
        except (ssl.SSLError, ConnectionError):
            return

    tape = replayed(small_trace(3), raw_server(handler).url.replace("http:", "https:"), cacert=ca)
    rows = tape.requests.to_pylist()
    assert {row["outcome"] for row in rows} == {"connect_error"}
    assert {row["error"] for row in rows} == {"the server's certificate is not trusted: self-signed certificate"}
    assert {row["sent_ns"] for row in rows} == {None}


def test_a_port_without_tls_is_told(simulator: Any, small_trace: Any, replayed: Any) -> None:
    url = simulator().url.replace("http:", "https:")
    with pytest.raises(UserError, match=r"the TLS handshake failed: .*it may be a plain http port"):
        replayed(small_trace(), url)


@pytest.mark.parametrize(
    ("config", "outcome", "error"),
    [
        ({"fault": "cut", "fault_after": 3}, "truncated", "the server cut the connection without closing TLS"),
        ({"fault": "cut", "fault_after": 3, "framing": "close"}, "truncated", "the server cut the connection without"),
        ({"fault": "reset", "fault_after": 3}, "truncated", "the server reset the connection before the response was"),
        ({"framing": "close", "done": False}, "ok", None),
        ({"framing": "close"}, "ok", None),
        ({"close_after": 1}, "ok", None),
    ],
)
def test_an_end_of_tls_is_told_from_a_cut(
    tls_server: Any, ca: str, small_trace: Any, replayed: Any, config: dict[str, Any], outcome: str, error: str | None
) -> None:
    tape = replayed(small_trace(ROWS, output_tokens=6), tls_server(**config).url, cacert=ca)
    assert set(tape.requests["outcome"].to_pylist()) == {outcome}
    texts = set(tape.requests["error"].to_pylist())
    assert all(text.startswith(error) for text in texts) if error else texts == {None}
    expected = 3 if outcome == "truncated" else 6
    assert set(tape.requests["output_events"].to_pylist()) == {expected}


# ---- where ----


def test_ipv6_in_the_url_and_on_the_tape(simulator: Any, small_trace: Any, replayed: Any) -> None:
    if not socket.has_ipv6:
        pytest.skip("there is no IPv6 here")
    server = simulator(host="::1")
    assert server.url == f"http://[::1]:{server.port}"
    tape = replayed(small_trace(ROWS), server.url)
    _all_ok(tape)
    assert set(tape.requests["address"].to_pylist()) == {f"[::1]:{server.port}"}


def test_a_unix_socket(simulator: Any, small_trace: Any, replayed: Any, tmp_path: Path) -> None:
    path = tmp_path / "llm.sock"
    server = simulator(uds=str(path), truth=tmp_path / "truth")
    assert server.url == f"unix:{path}"
    tape = replayed(small_trace(ROWS), f"{server.url}:/v1", model=None)
    server.stop()
    _all_ok(tape)
    _same_events(tape, server.tape)
    assert tape.manifest["target"]["model"] == "simulated"
    assert set(tape.requests["address"].to_pylist()) == {f"unix:{path}"}
    assert set(tape.requests["url"].to_pylist()) == {f"unix:{path}:/v1/chat/completions"}
    assert set(tape.requests["clock"].to_pylist()) == {"user"}
    assert not path.exists()


def test_a_burst_at_a_unix_socket_waits_for_its_backlog(
    simulator: Any, small_trace: Any, replayed: Any, tmp_path: Path
) -> None:
    server = simulator(uds=str(tmp_path / "llm.sock"))
    tape = replayed(small_trace(2000, gap_ms=0, output_tokens=2), server.url)
    _all_ok(tape, 2000)


def test_a_unix_socket_that_nobody_listens_at(small_trace: Any, replayed: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.sock does not exist: check that the server is running"):
        replayed(small_trace(), f"unix:{tmp_path}/none.sock")
    with pytest.raises(UserError, match=r"a Unix socket's path has 1 to 107 bytes"):
        replayed(small_trace(), f"unix:/{'x' * 108}")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left.sock"))
        with pytest.raises(UserError, match=r"left.sock refuses connections: check that the server is running"):
            replayed(small_trace(), f"unix:{tmp_path}/left.sock")


def test_a_unix_socket_takes_the_place_of_a_dead_one_and_of_nothing_else(simulator: Any, tmp_path: Path) -> None:
    path = tmp_path / "llm.sock"
    path.write_text("kept")
    with pytest.raises(UserError, match=r"the file exists; give another --uds, or remove the file"):
        simulator(uds=str(path))
    assert path.read_text() == "kept"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    simulator(uds=str(path))
    with pytest.raises(UserError, match=r"the file exists"):
        simulator(uds=str(path))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"tls_cert": "cert"}, "--tls-cert and --tls-key must be given together"),
        (
            {"tls_cert": "/none.pem", "tls_key": "key"},
            "/none.pem holds no certificate in PEM form: No such file or dir",
        ),
        ({"tls_cert": "cert", "tls_key": "ca"}, "holds no key in PEM form for this certificate"),
        ({"tls_cert": "cert", "tls_key": "key", "uds": "s"}, "TLS is not available on a Unix socket; omit --uds"),
        ({"uds": "/none/s"}, "cannot listen at /none/s: its folder does not exist"),
        ({"uds": "x" * 108}, "a Unix socket's path has at most 107 bytes"),
    ],
)
def test_a_place_that_the_simulator_cannot_listen_at(
    simulator: Any, certificates: Any, config: dict[str, str], problem: str
) -> None:
    with pytest.raises(UserError) as caught:
        simulator(**{name: str(getattr(certificates, value, value)) for name, value in config.items()})
    assert problem in str(caught.value)


# ---- proxies ----


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Sets a variable of the environment: through("https_proxy", url)."""
    return monkeypatch.setenv


def test_http_goes_through_a_proxy_with_the_whole_url(
    simulator: Any, proxy_server: Any, through: Any, small_trace: Any, replayed: Any
) -> None:
    proxy, server = proxy_server(), simulator()
    through("http_proxy", proxy.url)
    notes: list[str] = []
    tape = replayed(small_trace(ROWS), server.url, notes=notes, model=None, reuse=False)
    _all_ok(tape)
    assert set(proxy.asked) == {
        f"GET {server.url}/v1/models HTTP/1.1",
        f"POST {server.url}/v1/chat/completions HTTP/1.1",
    }
    assert tape.manifest["target"]["proxy"] == proxy.url
    assert set(tape.requests["address"].to_pylist()) == {proxy.url.removeprefix("http://")}
    assert set(tape.requests["url"].to_pylist()) == {f"{server.url}/v1/chat/completions"}
    assert [note for note in notes if f"this machine's own server through the proxy {proxy.url}" in note]


def test_https_goes_through_a_tunnel(
    tls_server: Any, ca: str, proxy_server: Any, through: Any, small_trace: Any, replayed: Any, tmp_path: Path
) -> None:
    proxy = proxy_server("Basic " + b64encode(b"me:pass word!").decode())
    server = tls_server(truth=tmp_path / "truth")
    through("HTTPS_PROXY", proxy.url.replace("://", "://me:pass%20word%21@"))
    tape = replayed(small_trace(ROWS), server.url, cacert=ca, model=None)
    server.stop()
    _all_ok(tape)
    _same_events(tape, server.tape)
    assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"}
    assert b"chat/completions" not in proxy.seen
    assert tape.manifest["target"]["proxy"] == proxy.url


def test_a_proxy_that_refuses(
    tls_server: Any, simulator: Any, ca: str, proxy_server: Any, through: Any, small_trace: Any, replayed: Any
) -> None:
    proxy = proxy_server("Basic eA==")
    through("all_proxy", proxy.url)
    with pytest.raises(
        UserError, match=r"refuses the tunnel with 407 Proxy Auth.*; put its user and password into all_pr"
    ):
        replayed(small_trace(), tls_server().url, cacert=ca)
    tape = replayed(small_trace(), simulator().url)
    assert set(tape.requests["http_status"].to_pylist()) == {407}


@pytest.mark.parametrize("how", ["no_proxy", "--no-proxy"])
def test_a_proxy_can_be_gone_without(
    simulator: Any, proxy_server: Any, through: Any, small_trace: Any, replayed: Any, how: str
) -> None:
    proxy = proxy_server()
    through("http_proxy", proxy.url)
    if how == "no_proxy":
        through("no_proxy", "example.com, 127.0.0.0/8")
    tape = replayed(small_trace(ROWS), simulator().url, proxy=how == "no_proxy")
    _all_ok(tape)
    assert not proxy.asked


def test_the_runs_own_simulator_needs_no_proxy(
    run_cli: Any, proxy_server: Any, small_trace: Any, tmp_path: Path
) -> None:
    proxy = proxy_server()
    result = run_cli("replay", small_trace(), "--simulate", "--quiet", env={"http_proxy": proxy.url})
    assert_completed(result.returncode, tmp_path, result.stderr)
    assert not proxy.asked


# ---- secrets ----

KEY = "sk-transport-0123456789abcdef"
PASSWORD = "proxy-password-42"


def test_no_secret_is_in_tape_output_or_process_list(
    tls_server: Any, ca: str, proxy_server: Any, run_cli: Any, small_trace: Any, tmp_path: Path
) -> None:
    """The server refuses, and repeats what it was sent: the worst of cases."""
    key_file = tmp_path / "key"
    key_file.write_text(KEY + "\n")
    proxy = proxy_server()
    server = tls_server(fault="status", fault_status=401)
    result = run_cli(
        *("replay", small_trace(ROWS), "--url", server.url, "--cacert", ca, "--model", "m", "--out", "secret.tape"),
        *("--api-key-file", key_file, "--keep-bodies", "--header", f"X-Api-Key: {KEY}"),
        env={"https_proxy": proxy.url.replace("://", f"://me:{PASSWORD}@")},
    )
    assert len(proxy.asked) > 0
    said = result.stdout + result.stderr
    encoded = b64encode(f"me:{PASSWORD}".encode()).decode()
    files = [path for path in (tmp_path / "secret.tape").rglob("*") if path.is_file()]
    assert len(files) > 3
    for secret in (KEY, PASSWORD, encoded):
        assert secret not in said
        assert not [path for path in files if secret.encode() in path.read_bytes()]
