"""A child left running by a process that was killed: found, verified, stopped."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Final

from gateway.ports.clock import Clock

# Time to close its files after SIGTERM.
STOP_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.02


def orphan_pid(pid_file: Path, config: Path) -> int:
    """The process named in ``pid_file`` if it still runs on ``config``, else 0.

    Process numbers are used again, so the command line must name the configuration
    file: only our own child was started with it.
    """
    pid = _read_pid(pid_file)
    return pid if str(config) in command_line(pid) else 0


async def stop_orphan(pid_file: Path, config: Path, *, clock: Clock) -> bool:
    """Stop what ``orphan_pid`` finds; whether there was anything."""
    pid = orphan_pid(pid_file, config)
    if not pid:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = clock.monotonic() + STOP_TIMEOUT_S
    while orphan_pid(pid_file, config):
        if clock.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await clock.sleep(_POLL_S)
    return True


def _read_pid(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text())
    except (OSError, ValueError):
        return 0


def command_line(pid: int) -> list[str]:
    """The arguments of a running process; empty when there is none."""
    if pid <= 0:
        return []
    if Path("/proc/self/cmdline").exists():
        try:
            text = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        # A zombie has an empty command line.
        return [part.decode(errors="replace") for part in text.split(b"\0") if part]
    listed = subprocess.run(  # noqa: S603 - a number of ours, no shell
        ["/bin/ps", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        check=False,
        text=True,
    )
    return listed.stdout.split()
