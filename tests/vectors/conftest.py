"""Turns every vector of every vector file into one test with the vector's id."""

import os
from pathlib import Path

import pytest

from tests.vectors.harness import load

EXTRA_VECTORS = "VITALGATE_EXTRA_VECTORS"
"""Environment variable: a folder with more vector files, for acceptance tests."""


def vector_files() -> list[Path]:
    """List the vector files: those of this folder, then those of the extra one."""
    folders = [Path(__file__).parent]
    extra = os.environ.get(EXTRA_VECTORS)
    if extra:
        folders.append(Path(extra))
    files = []
    for folder in folders:
        found = sorted(folder.glob("*.json"))
        if not found:
            raise pytest.UsageError(f"{folder} holds no vector files")
        files += found
    return files


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" in metafunc.fixturenames:
        parameters = [
            pytest.param(vector, id=f"{path.stem}:{vector.id}")
            for path in vector_files()
            for vector in load(path)
        ]
        metafunc.parametrize("vector", parameters)
