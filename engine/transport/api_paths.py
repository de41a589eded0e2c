"""Paths of APIs: below a base URL, with the model's name in them, and as patterns that match."""

import re
from urllib.parse import quote

MODEL_GAP = "{model}"

OPENAI_PATHS = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"})
"""Paths that OpenAI's client libraries write without ``/v1`` below a base URL: the base has the version in it."""


def with_model(path: str, model: str) -> str:
    """A path with the model's name where it has a gap for one."""
    return path.replace(MODEL_GAP, quote(model, safe=""))


def path_pattern(path: str) -> str:
    """An API's path as a regular expression, in which any name of a model fits its gap."""
    return re.escape(path).replace(re.escape(MODEL_GAP), "[^/]+")


def join_path(base: str, endpoint_path: str, *, below_v1: bool = False) -> str:
    """Return an API's path below the path of a base URL.

    The base may already hold a part of the API's path (``/v1``) or all of it, with or without ``/v1`` (Azure's
    deployments have none). Below the root, OpenAI's APIs are at ``/v1/…``. Below any other base they are where OpenAI's
    client libraries look for them: ``/v1beta/openai`` gives ``/v1beta/openai/chat/completions``.

    Args:
        base: The path of the URL that the user gave.
        endpoint_path: The API's path below the root, as in ``/v1/chat/completions``.
        below_v1: Keep the ``/v1`` below such a base, as in ``/team-a/v1/chat/completions``.
    """
    base = base.rstrip("/")
    if re.search(path_pattern(endpoint_path.removeprefix("/v1")) + "$", base):
        return base
    for cut in range(len(endpoint_path), 0, -1):
        if endpoint_path[cut : cut + 1] == "/" and base.endswith(endpoint_path[:cut]):
            return base + endpoint_path[cut:]
    if base and endpoint_path in OPENAI_PATHS and not below_v1:
        return base + endpoint_path.removeprefix("/v1")
    return base + endpoint_path


def base_path(path: str, endpoint_path: str) -> str:
    """Return what a path has before the API's own path, which may lack its ``/v1``."""
    shorter = re.sub(path_pattern(endpoint_path) + "$", "", path)
    return shorter if shorter != path else re.sub(path_pattern(endpoint_path.removeprefix("/v1")) + "$", "", path)
