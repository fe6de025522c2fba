"""A line on standard error that says how far a long verb is; silent where that is no terminal."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task
    from rich.text import Text

_PATIENCE_S = 1.0
"""What is done by then shows no progress."""
_REFRESHES_PER_S = 2.0
"""Few, since the line is drawn by one of the cores that are being measured."""


class ProgressLine:
    """Called with (done, total, message); draws elapsed and remaining time after the first second.

    >>> with ProgressLine() as progress:
    ...     progress(1, 2, "measuring")
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._shown: Progress | None = None
        self._state: tuple[float, float, str] = (0.0, 1.0, "")
        self._began = time.monotonic()

    def __enter__(self) -> ProgressLine:
        self._began = time.monotonic()
        if sys.stderr.isatty():
            self._timer = threading.Timer(_PATIENCE_S, self._try_to_show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._shown is not None:
            self._shown.stop()

    def __call__(self, done: float, total: float, message: str) -> None:
        with self._lock:
            self._state = (done, total, message)
            if self._shown is not None:
                self._update(self._shown)

    def _try_to_show(self) -> None:
        with suppress(Exception):  # a line that cannot be drawn must neither stop the run nor leave a traceback
            self._show()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            _remaining_column(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=_REFRESHES_PER_S,
        )
        with self._lock:
            progress.add_task("", total=1.0)
            progress.tasks[0].start_time = progress.get_time() - (time.monotonic() - self._began)
            self._shown = progress
            self._update(progress)
            progress.start()

    def _update(self, progress: Progress) -> None:
        done, total, message = self._state
        task = progress.tasks[0]
        progress.update(task.id, completed=done, total=total, description=message)
        task.fields["since"] = task.elapsed


def remaining_s(done: float, total: float, elapsed: float, since: float) -> float | None:
    """Return the seconds left if it goes on as it went; None before anything is done.

    Parameters
    ----------
    done, total : how far it was at the last step.
    elapsed : seconds from the start until now.
    since : seconds from the start until the last step.

    >>> remaining_s(1, 4, elapsed=12, since=10)
    28.0
    """
    if done <= 0 or done > total:
        return None
    return max(0, since * (total - done) / done - (elapsed - since))


def _remaining_column() -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Remaining(ProgressColumn):
        """The time left, counted down between two steps too."""

        def render(self, task: Task) -> Text:
            elapsed, total = task.elapsed or 0.0, task.total or 1.0
            left = remaining_s(task.completed, total, elapsed, task.fields.get("since") or elapsed)
            return Text("" if left is None else f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left")

    return Remaining()
