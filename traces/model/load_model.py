"""The model itself, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ..errors import TraceError

VERSION = 1

Family = Literal["Gamma", "Weibull"]


class Histogram(msgspec.Struct, frozen=True):
    """An empirical distribution: values, and how often each was seen."""

    values: list[int]
    weights: list[float]


class Window(msgspec.Struct, frozen=True):
    """Arrivals from start_s to the next window's start: a renewal process of a rate and of gaps of one law."""

    start_s: float
    rate_rps: float
    cv: float
    family: Family


class Lengths(msgspec.Struct, frozen=True):
    """Lengths of requests from start_s to the next entry's start."""

    start_s: float
    input_tokens: Histogram
    output_tokens: Histogram


class Client(msgspec.Struct, frozen=True):
    """One source of requests. Windows and lengths are ascending in start_s; there is at least one of each."""

    name: str
    windows: list[Window]
    lengths: list[Lengths]


class LoadModel(msgspec.Struct, frozen=True):
    """Clients over a time of span_s, after which it repeats."""

    version: int
    source: str
    span_s: float
    clients: list[Client]
    notes: list[str]

    def rate_rps(self) -> float:
        """Requests per second of all clients, on average over the span."""
        return sum(rate * length for client in self.clients for _, length, rate in _pieces(client, self.span_s)) / (
            self.span_s
        )


def _pieces(client: Client, span_s: float) -> list[tuple[float, float, float]]:
    """Start, length and rate of each window within the span."""
    starts = [window.start_s for window in client.windows]
    ends = [*starts[1:], span_s]
    return [
        (window.start_s, max(0.0, min(end, span_s) - window.start_s), window.rate_rps)
        for window, end in zip(client.windows, ends, strict=True)
    ]


def write_model(model: LoadModel, path: str | Path) -> None:
    """Write a model as JSON.

    Raises:
        TraceError: The file cannot be written.
    """
    try:
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n")
    except OSError as error:
        raise TraceError(str(path), f"cannot be written: {error.strerror or error}") from None


def read_model(path: str | Path) -> LoadModel:
    """Read a model that write_model wrote, or a folder of ServeGen's files.

    Raises:
        TraceError: It is neither, or damaged.
    """
    from .servegen import read_servegen

    place, source = Path(path), str(path)
    if place.is_dir():
        return read_servegen(place)
    try:
        data = place.read_bytes()
    except OSError as error:
        raise TraceError(source, f"cannot be read: {error.strerror or error}") from None
    try:
        model = msgspec.json.decode(data, type=LoadModel)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TraceError(source, f"is not a model that `tokentape trace fit` wrote: {error}") from None
    if model.version != VERSION:
        raise TraceError(source, f"is a model of version {model.version}; this program reads version {VERSION}")
    check_model(source, model)
    return model


def check_model(source: str, model: LoadModel) -> None:
    """Make sure that a model can be generated from.

    Raises:
        TraceError: It cannot; the message names client and field.
    """
    if not 0 < model.span_s < 1e9:
        raise TraceError(source, f"is {model.span_s:g}; seconds above 0 belong there", field="span_s")
    if not model.clients:
        raise TraceError(source, "has no clients", field="clients")
    for client in model.clients:
        for name, entries in (("windows", client.windows), ("lengths", client.lengths)):
            starts = [entry.start_s for entry in entries]
            if not starts or starts != sorted(set(starts)) or starts[0] < 0:
                problem = f"client {client.name[:80]!r} needs entries of ascending start_s from 0 up"
                raise TraceError(source, problem, field=name)
        for window in client.windows:
            if not (0 <= window.rate_rps < 1e7 and 0 < window.cv < 1e3):
                problem = f"client {client.name[:80]!r} has a rate of {window.rate_rps:g} and a CV of {window.cv:g}"
                raise TraceError(source, problem, field="windows")
        for entry in client.lengths:
            for name, law in (("input_tokens", entry.input_tokens), ("output_tokens", entry.output_tokens)):
                _check_histogram(source, client, name, law)


def _check_histogram(source: str, client: Client, name: str, law: Histogram) -> None:
    fair = len(law.values) == len(law.weights) > 0 and all(0 <= value <= 10**8 for value in law.values)
    if not fair or not all(0 <= weight < 1e300 for weight in law.weights) or not sum(law.weights) > 0:
        problem = f"client {client.name[:80]!r} needs as many weights from 0 up as values from 0 to 100 million"
        raise TraceError(source, problem, field=name)
