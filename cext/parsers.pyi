"""The parsers' face: dialects for the reactor, and whole responses parsed at once for tests and tools."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

Kind = Literal["token", "reasoning", "tool_call", "role", "usage", "done", "error", "comment", "other"]
Role = Literal[
    "text",
    "reasoning",
    "tool",
    "speaker",
    "finish",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "token_ids",
    "id",
    "error",
    "type",
    "end",
    "text_so_far",
    "whole_text",
    "input_beside",
    "cached_beside",
    "media",
    "finish_message",
]

KINDS: Final[tuple[Kind, ...]]
"""The kinds of events, at the index that the C core and the tape's blocks use."""
ROLES: Final[tuple[Role, ...]]
"""The parts that a path can play."""

class JsonMatch(NamedTuple):
    """One value found: of a string, the bytes between its quotes, escapes and all."""

    path: str
    type: Literal["null", "false", "true", "number", "string", "array", "object"]
    text: bytes
    size: int
    """Elements of an array, members of an object, else 0."""
    integer: int | None
    """Of a number that is an integer within 64 bits."""

class Frame(NamedTuple):
    """One server-sent event as it was framed."""

    name: bytes
    data: bytes
    """Data lines joined by LF; of a comment, what follows the colon."""
    wire_bytes: int
    comment: bool
    has_data: bool
    error_field: bool

class Scan(NamedTuple):
    """What one event means. Counts are -1 and spans None where absent; escapes of JSON strings stay."""

    kind: Kind
    ends: bool
    done_marker: bool
    malformed: bool
    token_ids: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    text: bytes | None
    finish: bytes | None
    id: bytes | None
    error: bytes | None
    so_far: bool
    """The text is all of it up to here: a token only where it is longer than before."""
    whole: bytes | None
    """All of the text, as the last event of some APIs repeats it."""

class ParsedResponse(NamedTuple):
    """One response and its events."""

    result: Literal["more", "headers", "complete", "error"]
    """``more``: no head yet; ``headers``: the body is not complete."""
    error: str | None
    status: int
    interim: int
    content_type: Literal["other", "sse", "json", "ndjson", "html"]
    chunked: bool
    close_delimited: bool
    keep_alive: bool
    encoded: bool
    content_length: int
    """-1 when the head names none."""
    retry_after_s: int
    body: bytes
    """Decoded; not a whole body unless ``result`` is ``complete``."""
    frames: list[Frame]
    """Empty unless the content type is that of server-sent events or of lines of JSON."""
    scans: list[Scan]
    """One for each frame."""
    too_large: bool
    """An event went beyond the bound of the framer."""
    unread: bytes
    """What came after the message."""

class Dialect:
    """Where an API puts its tokens, in a form that the C core reads.

    Args:
        paths: Path in the event's JSON (``choices[].delta.content``) to the part it plays.
        types: Value at the ``type`` path to the kind of such an event. An event of another type is ``other``
            (``usage`` when it carries usage).

    Raises:
        ValueError: An unknown part or kind, a malformed path, or more than the core holds.
    """

    paths: dict[str, Role]
    types: dict[str, Kind]
    def __init__(self, paths: Mapping[str, Role], types: Mapping[str, Kind] = ...) -> None: ...
    def scan(self, data: bytes, name: bytes = b"") -> Scan:
        """What one event's data means; ``name`` is the SSE event field."""

def json_find(paths: Iterable[str], data: bytes) -> tuple[list[JsonMatch], bool]:
    """The values at ``paths`` in the order of the text (at most 65,536), and whether the text was malformed.

    Raises:
        ValueError: A malformed or repeated path, or more than 128.
    """

def sse_frames(pieces: Iterable[bytes], finish: bool = True) -> tuple[list[Frame], bool]:
    """The events of a stream that arrives in ``pieces``, and whether one was too large.

    ``finish``: the stream ends after the last piece.
    """

def ndjson_frames(pieces: Iterable[bytes], finish: bool = True) -> tuple[list[Frame], bool]:
    """The lines of a stream of JSON that arrives in ``pieces``, as frames, and whether one was too large.

    ``finish``: the stream ends after the last piece.
    """

def parse_response(pieces: Iterable[bytes], dialect: Dialect | None, close: bool = True) -> ParsedResponse:
    """Parse one response that arrives in ``pieces``; ``close``: the peer then closes the connection."""
