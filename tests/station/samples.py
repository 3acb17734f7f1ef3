"""Invented readings for the station's tests."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid5

from gateway.codes import reading as code_of
from gateway.model.observation import (
    OBSERVATION_NAMESPACE,
    Component,
    Observation,
    Quantity,
    Setting,
    TimeQuality,
)
from gateway.model.waveform import WaveformChunk, chunk_id, pack_samples
from gateway.ports.devices import Reading
from gateway.ports.journal import EntryType, NewEntry
from gateway.wire.batch import encode_body

DEVICE = "dev-0123456789abcdef"


def component(name: str, value: str | None, unit: str | None = None) -> Component:
    code = code_of(name)
    return Component(
        name=name,
        code=code.mdc,
        quantity=Quantity(
            unit=unit or code.unit or "",
            value=None if value is None else Decimal(value),
        ),
    )


def pressure(systolic: str, diastolic: str, *more: Component) -> tuple[Component, ...]:
    return (
        component("systolic", systolic),
        component("diastolic", diastolic),
        *more,
    )


def spo2(at: datetime, value: str = "97", raw: bytes = b"\x01") -> Reading:
    return Reading(
        kind="spo2", components=(component("spo2", value),), raw=raw, received_at=at
    )


def blood_pressure(at: datetime, raw: bytes = b"\x02") -> Reading:
    return Reading(
        kind="blood_pressure_panel",
        components=pressure("128", "82"),
        raw=raw,
        received_at=at,
    )


def reading_entry(number: int, at: datetime) -> tuple[UUID, NewEntry]:
    id_ = uuid5(OBSERVATION_NAMESPACE, f"reading {number}")
    body = Observation(
        id=id_,
        kind="spo2",
        code=code_of("spo2").mdc,
        components=(component("spo2", "97"),),
        device=DEVICE,
        station="kiosk-7",
        received_at=at,
        taken_at=at,
        time_quality=TimeQuality.RECEIVED,
        setting=Setting.KIOSK,
        raw=number.to_bytes(4, "big"),
        driver="test/1",
    )
    entry = NewEntry(
        type=EntryType.READING, key=id_.bytes, body=encode_body(body), at=at
    )
    return id_, entry


def waveform_entry(number: int, at: datetime) -> tuple[UUID, NewEntry]:
    id_ = chunk_id("stream", "ecg_lead_i", number)
    body = WaveformChunk(
        id=id_,
        stream="stream",
        kind="ecg_lead_i",
        code=code_of("ecg_lead_i").mdc,
        device=DEVICE,
        station="kiosk-7",
        received_at=at,
        t0=at,
        index=number,
        rate=100.0,
        scale=0.001,
        baseline=0,
        unit="mV",
        count=50,
        samples=pack_samples(range(50)),
        setting=Setting.KIOSK,
        driver="test/1",
    )
    entry = NewEntry(
        type=EntryType.WAVEFORM, key=id_.bytes, body=encode_body(body), at=at
    )
    return id_, entry
