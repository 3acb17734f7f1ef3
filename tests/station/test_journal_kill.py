import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.station.journal import SqliteJournal

ROOT = Path(__file__).parents[2]
ROUNDS = 6


@pytest.mark.timeout(120)
async def test_kill_9_loses_no_entry_whose_append_returned(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    random_ = random.Random(20260301)  # noqa: S311 - where to kill, not a secret
    returned: dict[int, bytes] = {}
    for round_ in range(ROUNDS):
        process = subprocess.Popen(  # noqa: ASYNC220 - our own script
            [
                sys.executable,
                str(ROOT / "tests/station/journal_process.py"),
                str(path),
                str(round_ * 1_000_000),
            ],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        count = random_.randint(1, 1_500)
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split(b"\n")
        process.stdout.close()
        process.wait()
        # The last piece may be a line cut by the kill.
        for line in [*lines, *rest[:-1]]:
            seq, _, body = line.strip().partition(b" ")
            assert int(seq) not in returned
            returned[int(seq)] = body

        journal = SqliteJournal(path, quota_bytes=100_000_000)
        held: dict[int, bytes] = {}
        after = 0
        while entries := await journal.fresh(after, 4_000):
            held |= {e.seq: e.body for e in entries}
            after = entries[-1].seq
        journal.close()
        assert {seq: held.get(seq) for seq in returned} == returned
        # And nothing was made twice: each body is held under one number.
        assert len(set(held.values())) == len(held)
    assert len(returned) > ROUNDS
