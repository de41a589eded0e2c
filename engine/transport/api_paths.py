"""Paths of APIs: below a base URL, with the model's name in them, and as patterns that match."""

import re
from urllib.parse import quote

MODEL_GAP = "{model}"


def with_model(path: str, model: str) -> str:
    """A path with the model's name where it has a gap for one."""
    return path.replace(MODEL_GAP, quote(model, safe=""))


def path_pattern(path: str) -> str:
    """An API's path as a regular expression, in which any name of a model fits its gap."""
    return re.escape(path).replace(re.escape(MODEL_GAP), "[^/]+")


def join_path(base: str, endpoint_path: str) -> str:
    """The API's path below a base that may already hold a part of it (``/v1``) or all of it.

    A base that ends like the API without the ``/v1`` is whole as well: Azure's deployments have none.
    """
    base = base.rstrip("/")
    if re.search(path_pattern(endpoint_path.removeprefix("/v1")) + "$", base):
        return base
    for cut in range(len(endpoint_path), 0, -1):
        if endpoint_path[cut : cut + 1] == "/" and base.endswith(endpoint_path[:cut]):
            return base + endpoint_path[cut:]
    return base + endpoint_path


def base_path(path: str, endpoint_path: str) -> str:
    """What stands in a path before the API's own, which may lack its ``/v1``."""
    shorter = re.sub(path_pattern(endpoint_path) + "$", "", path)
    return shorter if shorter != path else re.sub(path_pattern(endpoint_path.removeprefix("/v1")) + "$", "", path)
