"""Which drivers there are, and which one takes a device."""

from gateway.registry.builtin import BUILT_IN
from gateway.registry.registry import Explanation, Registry

__all__ = ["BUILT_IN", "Explanation", "Registry"]
