"""The guardian: a tiny process that outlives a killed runner just long enough to take everything down with it.

It leads the process group of the stations and reads a pipe whose only writer is the runner. Whatever ends the
runner, SIGKILL included, closes that pipe; the guardian then kills the stations, their descendants and its group, and
removes the unfinished files.

Why so: PR_SET_PDEATHSIG would need code between fork and exec in every station (slow, and unsafe once the runner has
threads), does not reach grandchildren, and is lost on exec of a set-user-id program. Why a shell: dash is up after 1
ms, a Python after 10 ms of a core that the circuit needs. Why a roll of process ids as well: a station may leave the
group (``timeout`` and ``setsid`` do). Why the mark (marks.py): a daemon leaves its parents as well. Why no gap while
starting: a starting station holds its inherited copy of the pipe's write end until its exec, and by then it is in the
group.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from streamsim.errors import RunError
from streamsim.real.marks import VARIABLE, kill_marked
from streamsim.real.pipes import Descriptors

# A stopped process forks no more, so the search for descendants ends; SIGKILL works on stopped ones too.
_SCRIPT = """
mark=$1
shift
marked() {
  grep -lzxFe "$mark" /proc/[0-9]*/environ | while IFS=/ read -r _ _ pid _; do echo "$pid"; done
}
alive=
while read -r sign pid; do
  rest=
  for one in $alive; do [ "$one" = "$pid" ] || rest="$rest $one"; done
  alive=$rest
  [ "$sign" = + ] && alive="$alive $pid"
done
found=
next="$alive $(marked)"
while :; do
  case $next in *[0-9]*) ;; *) break ;; esac
  found="$found $next"
  new=
  for one in $next; do
    kill -STOP "$one"
    for list in /proc/"$one"/task/*/children; do
      children=
      read -r children < "$list"
      new="$new $children"
    done
  done
  next=$new
done
[ -n "$found" ] && kill -KILL $found
for one in $(marked); do kill -KILL "$one"; done
rm -rf -- "$@"
kill -KILL 0
"""

_DEAF_TO = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGTTOU)


class Guardian:
    """The guardian of one run; leaving the block kills its group and reaps it.

    ``directory`` is the run's, whose name marks its processes; it and ``files`` are removed should the runner be
    killed. ``group`` is the process group that stations join; ``roll`` the
    descriptor on which it is told of them.
    """

    def __init__(self, directory: str, files: Sequence[str], descriptors: Descriptors) -> None:
        self._directory, self._descriptors = directory, descriptors
        shell = shutil.which("sh")
        if shell is None:
            raise RunError("there is no 'sh' on the PATH to guard the run with")
        read, self.roll = descriptors.pipe()
        try:
            self._pid = os.posix_spawn(
                shell,
                ["sh", "-c", _SCRIPT, "streamsim-guardian", f"{VARIABLE}={directory}", directory, *files],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, read, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setpgroup=0,
                setsigmask=_DEAF_TO,  # the group may be told to end, its leader must not
            )
        finally:
            descriptors.close(read)
        self.group = self._pid

    def add(self, pid: int) -> None:
        """Put a process on the roll."""
        self._say(f"+ {pid}\n")

    def remove(self, pid: int) -> None:
        """Strike a process from the roll, before its id can become another's."""
        self._say(f"- {pid}\n")

    def _say(self, line: str) -> None:
        with suppress(BrokenPipeError):  # somebody killed the guardian; the run goes on
            os.write(self.roll, line.encode())

    def __enter__(self) -> Guardian:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self._descriptors.close(self.roll)  # first: where descriptors have run out, the search needs one
        kill_marked(self._directory)
