"""Fixtures that every folder of tests may use."""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def require_service() -> Callable[[str], str]:
    """A function that returns a Debian package's program, or skips the test.

    Under ``VITALGATE_REQUIRE_SERVICES=1``, which CI sets after installing them, a
    missing program is a failure instead.
    """

    def require(program: str) -> str:
        found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
        if found:
            return found
        reason = f"{program} is not installed (apt-get install {program})"
        if os.environ.get("VITALGATE_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return require
