"""Fuzzes every framer and decoder for a while; see ``targets`` for the invariant.

Prints counts. Exit status 1 when the invariant broke, with the input, its seed and how
to try it again.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from random import Random

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS, Target

BATCH = 200
"""Inputs for one target before the next has its turn."""


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def input_for(target: Target, seed: int, number: int) -> tuple[bytes, Random]:
    """Input ``number`` of a run, and the randomness its check may use."""
    rng = Random(f"{seed}:{target.name}:{number}")  # noqa: S311 - no secret
    return mutated(rng, target.seeds), rng


def try_one(target: Target, seed: int, number: int) -> bool:
    """Whether the input gave a record.

    Raises:
        Exception: Whatever escapes the check: that is the finding.
    """
    data, rng = input_for(target, seed, number)
    return target.check(data, rng)


def fuzz(targets: list[Target], *, seconds: float, seed: int) -> int:
    """Fuzz; the exit status."""
    inputs: Counter[str] = Counter()
    records: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for target in targets:
            first = inputs[target.name]
            for number in range(first, first + BATCH):
                try:
                    records[target.name] += try_one(target, seed, number)
                except Exception:  # noqa: BLE001 - any escape is a finding, and the run ends with it
                    report(target, seed, number)
                    return 1
            inputs[target.name] += BATCH
    for target in targets:
        name = target.name
        say(f"{name:28} inputs={inputs[name]} with_records={records[name]}")
    say(f"targets={len(targets)} inputs={inputs.total()} seed={seed} violations=0")
    return 0


def report(target: Target, seed: int, number: int) -> None:
    """Print the finding; called while the exception is handled."""
    data, _ = input_for(target, seed, number)
    traceback.print_exc()
    say(f"target={target.name} seed={seed} number={number} hex={data.hex()}")
    again = f"--only {target.name} --seed {seed} --number {number}"
    say(f"again: scripts/fuzz {again}")


def main() -> int:
    """Read the arguments and fuzz."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(TARGETS), help="one target")
    parser.add_argument("--number", type=int, help="one input of --only")
    arguments = parser.parse_args()
    targets = [TARGETS[arguments.only]] if arguments.only else list(TARGETS.values())
    if arguments.number is None:
        return fuzz(targets, seconds=arguments.seconds, seed=arguments.seed)
    if len(targets) != 1:
        parser.error("--number needs --only")
    try:
        try_one(targets[0], arguments.seed, arguments.number)
    except Exception:  # noqa: BLE001 - any escape is the finding
        report(targets[0], arguments.seed, arguments.number)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
