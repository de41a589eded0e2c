"""Choosing between two paths that a base URL may mean, by asking the server before the run."""

import http.client
from collections.abc import Iterable
from dataclasses import replace

from ..errors import UserError
from .single_request import exchange
from .target import Target, models_path

NOT_FOUND = (404, 405)


def settle_path(
    target: Target, endpoint_path: str, headers: Iterable[tuple[str, str]], timeout_s: float
) -> tuple[Target, str | None]:
    """Return the target with the path that the server knows, and a note for the user where there was a choice.

    A base URL with a path, such as ``https://host/api/v3``, may be meant as OpenAI's client libraries mean it
    (``/api/v3/chat/completions``) or as a root (``/api/v3/v1/chat/completions``). An empty JSON object is posted to the
    first; where the server answers 404 or 405, it is posted to the second. No server generates anything for it. Where
    neither is known, the first stays: the check before the run explains what is wrong.

    Args:
        target: A reachable target.
        endpoint_path: The API's path below the root.
        headers: Headers of every request, with the key.
        timeout_s: For each answer.

    Raises:
        UserError: The proxy or the server's certificate will not do.
    """
    if target.other_path is None:
        return target, None
    given = [("Content-Type", "application/json"), *headers]
    if _known(target, target.path, given, timeout_s):
        return replace(target, other_path=None), f"requests go to {target.url}"
    if not _known(target, target.other_path, given, timeout_s):
        return replace(target, other_path=None), None
    path = target.other_path.partition("?")[0]
    found = replace(target, path=target.other_path, models_path=models_path(path, endpoint_path), other_path=None)
    return found, f"requests go to {found.url}: the server does not know {target.path}"


def _known(target: Target, path: str, headers: list[tuple[str, str]], timeout_s: float) -> bool:
    try:
        return exchange(target, "POST", path, headers, b"{}", timeout_s).status not in NOT_FOUND
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{target.address} does not answer POST {path}: {words}") from None
