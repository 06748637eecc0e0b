"""A worker that is a process on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from csae_bench.executors.messages import END, Shard, WorkerMessage
from csae_bench.executors.pool_worker import WorkerLoss

_LINES_KEPT = 20
"""Lines of stderr of which the last is shown if the process is lost."""

COMMAND = (sys.executable, "-m", "csae_bench.cli.worker")


class WorkerProcess:
    """One process; what it says on stdout is handed on line by line, from a thread.

    Args:
        env: variables that it has besides this process's.
        hear: takes each message, and None once the process has ended and all was handed on.
        hear_error: takes each line of its stderr.
        folder: where it runs; None: where this process does.
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str],
        hear: Callable[[WorkerMessage | None], None],
        hear_error: Callable[[str], None],
        folder: Path | None = None,
    ) -> None:
        self._hear, self._hear_error = hear, hear_error
        self._errors: deque[str] = deque(maxlen=_LINES_KEPT)
        self.process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **env},
            cwd=folder,
            # Ctrl-C reaches it once, through the executor; a second one would end it in mid-write
            start_new_session=True,
        )
        threading.Thread(target=self._read_errors, daemon=True).start()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self.process.pid

    def send(self, shard: Shard) -> None:
        """Have it run a shard."""
        self._write(shard.to_line())

    def end(self) -> None:
        """Let it end by itself."""
        self._write(END)

    def interrupt(self) -> None:
        """Have it save its state and end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def wait_or_kill(self, seconds: float) -> None:
        """Wait until it has ended; kill it after so many seconds, or at a second Ctrl-C."""
        try:
            self.process.wait(seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self.process.kill()

    def loss(self) -> WorkerLoss:
        """Say how it ended."""
        last_line = "".join(list(self._errors)[-1:])
        return WorkerLoss(reason=_how_it_ended(self.process.wait()), last_line=last_line)

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        # where it is gone, that is noticed where its messages are read
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                with contextlib.suppress(ValueError):  # the last line of one that was killed
                    self._hear(WorkerMessage.from_line(line))
        self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # of what it did not read any more
            self.process.stdin.close()
        self._hear(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            for line in self.process.stderr:
                self._errors.append(line.rstrip())
                self._hear_error(line)


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed (signal 9; where nobody did it, memory ran out)"
    if code < 0:
        return f"was ended by signal {-code}"
    return f"ended with code {code}"
