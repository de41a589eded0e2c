"""Parsing of values of the Python API, and messages that name parameters instead of options."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

from tokentape.engine.errors import UserError
from tokentape.engine.units import duration_ns, size_bytes
from tokentape.traces.errors import TraceError

PARAMETERS: Final = {
    "--request-template": "template",
    "--response-field": "response_fields",
    "--stream-framing": "framing",
    "--map": "trace_map",
    "--no-proxy": "proxy=False",
    "--connection-reuse": "reuse",
    "--header": "headers",
    "--endpoint-type": "endpoint",
    "--streaming": "stream",
    "--extra-inputs": "extra",
    "--dataset-order": "order",
    "--num-dataset-entries": "entries",
    "--synthetic-input-tokens-mean": "isl",
    "--synthetic-input-tokens-stddev": "isl_stddev",
    "--output-tokens-mean": "osl",
    "--output-tokens-stddev": "osl_stddev",
    "--output-tokens-mean-deterministic": "min_tokens",
    "--sequence-distribution": "lengths",
    "--num-prefix-prompts": "prefixes",
    "--prefix-prompt-length": "prefix_tokens",
    "--batch-size": "batch",
    "--batch-size-text": "batch",
    "--image-width-mean": "image_width",
    "--image-height-mean": "image_height",
    "--image-folder": "images",
    "--tokenizer-trust-remote-code": "trust_remote_code",
    "--random-seed": "seed",
    "--listen": "port",
    "--rotate": "rotate_every",
    "--split": "split_bytes",
    "--retry-after": "retry_after_s",
}
"""Options of the command line whose parameter has another name."""


def nanoseconds(name: str, value: object, *, above_0: bool = False) -> int:
    """Return a duration in nanoseconds.

    Args:
        name: The parameter, for errors.
        value: A text such as "50ms", or a timedelta.
        above_0: Refuse a duration of 0.

    Raises:
        UserError: The value is a number without a unit, is not a duration, is negative, or is 0 where it must be above
            0.
    """
    if isinstance(value, timedelta):
        whole = (value.days * 86_400 + value.seconds) * 10**9 + value.microseconds * 1000
        if whole < 0:
            raise UserError(f"{name} is {value}; a duration cannot be negative")
    elif isinstance(value, str):
        try:
            whole = duration_ns(value)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        raise UserError(
            f"{name} is {value}, a number without a unit; "
            f"write '{value}s' for seconds, '{value}ms' for milliseconds, or a datetime.timedelta"
        )
    else:
        raise UserError(f"{name} is {value!r}; write a text as in '50ms', or a datetime.timedelta")
    if above_0 and not whole:
        raise UserError(f"{name} is {value}; it must be above 0")
    return whole


def optional_nanoseconds(name: str, value: object, *, above_0: bool = False) -> int | None:
    """Return a duration in nanoseconds, or None for None."""
    return None if value is None else nanoseconds(name, value, above_0=above_0)


def duration_text(name: str, value: object) -> str:
    """Return a duration or a distribution of durations as text for the options of the simulated server."""
    return value if isinstance(value, str) else f"{nanoseconds(name, value)}ns"


def size(name: str, value: str | int | None) -> int | None:
    """Return a size in bytes, from a text such as "1GB" or a number of bytes.

    Raises:
        UserError: The value is not a size, or is not above 0.
    """
    if value is None:
        return None
    try:
        found = size_bytes(value) if isinstance(value, str) else value
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    if found <= 0:
        raise UserError(f"{name} is {value}; it must be above 0")
    return found


def text_path(value: str | PathLike[str] | None) -> str | None:
    """Return a path as text, or None for None."""
    return None if value is None else fspath(value)


def optional_path(value: str | PathLike[str] | None) -> Path | None:
    """Return a Path, or None for None."""
    return None if value is None else Path(value)


def several(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return one text or a sequence of texts as a tuple; None is the empty tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def header_lines(value: Mapping[str, str] | Sequence[str]) -> tuple[str, ...]:
    """Return headers as ``Name: value`` lines, from such lines or from a mapping of names to values."""
    if isinstance(value, Mapping):
        return tuple(f"{name}: {text}" for name, text in value.items())
    return several(value)


def whole_number(name: str, value: object, *, least: int) -> None:
    """Refuse a value that is not a whole number, or is below a limit; None is accepted.

    Raises:
        UserError: The message names the parameter.
    """
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{name} is {value!r}; it must be a whole number of at least {least}")


def one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Refuse a value that is not one of a few texts.

    Raises:
        UserError: The message names the parameter and the texts.
    """
    if value not in allowed:
        raise UserError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")


def note_with(on_note: Callable[[str], object] | None) -> Callable[[str], Any]:
    """Return the function that receives notes: the user's, or the logger "tokentape" at level INFO."""
    if on_note is not None:
        show = on_note
        return lambda note: show(with_parameters(note))
    from logging import getLogger

    logger = getLogger("tokentape")
    return lambda note: logger.info("%s", with_parameters(note))


def with_parameters(message: str, others: Mapping[str, str] | None = None) -> str:
    """Return a message with options of the command line replaced by parameters.

    Args:
        message: Message of the engine. Whole commands, as in "run: tokentape recover NAME", are not changed.
        others: Parameters of options that have another name only in one function.
    """
    names = PARAMETERS | dict(others or {})

    def parameter(found: re.Match[str]) -> str:
        option = found[2]
        return found[1] + names.get(option, option.removeprefix("--").replace("-", "_"))

    parts = re.split(r"(`tokentape [^`]*`|tokentape .*)", message, flags=re.S)  # odd indices are commands
    parts[::2] = [re.sub(r"(^|[\s(])(--[a-z][a-z-]*)", parameter, part) for part in parts[::2]]
    return "".join(parts)


@contextmanager
def errors_with_parameters(others: Mapping[str, str] | None = None) -> Iterator[None]:
    """Replace options of the command line by parameters in errors of the engine.

    Args:
        others: As for `with_parameters`.
    """
    try:
        yield
    except (UserError, TraceError) as error:
        error.args = tuple(with_parameters(word, others) if isinstance(word, str) else word for word in error.args)
        raise
