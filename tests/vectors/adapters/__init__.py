"""Adapters from vectors to codecs, by characteristic UUID or protocol family."""

from importlib import import_module
from importlib.util import find_spec

from tests.vectors.adapters import sig
from tests.vectors.adapters.base import Adapter

FAMILIES = ("lepu", "lepu_oximeter")
"""Modules of this package with an ``ADAPTERS`` of vendor families."""

ADAPTERS: dict[str, Adapter] = dict(sig.ADAPTERS)

for _family in FAMILIES:
    _name = f"{__name__}.{_family}"
    # A family's vectors and adapter arrive together with its codec.
    if find_spec(_name) is not None:
        ADAPTERS.update(import_module(_name).ADAPTERS)
