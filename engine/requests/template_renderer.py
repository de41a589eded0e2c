"""Rendering request templates within limits, in a separate process.

A template may be untrusted. Jinja2's sandbox keeps it away from Python's objects, but cannot stop an endless loop or a
text that fills the memory. So a child process renders: it may use `LIMIT_S` of processor time per body and
`MEMORY_LIMIT` of memory, and is killed when it uses more. The limit is on processor time, not elapsed time, so that
templates do not fail on a busy machine.
"""

import json
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ..errors import UserError

if TYPE_CHECKING:
    from jinja2 import Template

LIMIT_S: Final = 1.0
"""Processor time for one body, in seconds."""

SIZE_LIMIT: Final = 64 << 20
"""Longest body, in characters."""

MEMORY_LIMIT: Final = 1 << 30
"""Address space of the child process, in bytes."""

HEADER: Final = struct.Struct("<Q")
"""Length in bytes of the JSON that follows, in either direction."""


class TemplateRenderer:
    """Renderer of one template. Threads may share it.

    Args:
        source: The template's text.
        name: Name of the template in errors, such as its path.

    Raises:
        UserError: The template has a syntax error.
    """

    def __init__(self, source: str, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tokentape.engine.requests.template_renderer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C must not end it before the run has ended
        )
        self._ask({"source": source, "name": name})

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the text that the template renders for these variables.

        Raises:
            UserError: The template fails, uses something unsafe, or exceeds a limit. The message says which.
        """
        return self._ask(values)

    def _ask(self, question: Any) -> str:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            try:
                write_frame(self._process.stdin, question)
                answer = read_frame(self._process.stdout)
            except BrokenPipeError:
                answer = None
            if answer is None:
                raise UserError(f"{self.name}: {self._why_it_ended()}")
        if "error" in answer:
            raise UserError(f"{self.name}{answer['error']}")
        return str(answer["text"])

    def _why_it_ended(self) -> str:
        code = self._process.wait()
        if code == -signal.SIGPROF:
            return (
                f"the template rendered for more than {LIMIT_S:g} s of processor time for one request and was stopped; "
                "check it for long loops"
            )
        return f"the process that renders the template ended unexpectedly (exit status {code})"

    def close(self) -> None:
        """End the child process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()

    def __del__(self) -> None:
        if hasattr(self, "_process"):
            self.close()


def write_frame(stream: BinaryIO | Any, value: Any) -> None:
    """Write a value as JSON, after its length."""
    data = json.dumps(value).encode()
    stream.write(HEADER.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: BinaryIO | Any) -> Any:
    """Return the next value, or None at the end of the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    data = stream.read(length)
    return json.loads(data) if len(data) == length else None


# ---- the child process


def compiled(source: str, name: str) -> "Template":
    """Return the template in Jinja2's sandbox, where an undefined variable is an error.

    Raises:
        jinja2.TemplateSyntaxError: It is not a template.
    """
    from jinja2 import StrictUndefined, Undefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def tojson(value: Any) -> str:
        return json.dumps(
            str(value) if isinstance(value, Undefined) else value
        )  # str() of an undefined variable raises

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters["tojson"] = tojson
    template = environment.from_string(source)
    template.filename = name
    return template


def rendered(template: "Template", values: Mapping[str, Any]) -> dict[str, str]:
    """Return {"text": body}, or {"error": message}, where the message continues the template's name."""
    from jinja2 import TemplateError
    from jinja2.exceptions import SecurityError

    pieces: list[str] = []
    size = 0
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)  # SIGPROF ends this process
    try:
        for piece in template.generate(values):
            size += len(piece)
            if size > SIZE_LIMIT:
                return {"error": f": the template renders a body of more than {SIZE_LIMIT >> 20} MiB"}
            pieces.append(piece)
        return {"text": "".join(pieces)}
    except MemoryError:
        return {"error": f": the template needs more than {MEMORY_LIMIT >> 30} GiB of memory"}
    except SecurityError as error:
        return {
            "error": f"{line_of(error, template)}: the template is not safe, and templates run in a sandbox: {error}"
        }
    except TemplateError as error:
        return {"error": f"{line_of(error, template)}: {error.message}"}
    except Exception as error:  # any exception of the template's expressions is an error of the template
        return {"error": f"{line_of(error, template)}: {type(error).__name__}: {error}"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def line_of(error: BaseException, template: "Template") -> str:
    """Return ", line N" for the template's line that raised an error, or "" if the traceback has none."""
    found = ""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == template.filename:
            found = f", line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


def serve() -> None:
    """Read the template and then variables from standard input, and write the results to standard output."""
    from jinja2 import TemplateSyntaxError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    first = read_frame(requests)
    if first is None:
        return
    try:
        template = compiled(first["source"], first["name"])
    except TemplateSyntaxError as error:
        write_frame(answers, {"error": f", line {error.lineno}: {error.message}"})
        return
    write_frame(answers, {"text": ""})
    while (values := read_frame(requests)) is not None:
        write_frame(answers, rendered(template, values))


if __name__ == "__main__":
    serve()
