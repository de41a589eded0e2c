"""Progress of a run on standard error: a bar on a terminal, one line every few seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ...run.run_status import Status

LINE_EVERY_S = 5.0


def describe(status: Status, tokens_per_s: float) -> str:
    """Return the status of a run in one line."""
    lateness = status.lateness_quantile_us(0.99)
    parts = [
        f"{status.sent:,} sent" if status.until_ns else f"{status.sent:,}/{status.planned:,} sent",
        f"{status.active:,} in flight",
        f"{tokens_per_s:,.0f} tok/s",
    ]
    if status.stopping:  # shown first and without other numbers, so that it fits on a narrow terminal
        parts = ["stopping, Ctrl-C again to stop at once", f"{status.active:,} in flight"]
    elif lateness is not None:
        late = f"{lateness:,.0f} µs" if lateness < 1000 else f"{lateness / 1000:,.1f} ms"
        parts.append(f"late p99 ≤ {late}")
    failed = status.finished - status.succeeded
    if failed:
        parts.append(f"{failed:,} failed")
    return " · ".join(parts)


class ProgressDisplay:
    """Display of the progress of a run. A context manager, so that the terminal is restored at the end.

    Args:
        quiet: Show nothing.
        stream: Output stream; standard error by default.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        console = Console(file=stream or sys.stderr)
        self._console = None if quiet else console
        self._bar: Progress | None = None
        if not quiet and console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=16),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("starting", total=None)
        self._line_at = time.monotonic() + LINE_EVERY_S
        self._rate_at_ns, self._rate_tokens, self._rate = 0, 0, 0.0

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, status: Status) -> None:
        """Show the newest status."""
        passed_ns = status.elapsed_ns - self._rate_at_ns
        if passed_ns >= 500_000_000:
            self._rate = (status.tokens - self._rate_tokens) / passed_ns * 1e9
            self._rate_at_ns, self._rate_tokens = status.elapsed_ns, status.tokens
        if self._bar:
            text = describe(status, self._rate)
            total, done = (status.until_ns, status.elapsed_ns) if status.until_ns else (status.planned, status.sent)
            self._bar.update(self._task, total=total, completed=min(done, total), description=text)
        elif self._console and time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_EVERY_S
            elapsed = f"{status.elapsed_ns / 1e9:6.1f}"
            if status.until_ns:
                elapsed += f"/{status.until_ns / 1e9:g}"
            self._console.print(f"{elapsed} s  {describe(status, self._rate)}", highlight=False, soft_wrap=True)
