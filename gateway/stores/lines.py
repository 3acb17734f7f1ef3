"""Log entries as InfluxDB line protocol. Pure.

One line per component::

    systolic,resident=r-7,kind=blood_pressure_panel,quality=ok value=151 1767594600000

A HI or LO carries ``absent="above-range"`` with ``above=1`` (numbers survive servers
that keep no strings). A reading that was moved away leaves a line with ``moved=1`` at
its instant in its old series, since not every server can delete one point; readers drop
an instant that carries it. Waveforms do not go into a time-series database.
"""

from collections.abc import Iterable
from typing import Final

from gateway.database.tables.base import to_us
from gateway.model.observation import Absent, Observation

# The measurement that carries the projection's own progress.
MARKER: Final = "vitalgate_projection"

_ESCAPE = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": " "})
_QUOTE = str.maketrans({'"': r"\"", "\\": r"\\", "\n": " "})
_ABSENT_FIELD: Final = {
    Absent.ABOVE_RANGE: "above",
    Absent.BELOW_RANGE: "below",
}


def millis(observation: Observation) -> int:
    """The instant of an observation as the server keeps it: whole milliseconds."""
    return to_us(observation.taken_at) // 1000


def observation_lines(observation: Observation, resident: str) -> Iterable[str]:
    """The lines of one observation in the series of ``resident``."""
    at = millis(observation)
    for component in observation.components:
        quantity = component.quantity
        if quantity.value is not None:
            fields = f"value={quantity.value:f}"
        else:
            absent = quantity.absent or Absent.UNKNOWN
            number = _ABSENT_FIELD.get(absent, "none")
            fields = f'{number}=1,absent="{absent.value.translate(_QUOTE)}"'
        yield f"{_series(component.name, observation, resident)} {fields} {at}"


def moved_lines(observation: Observation, resident: str) -> Iterable[str]:
    """The lines that take one observation out of the series of ``resident``."""
    at = millis(observation)
    for component in observation.components:
        yield f"{_series(component.name, observation, resident)} moved=1 {at}"


def marker_line(store: str, seq: int, at_ms: int) -> str:
    """Progress: the log up to ``seq`` was written before this line."""
    return f"{MARKER},store={store.translate(_ESCAPE)} seq={seq} {at_ms}"


def _series(metric: str, observation: Observation, resident: str) -> str:
    return (
        f"{metric},resident={resident.translate(_ESCAPE)},"
        f"kind={observation.kind.translate(_ESCAPE)},"
        f"quality={observation.quality.value}"
    )
