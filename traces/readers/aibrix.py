"""AIBrix's workload files: JSONL of requests with their prompts.

``{"timestamp": 21, "requests": [{"Prompt Length": 909, "Output Length": 22, "prompt": "..."}]}``: milliseconds
from the start; all requests of a line arrive at once. The keys are also written ``prompt_length``, and a request
may carry ``session_id`` and ``model``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..assembly.column_builder import Rows, estimated_tokens
from ..reading.field_checks import BadField, BadRows, duration_ns, shown, token_count
from ..reading.json_lines import name, needed, read_lines, text
from ..table import Trace

NAME = "aibrix"
ABOUT = "AIBrix's workload files, with prompts"
LOOKS = "JSONL with timestamp (ms) and requests[{Prompt Length, Output Length, prompt}]"

_MS = 10**6
_KEYS = re.compile(rb'"timestamp"\s*:'), re.compile(rb'"requests"\s*:\s*\[')


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format; an object with other keys before them is some other."""
    del path
    first = head.lstrip()[:4096]
    return first.startswith(b"{") and all(key.search(first) for key in _KEYS)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    bad = BadRows(str(path), skip=skip_bad_rows)
    rows = Rows(bad)

    def careful(number: int, record: dict[str, Any]) -> None:
        arrival = duration_ns("timestamp", needed(record, "timestamp"), _MS)
        requests = needed(record, "requests")
        if not isinstance(requests, list):
            raise BadField("requests", f"{shown(requests)} is not a list of requests")
        for row in [_request(request) for request in requests]:
            rows.append(number, arrival_ns=arrival, **row)

    digest, notes = read_lines(path, bad, plain=lambda first, batch: None, careful=careful)
    return rows.trace(format=NAME, digest=digest, notes=notes, unit_ns=_MS)


def _request(request: Any) -> dict[str, Any]:
    if not isinstance(request, dict):
        raise BadField("requests", f"{shown(request)} is not a request, a JSON object")
    fields = {key.lower().replace(" ", "_"): value for key, value in request.items()}
    prompt = fields.get("prompt")
    length = fields.get("prompt_length")
    estimated = length is None and prompt is not None
    prompt = None if prompt is None else text("prompt", prompt)
    return {
        "input_tokens": estimated_tokens(prompt or "") if estimated else token_count("Prompt Length", length),
        "output_tokens": token_count("Output Length", fields.get("output_length")),
        "text": prompt,
        "session_id": name("session_id", fields.get("session_id")),
        "model": name("model", fields.get("model")),
        "estimated": estimated,
    }
