"""Run one benchmark, or list them."""

import argparse
import json
import sys
from collections.abc import Callable

from benchmarks import codecs

Benchmark = Callable[[bool], dict[str, object]]

BENCHMARKS: dict[str, Benchmark] = {"codecs": codecs.run}


def main() -> int:
    """Print the figures of the named benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="smaller, less steady")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    arguments = parser.parse_args()
    figures = BENCHMARKS[arguments.name](arguments.quick)
    if arguments.json:
        json.dump(figures, sys.stdout, indent=2)
        print()
        return 0
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        shown = f"{value:,.2f}" if isinstance(value, float) else f"{value}"
        print(f"{name:<{width}}  {shown}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
