"""The HTTP parser against llhttp (httptools) and h11 on generated responses, and on broken ones."""

import random
from dataclasses import dataclass

import h11
import httptools  # type: ignore[import-untyped]
import pytest
from tokentape.cext.parsers import ParsedResponse, parse_response

STATUSES = [200, 200, 200, 201, 400, 404, 422, 429, 500, 503, 529]
NAMES = ["Server", "Date", "X-Request-Id", "Vary", "Access-Control-Allow-Origin", "Keep-Alive"]
LENGTH = b"Content-Length: 7\r\n"
ROUNDS = 1500


def shuffled_case(name: str, rng: random.Random) -> str:
    return rng.choice([name, name.lower(), name.upper(), "".join(rng.choice([c.lower(), c.upper()]) for c in name)])


def field(name: str, value: str, rng: random.Random) -> str:
    before, after = rng.choice(["", " ", "  ", "\t"]), rng.choice(["", "", " ", "\t "])
    return f"{shuffled_case(name, rng)}:{before}{value}{after}\r\n"


def chunked(body: bytes, rng: random.Random) -> bytes:
    out = b""
    while body:
        size = rng.randint(1, min(len(body), rng.choice([3, 20, 300])))
        digits = rng.choice([f"{size:x}", f"{size:X}", f"{size:06x}"])
        extension = rng.choice(["", "", "", ";a", ";a=b", ";a=b;c=d", ';name="quoted value"'])
        out += f"{digits}{extension}\r\n".encode() + body[:size] + b"\r\n"
        body = body[size:]
    out += rng.choice([b"0\r\n", b"0\r\n", b"000\r\n", b"0;last\r\n"])
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        out += field(rng.choice(["X-Checksum", "Server-Timing"]), "abc, def", rng).encode()
    return out + b"\r\n"


@dataclass
class Made:
    """A well-formed response and what is true of it."""

    wire: bytes
    status: int
    body: bytes
    framing: str
    interim: int
    version: str


def make(rng: random.Random) -> Made:
    status = rng.choice(STATUSES)
    body = rng.randbytes(rng.choice([0, 1, 10, 100, 1000]))
    framing = rng.choice(["length", "chunked", "close", "none"])
    version = rng.choice(["1.1", "1.1", "1.1", "1.0"])
    fields = [
        field(name, rng.choice(["", "x", "a b", 'q="1"', "é"]), rng) for name in rng.sample(NAMES, rng.randint(0, 5))
    ]
    if framing == "length":
        fields.append(field("Content-Length", str(len(body)), rng))
    elif framing == "chunked":
        # llhttp takes "chunked" for another coding when a tab follows it.
        fields.append(field("Transfer-Encoding", rng.choice(["chunked", "Chunked"]), rng).replace("\t \r", " \r"))
    elif framing == "none":
        status, body = rng.choice([204, 304]), b""
    connection = rng.choice([None, None, "close", "keep-alive", "Keep-Alive", "Close"])
    if connection:
        fields.append(field("Connection", connection, rng))
    fields.append(field("Content-Type", rng.choice(["text/event-stream", "application/json", "text/plain"]), rng))
    rng.shuffle(fields)
    interim = rng.choice([0, 0, 0, 1, 2])
    head = "".join(
        f"HTTP/1.1 {rng.choice(['100 Continue', '103 Early Hints'])}\r\nX-Early: 1\r\n\r\n" for _ in range(interim)
    )
    head += f"HTTP/{version} {status} {rng.choice(['OK', 'Some Reason', ''])}\r\n{''.join(fields)}\r\n"
    wire = head.encode("latin-1") + (chunked(body, rng) if framing == "chunked" else body)
    return Made(wire, status, body, framing, interim, version)


def cut(wire: bytes, rng: random.Random) -> list[bytes]:
    places = sorted(rng.randint(0, len(wire)) for _ in range(rng.choice([0, 1, 3, 30])))
    return [wire[a:b] for a, b in zip([0, *places], [*places, len(wire)], strict=True)]


class Llhttp:
    """What httptools says of the last message that is no interim response."""

    def __init__(self, wire: bytes) -> None:
        self.body, self.completed, self.keep_alive, self.status, self.interim = b"", 0, False, 0, 0
        self.parser = httptools.HttpResponseParser(self)
        self.error: str | None = None
        try:
            self.parser.feed_data(wire)
        except httptools.HttpParserError as error:
            self.error = str(error)

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        self.keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if 100 <= self.status < 200:
            self.interim += 1
        else:
            self.completed += 1


