"""Nothing that a station has committed is lost or doubled, whatever is killed."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(400)
def test_no_committed_reading_is_lost_when_processes_are_killed() -> None:
    command = ["-m", "tests.system.ledger", "--readings", "2000", "--kills", "10"]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, last
    assert " lost=0 " in last
