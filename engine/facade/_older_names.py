"""Parameters that had other names in earlier versions. They still work, with a DeprecationWarning."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokentape.engine.plan import Choice, Pace
    from tokentape.engine.workloads.options import InputOptions


class OlderSendNames(TypedDict, total=False):
    """Older names that `replay` and `profile` share."""

    connect_timeout_ns: int
    read_timeout_ns: int
    grace_ns: int
    preopen_ns: int
    spin_ns: int


class OlderReplayNames(OlderSendNames, total=False):
    """Older names of parameters of `replay`."""

    start_ns: int | None
    end_ns: int | None
    go_on_after_failure: bool


class OlderProfileNames(OlderSendNames, total=False):
    """Older names of parameters of `profile`."""

    urls: Sequence[str]
    models: Sequence[str]
    pace: Pace | Mapping[str, Any]
    inputs: InputOptions | Mapping[str, Any]
    url_choice: Choice
    model_choice: Choice
    ask_length: bool


_SEND: Final = {
    "connect_timeout_ns": ("connect_timeout",),
    "read_timeout_ns": ("read_timeout",),
    "grace_ns": ("grace",),
    "preopen_ns": ("preopen",),
    "spin_ns": ("spin",),
}
REPLAY: Final = {**_SEND, "start_ns": ("start",), "end_ns": ("end",), "go_on_after_failure": ("on_failure",)}
PROFILE: Final = {
    **_SEND,
    "urls": ("url",),
    "models": ("model",),
    "pace": ("concurrency", "request_rate", "arrival", "burstiness", "rate_series", "ramp", "duration",
             "request_count", "warmup", "warmup_request_count", "max_prefilling", "cancel_share", "cancel_after"),
    "inputs": ("input_file", "input_dataset", "dataset_column", "dataset_split", "dataset_subset", "entries", "isl",
               "isl_stddev", "osl", "osl_stddev", "lengths", "prefixes", "prefix_tokens", "batch", "image_width",
               "image_height", "image_width_stddev", "image_height_stddev", "image_format", "images"),
    "url_choice": ("url_strategy", "url_weights"),
    "model_choice": ("model_selection_strategy", "model_weights"),
    "ask_length": ("osl", "lengths"),
}  # fmt: skip
"""Each older name, with the parameters that replace it."""

_CAN_GO_TOGETHER: Final = {"ask_length"}


def take_older(
    verb: str, given: dict[str, Any], replaced: Mapping[str, tuple[str, ...]], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Remove the older names from the given parameters, and return them with their values.

    Args:
        verb: The function, for messages.
        given: All parameters of the function; ``older`` has the keywords that are not parameters.
        replaced: Each older name, with the parameters that replace it.
        defaults: Defaults of all keyword parameters.

    Raises:
        TypeError: A keyword is unknown, or an older name and a parameter that replaces it are both given.
    """
    older: dict[str, Any] = given.pop("older")
    for name in older:
        if name not in replaced:
            from difflib import get_close_matches

            near = get_close_matches(name, defaults, n=1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{verb}() got an unexpected keyword argument {name!r}{hint}")
        for new in replaced[name]:
            if name not in _CAN_GO_TOGETHER and given[new] != defaults[new]:
                raise TypeError(f"{verb}() got both {new!r} and {name!r}, its older name; leave out {name!r}")
        warnings.warn(
            f"{verb}({name}=...) is an older name; use {', '.join(replaced[name])}", DeprecationWarning, stacklevel=3
        )
    return older
