"""Samples of a recording, as 16-bit integers with what they mean in headers."""

import json
from datetime import UTC
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime

from api.auth import CLINICAL, STAFF, Requires
from api.schemas.residents import Attributed, ClaimQuestion
from api.state import ServicesDep
from gateway.services.identity import Viewer
from gateway.services.waveforms import Strip

router = APIRouter(prefix="/waveforms", tags=["waveforms"])

Clinical = Annotated[Viewer, Depends(Requires(CLINICAL))]
Staff = Annotated[Viewer, Depends(Requires(STAFF))]

_LEAD: Final = "ecg_lead_"
_AUGMENTED: Final = {"avr": "aVR", "avl": "aVL", "avf": "aVF"}


class SampleResponse(Response):
    """Little-endian signed 16-bit counts."""

    media_type = "application/octet-stream"


def _header(description: str, kind: str) -> dict[str, object]:
    return {"description": description, "schema": {"type": kind}}


_SAMPLES: Final = {
    200: {
        "description": "Counts; physical value = (count - baseline) * scale.",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"}
            }
        },
        "headers": {
            "X-Waveform-Rate": _header("Samples per second.", "number"),
            "X-Waveform-Kind": _header("Name of the kind.", "string"),
            "X-Waveform-Lead": _header("Lead: I, aVR, V1; empty: none.", "string"),
            "X-Waveform-Scale": _header("Units per count.", "number"),
            "X-Waveform-Unit": _header("UCUM.", "string"),
            "X-Waveform-Baseline": _header("Count that stands for zero.", "integer"),
            "X-Waveform-Start": _header("Instant of the first sample.", "string"),
            "X-Waveform-Count": _header("Samples in the body.", "integer"),
            "X-Waveform-Gaps": _header(
                "JSON: [[place in the body, samples missing], ...].", "string"
            ),
            "X-Waveform-Next": _header("Where it goes on; empty: its end.", "string"),
        },
    }
}


@router.get(
    "/{stream}",
    response_class=SampleResponse,
    responses=_SAMPLES,  # type: ignore[arg-type]  # FastAPI's type has invariant dicts
    summary="Samples of one lead",
)
async def samples(
    stream: str,
    viewer: Clinical,
    services: ServicesDep,
    kind: Annotated[str, Query(max_length=48, examples=["ecg_lead_ii"])],
    start: Annotated[AwareDatetime | None, Query()] = None,
) -> SampleResponse:
    """Up to 20 minutes from ``start`` or the beginning. Gaps are named, not filled."""
    begin = None if start is None else start.astimezone(UTC)
    strip = await services.waveforms.strip(viewer, stream, kind, start=begin)
    return SampleResponse(strip.samples, headers=_headers(strip))


@router.post("/{stream}/claim", summary="Say whose an unclaimed recording is")
async def claim_recording(
    stream: str, question: ClaimQuestion, viewer: Staff, services: ServicesDep
) -> Attributed:
    """Only at one's own stations; audited."""
    made = await services.readings.claim(
        viewer, resident=question.resident, reason=question.reason, stream=stream
    )
    return Attributed(id=made.id, resident=made.resident, at=made.at)


def _headers(strip: Strip) -> dict[str, str]:
    gaps = [[gap.at, gap.missing] for gap in strip.gaps]
    return {
        "X-Waveform-Rate": f"{strip.rate:g}",
        "X-Waveform-Kind": strip.kind,
        "X-Waveform-Lead": lead_name(strip.kind),
        "X-Waveform-Scale": repr(strip.scale),
        "X-Waveform-Unit": strip.unit,
        "X-Waveform-Baseline": str(strip.baseline),
        "X-Waveform-Start": strip.start.isoformat(),
        "X-Waveform-Count": str(strip.count),
        "X-Waveform-Gaps": json.dumps(gaps, separators=(",", ":")),
        "X-Waveform-Next": "" if strip.next is None else strip.next.isoformat(),
    }


def lead_name(kind: str) -> str:
    """``aVR`` for ``ecg_lead_avr``; empty for what is no ECG lead."""
    if not kind.startswith(_LEAD):
        return ""
    name = kind.removeprefix(_LEAD)
    return _AUGMENTED.get(name, name.upper())
