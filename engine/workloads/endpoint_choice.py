"""Choosing the API of a run: a known API, or one that the user describes."""

from ..errors import UserError
from ..requests.endpoints import Endpoint, find_endpoint, response_fields, template_endpoint
from ..run.send_options import SendOptions

TEMPLATE = "template"


def api_of(options: SendOptions, path: str = "", option: str = "--endpoint") -> Endpoint:
    """Return the API that the options name.

    Args:
        options: Options of the run.
        path: Path of an API with a template; empty: the URL's path.
        option: Name of the option in errors.

    Raises:
        UserError: The name is unknown, the template cannot be read or is malformed, or its responses are not described.
    """
    if options.endpoint != TEMPLATE:
        if options.template is not None or options.response_fields:
            raise UserError(f"--request-template and --response-field need {option} template")
        return find_endpoint(options.endpoint, option)
    if options.template is None:
        raise UserError(f"{option} template needs --request-template FILE, the template of request bodies")
    try:
        text = options.template.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{options.template}: cannot be read: {why}") from None
    fields = response_fields(options.response_fields)
    roles = set(fields.values())
    if options.stream and not roles & {"text", "text_so_far", "whole_text"}:
        raise UserError(
            f"{option} template: give the path of the text in responses, such as --response-field text=choices[].text"
        )
    return template_endpoint(
        path,
        text,
        fields,
        options.framing,
        needs_end=bool(roles & {"end", "finish", "whole_text"}),
        name=str(options.template),
    )
