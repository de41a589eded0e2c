"""The models that a server lists."""

import http.client
import json
from collections.abc import Iterable

from ..errors import UserError
from .single_request import exchange
from .target import Target


def served_model(target: Target, headers: Iterable[tuple[str, str]], timeout_s: float) -> str:
    """Return the first model that the server lists (``GET /v1/models``).

    Raises:
        UserError: The server lists no model; the message names ``--model``, or the options for a key.
    """
    return served_models(target, headers, timeout_s)[0]


def served_models(target: Target, headers: Iterable[tuple[str, str]], timeout_s: float) -> list[str]:
    """Return the models that the server lists, at least one.

    Raises:
        UserError: As for `served_model`.
    """
    advice = "give the model with --model"
    where = f"GET {target.models_path}"
    try:
        answer = exchange(target, "GET", target.models_path, headers, None, timeout_s)
    except (OSError, http.client.HTTPException) as error:
        timed_out = isinstance(error, TimeoutError)
        reason = f"no response after {timeout_s:g} s" if timed_out else str(error) or type(error).__name__
        raise UserError(f"{target.address} does not respond to {where} ({reason}); {advice}") from None
    if answer.status in (401, 403):
        advice = "give the server's API key with --api-key-env"
    if answer.status != 200:
        raise UserError(f"{target.address} answers {where} with {answer.status} {answer.reason}; {advice}")
    try:
        models = [str(model["id"]) for model in json.loads(answer.body)["data"]]
        return [models[0], *models[1:]]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UserError(
            f"{target.address} answers {where} with something other than a list of models; "
            f"is it an LLM server's URL? If so, {advice}"
        ) from None
