"""GenAI-Perf's and Perf Analyzer's ``profile_export.json``: what a run of theirs sent and got, with epoch-ns stamps.

``{"experiments": [{"experiment": {...}, "requests": [{"timestamp": ns, "request_inputs": {"payload": "{...}"},
"response_timestamps": [ns, ...], "response_outputs": [...]}]}], ...}``
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from ..reading.field_checks import BadField, BadRows, shown, token_count
from ..reading.files import read_whole
from ..reading.json_documents import document, mapping, name, text
from ..reading.surrogates import without_halves
from ..recorded.bodies import estimated_tokens, payload
from ..recorded.request_table import RecordedRequest, Requests, recorded_trace
from ..table import Trace

NAME = "genai-perf-export"
ABOUT = "Requests of a GenAI-Perf run, as measured"
LOOKS = "JSON with experiments[{requests}], GenAI-Perf's profile_export.json"

_KEYS = tuple(re.compile(rb'"%b"\s*:' % key) for key in (b"experiments", b"requests"))
_MOST_NS = 2**63 - 1


class _Request(msgspec.Struct, gc=False):
    timestamp: Any = msgspec.UNSET
    request_inputs: Any = msgspec.UNSET


class _Experiment(msgspec.Struct, gc=False):
    requests: list[_Request]


class _File(msgspec.Struct, gc=False):
    experiments: list[_Experiment]


_FILE = msgspec.json.Decoder(_File)


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format."""
    del path
    return head.lstrip().startswith(b"{") and all(key.search(head) for key in _KEYS)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format; rows are the requests of all its experiments.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    source = str(path)
    data, digest = read_whole(path)
    bad = BadRows(source, skip=skip_bad_rows)
    requests, used = _requests(source, data, bad)
    del data
    notes = [f"{used:,} experiments lie in the file; they are replayed one after the other"] if used > 1 else []
    return recorded_trace(requests, bad, format=NAME, digest=digest, notes=notes, unit_ns=1)


def _requests(source: str, data: bytes, bad: BadRows) -> tuple[Requests, int]:
    """Return the requests, and the number of experiments that have any."""
    requests = Requests()
    experiments = document(source, _FILE, data, "GenAI-Perf's profile_export.json").experiments
    number = 0
    for experiment in experiments:
        for recorded in experiment.requests:
            number += 1
            try:
                requests.append(_request(number, recorded))
            except BadField as error:
                bad.add(number, error)
    return requests, sum(bool(experiment.requests) for experiment in experiments)


def _request(number: int, recorded: _Request) -> RecordedRequest:
    stamp = recorded.timestamp
    if type(stamp) is not int or not 0 <= stamp <= _MOST_NS:
        problem = "is missing" if stamp is msgspec.UNSET else f"{shown(stamp)} is not a time"
        raise BadField("timestamp", f"{problem}; nanoseconds since 1970 belong there")
    inputs = mapping("request_inputs", recorded.request_inputs, "an object with payload")
    if "payload" in inputs:
        field = "request_inputs.payload"
        body = without_halves(text(field, inputs["payload"], "the request's body as a string").encode())
        facts = payload(field, body)
        return RecordedRequest(
            source_row=number,
            arrival_ns=stamp,
            input_tokens=facts.input_tokens,
            output_tokens=facts.output_tokens or 0,
            model=facts.model,
            body=body,
            estimated=facts.estimated,
        )
    prompt = text("request_inputs.text_input", inputs.get("text_input"), "the prompt's text, or a payload,")
    limit = inputs.get("max_tokens")
    return RecordedRequest(
        source_row=number,
        arrival_ns=stamp,
        input_tokens=estimated_tokens(prompt),
        output_tokens=0 if limit is None else token_count("request_inputs.max_tokens", limit),
        model=name("request_inputs.model", inputs.get("model")),
        text=prompt,
        estimated=True,
    )
