"""An API that the user describes: a Jinja2 template of the request body, and the paths of fields in a response.

A template may use ``text``, ``texts``, ``messages``, ``model``, ``output_tokens``, ``stream`` and ``images``;
``|tojson`` writes a value as JSON, including quotes::

    {"prompt": {{ text|tojson }}, "n_predict": {{ output_tokens }}, "stream": {{ stream|tojson }}}

"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...traces.content import Content
from ..errors import UserError
from .body_template import Body, BodyOptions, merged
from .endpoint import Endpoint, Framing
from .template_renderer import TemplateRenderer

if TYPE_CHECKING:
    from ...cext.parsers import Role

VARIABLES = ("text", "texts", "messages", "model", "output_tokens", "stream", "images")


@dataclass(frozen=True, kw_only=True)
class TemplateBody(Body):
    """A body that a template renders for every request."""

    template: TemplateRenderer
    options: BodyOptions

    def render(self, prompt: bytes, output_tokens: int | None) -> bytes:
        """Return the complete body for a generated prompt, given as the inside of a JSON string."""
        text = json.loads(b'"' + prompt + b'"')
        return json.dumps(self.complete({"text": text}, output_tokens), separators=(",", ":")).encode()

    def complete(self, given: Mapping[str, Any], output_tokens: int | None) -> dict[str, Any]:
        """Return the complete body for the variables of a row from `Endpoint.content`.

        Raises:
            UserError: The template uses a variable that the row lacks, or its output is not a JSON object.
        """
        values = {"model": self.options.model, "output_tokens": output_tokens, "stream": self.options.stream}
        own = dict(given)
        payload = own.pop("payload", None) or {}
        try:
            text = self.template.render(values | _variables(own))
        except UserError as error:
            if "is undefined" in str(error):
                raise UserError(f"{error}; a template knows {', '.join(VARIABLES)}") from None
            raise
        return merged(merged(_object(text, self.template.name), self.options.extra), payload)


def _variables(own: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a row's content, with the forms that follow from each other."""
    if "text" in own:
        own.setdefault("texts", [own["text"]])
        own.setdefault("messages", [{"role": "user", "content": own["text"]}])
    return {"images": []} | own


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        line = text[max(0, error.pos - 30) : error.pos + 30] if isinstance(error, json.JSONDecodeError) else text[:60]
        raise UserError(
            f"{name} does not render JSON ({error}) near {line!r}; "
            "write texts as {{ text|tojson }}, without quotes around it"
        ) from None
    if not isinstance(body, dict):
        raise UserError(f"{name} renders a {type(body).__name__}; it must render a JSON object")
    return body


def _content(content: Content) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in ("text", "texts", "messages", "images", "payload", "query", "system"):
        value = getattr(content, name)
        if value is not None:
            fields[name] = list(value) if isinstance(value, tuple) else value
    return fields


def response_fields(words: Sequence[str]) -> "dict[str, Role]":
    """Parse the words of ``--response-field``, each ``role=path``, such as ``text=choices[].delta.content``.

    Returns:
        Path to role, as `template_endpoint` takes it.

    Raises:
        UserError: A word has another form or an unknown role.
    """
    from ...cext.parsers import ROLES, Dialect

    fields: dict[str, Role] = {}
    for word in words:
        role, equals, path = (part.strip() for part in word.partition("="))
        if not equals or not path:
            raise UserError(f"--response-field {word!r}: write ROLE=PATH, such as text=choices[].delta.content")
        if role not in ROLES:
            raise UserError(f"--response-field {word!r}: {role!r} is not a role; the roles are {', '.join(ROLES)}")
        try:
            Dialect({path: role})
        except ValueError as error:
            raise UserError(f"--response-field {word!r}: {error}") from None
        if path in fields:
            raise UserError(f"--response-field {word!r}: {path!r} has the role {fields[path]!r} already")
        fields[path] = role
    return fields


def template_endpoint(
    path: str,
    jinja_text: str,
    fields: "Mapping[str, Role]",
    framing: Framing = "sse",
    needs_end: bool = True,
    *,
    name: str = "--request-template",
) -> Endpoint:
    """Return the endpoint of an API that the user describes.

    Args:
        path: Path of requests; ``{model}`` in it is replaced by the model's name. Empty: the URL's path.
        jinja_text: Template of a body; an undefined variable is an error.
        fields: Role of each JSON path in a response (`response_fields`).
        framing: Framing of streams.
        needs_end: Whether a stream without an end mark (``end``, ``finish`` or [DONE]) was cut.
        name: Name of the template in errors.

    Raises:
        UserError: The template is not valid, or does not render a JSON object.
    """
    template = TemplateRenderer(jinja_text, name)

    def body(options: BodyOptions) -> Body:
        return TemplateBody(b"", b"", takes_length=True, template=template, options=options)

    return Endpoint(
        name="template",
        path=path if path.startswith("/") or not path else f"/{path}",
        fields=dict(fields),
        types={},
        needs_end=needs_end,
        streams=True,
        prompt_forms=("text",),
        body=body,
        content=_content,
        length_path=None,
        framing=framing,
    )