class H11:
    """What h11 says of the response, the connection closing after it."""

    def __init__(self, wire: bytes) -> None:
        self.body, self.completed, self.keep_alive, self.status, self.interim = b"", 0, False, 0, 0
        self.error: str | None = None
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="POST", target="/", headers=[("Host", "h"), ("Content-Length", "0")]))
        client.send(h11.EndOfMessage())
        client.receive_data(wire)
        try:
            self.read(client)
            if not self.completed:
                client.receive_data(b"")
                self.read(client)
                self.keep_alive = False
        except h11.RemoteProtocolError as error:
            self.error = str(error)

    def read(self, client: h11.Connection) -> None:
        while not self.completed:
            event = client.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.InformationalResponse):
                self.interim += 1
            elif isinstance(event, h11.Response):
                self.status = event.status_code
            elif isinstance(event, h11.Data):
                self.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.completed += 1
                self.keep_alive = client.their_state is h11.DONE


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_llhttp_and_h11(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        made = make(rng)
        ours = parse_response(cut(made.wire, rng), None)
        assert ours.error is None, made
        assert (ours.result, ours.status, ours.body) == ("complete", made.status, made.body), made
        assert ours.interim == made.interim
        assert ours.unread == b""
        assert ours.close_delimited == (made.framing == "close")
        theirs = Llhttp(made.wire)
        assert (theirs.error, theirs.status, theirs.body) == (None, ours.status, ours.body), made
        assert theirs.interim == ours.interim
        if made.version == "1.1" or made.framing != "chunked":  # RFC 9112, section 6.1, trusts no coding in 1.0
            assert theirs.keep_alive == ours.keep_alive, made
        assert theirs.completed == (made.framing != "close")
        other = H11(made.wire)
        assert (other.error, other.status, other.body) == (None, ours.status, ours.body), made
        assert (other.completed, other.interim) == (1, ours.interim), made
        if made.version == "1.1":  # h11 keeps no connection of 1.0
            assert other.keep_alive == ours.keep_alive, made


@pytest.mark.parametrize("seed", range(4))
def test_what_follows_is_left(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(ROUNDS // 5):
        first, second = make(rng), make(rng)
        ours = parse_response(cut(first.wire + second.wire, rng), None)
        if first.framing == "close":
            assert ours.body == first.body + second.wire
        else:
            assert ours.body == first.body
            assert ours.unread == second.wire


def broken(wire: bytes, rng: random.Random) -> tuple[bytes, bool]:
    """The response with one change, and whether it may make a line end in LF alone, which we allow."""
    at = rng.randrange(len(wire))
    words = [
        b"\r",
        b"\n",
        b"\r\n",
        b" ",
        b":",
        b",",
        b";",
        b"\0",
        b"0",
        b"f",
        b"-1",
        b"x",
        b"Content-Length: 7\r\n",
    ]
    put, gone = rng.choice([b"", *words]), wire[at : at + rng.choice([0, 1, 1, 2])]
    return wire[:at] + put + wire[at + len(gone) :], b"\n" in put or b"\r" in gone


def outcome(response: ParsedResponse) -> tuple[int, bytes] | None:
    return None if response.result == "error" else (response.status, response.body)


@pytest.mark.parametrize("seed", range(4))
def test_broken_responses(seed: int) -> None:
    """One change of a good response: what both others read alike we read so too; what both refuse, we do."""
    rng = random.Random(seed)
    agreed = refused = 0
    for _ in range(ROUNDS):
        wire, lone_lf = broken(make(rng).wire, rng)
        ours = parse_response(cut(wire, rng), None)
        llhttp, other = Llhttp(wire), H11(wire)
        if other.error is None and llhttp.error is None and (llhttp.status, llhttp.body) == (other.status, other.body):
            if other.completed:
                agreed += 1
                assert outcome(ours) == (other.status, other.body), wire
        elif other.error is not None and llhttp.error is not None and not lone_lf:
            refused += 1
            assert outcome(ours) is None, wire
    assert agreed > ROUNDS // 10
    assert refused > ROUNDS // 50
