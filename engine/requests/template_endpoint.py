"""An API that the user describes: a Jinja2 template of the request body, and where the parts of a response are.

A template may use ``text``, ``texts``, ``messages``, ``model``, ``output_tokens``, ``stream`` and ``images``;
``|tojson`` writes a value as JSON, quotes and all::

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
    """A body that a template writes anew for every request."""

    template: TemplateRenderer
    options: BodyOptions

    def render(self, prompt: bytes, output_tokens: int | None) -> bytes:
        """The whole body around a generated prompt, which is the inside of a JSON string."""
        text = json.loads(b'"' + prompt + b'"')
        return json.dumps(self.complete({"text": text}, output_tokens), separators=(",", ":")).encode()

    def complete(self, given: Mapping[str, Any], output_tokens: int | None) -> dict[str, Any]:
        """The whole body from the variables of a row, as `Endpoint.content` gives them.

        Raises:
            UserError: The template uses what the row does not have, or writes no JSON object.
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
    """A row's own words, also in the forms that follow from them."""
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
            f"{name} writes no JSON ({error}) near {line!r}; "
            "write texts as {{ text|tojson }}, without quotes around it"
        ) from None
    if not isinstance(body, dict):
        raise UserError(f"{name} writes a {type(body).__name__}; a JSON object is expected")
    return body


def _content(content: Content) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in ("text", "texts", "messages", "images", "payload", "query", "system"):
        value = getattr(content, name)
        if value is not None:
            fields[name] = list(value) if isinstance(value, tuple) else value
    return fields


def response_fields(words: Sequence[str]) -> "dict[str, Role]":
    """Return what ``--response-field`` says: each word is ``role=path``, as in ``text=choices[].delta.content``.

    Returns:
        Path to role, as `template_endpoint` takes it.

    Raises:
        UserError: A word is not of that form, or names no role.
    """
    from ...cext.parsers import ROLES, Dialect

    fields: dict[str, Role] = {}
    for word in words:
        role, equals, path = (part.strip() for part in word.partition("="))
        if not equals or not path:
            raise UserError(f"--response-field {word!r}: write ROLE=PATH, as in text=choices[].delta.content")
        if role not in ROLES:
            raise UserError(f"--response-field {word!r}: {role!r} is no role; the roles are {', '.join(ROLES)}")
        try:
            Dialect({path: role})
        except ValueError as error:
            raise UserError(f"--response-field {word!r}: {error}") from None
        if path in fields:
            raise UserError(f"--response-field {word!r}: {path!r} plays the part {fields[path]!r} already")
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
    """An endpoint of the user's own.

    Args:
        path: Of the request; ``{model}`` in it stands for the model's name. Empty: the URL's own.
        jinja_text: The template of a body; an undefined variable is an error.
        fields: JSON path in an answer to the part it plays (`response_fields`).
        framing: Of its streams.
        needs_end: A stream without an end mark (``end`` or ``finish``, or [DONE]) was cut.
        name: What the template is called in errors.

    Raises:
        UserError: The template is not one, or what it writes is no JSON object.
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
