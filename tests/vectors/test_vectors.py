"""Every vector against the codec of its characteristic or family."""

from tests.vectors.adapters import ADAPTERS
from tests.vectors.adapters.base import Vector
from tests.vectors.harness import check


def test_vector(vector: Vector) -> None:
    check(vector, ADAPTERS)
