"""Paths of APIs: below a base URL, with a model's name, and as patterns."""

import re
from urllib.parse import quote

MODEL_GAP = "{model}"

OPENAI_PATHS = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"})
"""Paths that OpenAI's client libraries use without ``/v1``, because the base URL includes the version."""


def with_model(path: str, model: str) -> str:
    """Return a path with the model's name in place of ``{model}``, if it has that."""
    return path.replace(MODEL_GAP, quote(model, safe=""))


def path_pattern(path: str) -> str:
    """Return an API's path as a regular expression that matches any model name for ``{model}``."""
    return re.escape(path).replace(re.escape(MODEL_GAP), "[^/]+")


def join_path(base: str, endpoint_path: str, *, below_v1: bool = False) -> str:
    """Return an API's path below the path of a base URL.

    The base may already contain a part of the API's path (``/v1``) or all of it, with or without ``/v1`` (Azure's
    deployments have none). Below the root, OpenAI's APIs are at ``/v1/…``. Below any other base they are at the paths
    that OpenAI's client libraries use: ``/v1beta/openai`` gives ``/v1beta/openai/chat/completions``.

    Args:
        base: Path of the user's URL.
        endpoint_path: The API's path below the root, such as ``/v1/chat/completions``.
        below_v1: Keep ``/v1`` below a base other than the root, as in ``/team-a/v1/chat/completions``.
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
    """Return the part of a path before the API's path, which may lack its ``/v1``."""
    shorter = re.sub(path_pattern(endpoint_path) + "$", "", path)
    return shorter if shorter != path else re.sub(path_pattern(endpoint_path.removeprefix("/v1")) + "$", "", path)
