"""Sampled signals (ECG, pleth) in chunks, with their gaps declared.

Samples are kept as ``delta, zigzag, bytes with escapes, zstd``: 0.66 bytes a sample on
MIT-BIH record 208, where raw 16-bit takes 2 (see ``docs/decisions``). Layout before
zstd: one byte per sample holding the zigzagged difference to the sample before, or 0xFF
followed by four bytes (little-endian signed difference) when it is 255 or more.
"""

import enum
import struct
from collections.abc import Sequence
from functools import cache
from uuid import UUID, uuid5

import zstandard
from msgspec import Struct

from gateway.model.instant import Instant
from gateway.model.observation import OBSERVATION_NAMESPACE, Setting

# A chunk never exceeds this: 60 s at 1 kHz. Larger is a decoding fault.
MAX_SAMPLES_PER_CHUNK = 60_000

_ESCAPE = 0xFF
_WIDE = struct.Struct("<i")


class LeadState(enum.StrEnum):
    """Whether the electrodes or the sensor were on."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class WaveformChunk(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A run of evenly spaced samples of one lead.

    Attributes:
        id: uuid5 of stream, kind and first index.
        stream: one id per recording (device and start), shared by its chunks.
        kind: name in ``gateway.codes``: ``ecg_lead_i``, ``pleth_waveform`` …
        code: 32-bit MDC code of the kind.
        index: unwrapped index of the first sample in the stream.
        t0: UTC instant of the first sample.
        rate: samples per second.
        scale: physical units per count.
        baseline: count that stands for zero.
        unit: UCUM unit of ``scale``.
        count: number of samples.
        samples: compressed counts, see ``pack_samples``.
        gap_before: samples missing before this chunk; never filled.
        lead: state of the electrodes during the chunk.
        final: the recording ends with this chunk.
    """

    id: UUID
    stream: str
    kind: str
    code: int
    device: str
    station: str
    received_at: Instant
    t0: Instant
    index: int
    rate: float
    scale: float
    baseline: int
    unit: str
    count: int
    samples: bytes
    setting: Setting
    driver: str
    gap_before: int = 0
    lead: LeadState = LeadState.UNKNOWN
    session: str | None = None
    subject: str | None = None
    final: bool = False


def chunk_id(stream: str, kind: str, index: int) -> UUID:
    """The id of a chunk: equal however often it is sent."""
    return uuid5(OBSERVATION_NAMESPACE, f"{stream}|{kind}|{index}")


@cache
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=3)


@cache
def _decompressor() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor()


def pack_samples(counts: Sequence[int]) -> bytes:
    """Compress integer counts (each within 31 bits)."""
    out = bytearray()
    before = 0
    for value in counts:
        delta = value - before
        zigzag = delta << 1 if delta >= 0 else (-delta << 1) - 1
        if zigzag < _ESCAPE:
            out.append(zigzag)
        else:
            out.append(_ESCAPE)
            out += _WIDE.pack(delta)
        before = value
    return _compressor().compress(bytes(out))


def unpack_samples(data: bytes, count: int) -> list[int]:
    """The counts that ``pack_samples`` compressed.

    Raises:
        ValueError: the data is damaged, or does not hold ``count`` samples.
    """
    if not 0 <= count <= MAX_SAMPLES_PER_CHUNK:
        raise ValueError(f"count: {count} is outside 0..{MAX_SAMPLES_PER_CHUNK}")
    try:
        packed = _decompressor().decompress(
            data, max_output_size=MAX_SAMPLES_PER_CHUNK * (1 + _WIDE.size)
        )
    except zstandard.ZstdError as error:
        raise ValueError(f"samples: not a zstd frame ({error})") from error
    values: list[int] = []
    value = 0
    position = 0
    while position < len(packed):
        zigzag = packed[position]
        position += 1
        if zigzag == _ESCAPE:
            if position + _WIDE.size > len(packed):
                raise ValueError("samples: ends inside an escape")
            value += int(_WIDE.unpack_from(packed, position)[0])
            position += _WIDE.size
        else:
            value += (zigzag >> 1) ^ -(zigzag & 1)
        values.append(value)
    if len(values) != count:
        raise ValueError(f"samples: holds {len(values)}, header says {count}")
    return values
