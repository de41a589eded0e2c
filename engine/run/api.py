"""Which API a run speaks: one of those that are known, or one that the user describes."""

from pathlib import Path

from ..endpoints import Endpoint, find_endpoint, response_fields, template_endpoint
from ..errors import UserError
from .options import SendOptions


def api_of(options: SendOptions, path: str = "", option: str = "--endpoint") -> Endpoint:
    """The API that the options name.

    Args:
        options: Of the run.
        path: Of an API that a template describes; empty: the URL's own.
        option: What names an API, for errors.

    Raises:
        UserError: There is none of that name; the template cannot be read or is none; its answers are not described.
    """
    if options.request_template is None:
        if options.response_fields or options.response_lines:
            raise UserError("--response-field and --response-lines describe an API of your own; add --request-template")
        return find_endpoint(options.endpoint, option)
    name = f"--request-template {options.request_template}"
    try:
        template = Path(options.request_template).read_text("utf-8")
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{name} is no text") from None
    fields = response_fields(options.response_fields)
    roles = set(fields.values())
    if not roles & {"text", "text_so_far", "whole_text"}:
        raise UserError(f"{name}: say where its answers have their text, as in --response-field text=choices[].text")
    return template_endpoint(
        path,
        template,
        fields,
        "ndjson" if options.response_lines else "sse",
        needs_end=bool(roles & {"end", "finish", "whole_text"}),
        name=name,
    )
