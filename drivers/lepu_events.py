"""What each record of a Lepu spot-check board becomes; the state of one connection.

Source: ``firmware_protocols.lepu.pc300``.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from drivers import lepu_readings
from drivers.lepu_streams import EcgStream, PlethStream
from drivers.quirk_values import number, token
from drivers.thinning import CONTINUOUS_INTERVAL_S, Thinner
from firmware_protocols.errors import ProtocolError
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.pc300 import Variant, decode_device
from firmware_protocols.lepu.pc300.codec import DeviceRecord
from firmware_protocols.lepu.pc300.ecg import EcgGain, EcgResult, EcgWave
from firmware_protocols.lepu.pc300.ecg_module import EcgStarted, EcgStopped
from firmware_protocols.lepu.pc300.glucose import (
    Cholesterol,
    Glucose,
    Pc100Glucose,
    UricAcid,
)
from firmware_protocols.lepu.pc300.nibp import (
    CuffPressure,
    NibpError,
    NibpResult,
    NibpStarted,
)
from firmware_protocols.lepu.pc300.oximetry import (
    PLETH_HZ,
    Pleth,
    ProbeOff,
    Spo2,
    Spo2State,
)
from firmware_protocols.lepu.pc300.system import PowerOff, VersionBattery
from firmware_protocols.lepu.pc300.temperature import (
    Temperature,
    TemperatureModeReport,
    TemperatureState,
)
from firmware_protocols.lepu.record import Unknown
from gateway.ports.devices import (
    Battery,
    Condition,
    DriverContext,
    DriverEvent,
    Live,
    Reading,
    Samples,
    Undecodable,
)

PROBE_OFF: Final = "probe-off"
LEAD_OFF: Final = "lead-off"
PRESSURE_FAILED: Final = "blood-pressure-failed"
SWITCHED_OFF: Final = "device-switched-off"

_FULL_LEVEL: Final = 3  # of the boards' battery levels 0 to 3
_LEADS: Final = {"i": "ecg_lead_i", "ii": "ecg_lead_ii"}


def _undecodable(frame: Frame, reason: str, at: datetime) -> Undecodable:
    return Undecodable(raw=frame.raw, reason=reason, received_at=at)


class BoardEvents:
    """Turns frames into events; give it every frame in order."""

    def __init__(self, ctx: DriverContext, variant: Variant) -> None:
        lead = token(ctx.quirks, "ecg_lead", "")
        self._ctx = ctx
        self._ecg = EcgStream(_LEADS.get(lead, "ecg_unspecified_lead"))
        self._pleth = PlethStream(PLETH_HZ)
        self._thinner = Thinner(
            number(ctx.quirks, "continuous_interval_s", CONTINUOUS_INTERVAL_S)
        )
        self._conditions: set[str] = set()
        self._mode: TemperatureModeReport | None = None
        self._variant = variant

    def decode(
        self, frame: Frame, at: datetime
    ) -> tuple[DeviceRecord | None, list[DriverEvent]]:
        """The record of a frame and its events; None when no decoder accepts it."""
        try:
            record = decode_device(frame, self._variant)
        except ProtocolError as error:
            return None, [_undecodable(frame, str(error), at)]
        return record, list(self._events(record, frame, at))

    def finish(self) -> list[DriverEvent]:
        """What is held back when the connection ends."""
        return [*self._thinner.flush()]

    def switched_on(self) -> list[DriverEvent]:
        """The board answers again after it was switched off."""
        return self._set(SWITCHED_OFF, active=False)

    def _events(
        self, record: DeviceRecord, frame: Frame, at: datetime
    ) -> Iterator[DriverEvent]:
        if isinstance(record, Spo2 | Spo2State | ProbeOff):
            yield from self._oximetry(record, frame, at)
        elif isinstance(record, Pleth):
            if PROBE_OFF not in self._conditions:
                yield self._pleth.samples(record.samples, at)
        elif isinstance(
            record, EcgWave | EcgGain | EcgStarted | EcgStopped | EcgResult
        ):
            yield from self._electrocardiogram(record, frame, at)
        elif isinstance(record, NibpStarted | CuffPressure | NibpResult | NibpError):
            yield from self._blood_pressure(record, frame, at)
        elif isinstance(record, Temperature):
            yield from self._temperature(record, frame, at)
        else:
            yield from self._other(record, frame, at)

    def _other(
        self, record: DeviceRecord, frame: Frame, at: datetime
    ) -> Iterator[DriverEvent]:
        match record:
            case TemperatureModeReport():
                self._mode = record
            case Glucose() | Pc100Glucose():
                yield lepu_readings.glucose(record, frame.raw, at)
            case VersionBattery():
                yield from _battery(record)
            case PowerOff():
                yield from self._set(SWITCHED_OFF, active=True)
            case UricAcid() | Cholesterol():
                yield _undecodable(frame, f"{record.kind}: has no code here", at)
            case Unknown():
                reason = f"frame {record.token:02X}/{record.type:02X}: unknown"
                yield _undecodable(frame, reason, at)
            case _:
                return  # states and acknowledgements that change nothing

    def _set(self, code: str, *, active: bool, detail: str = "") -> list[DriverEvent]:
        """A condition, when it changes."""
        if active is (code in self._conditions):
            return []
        if active:
            self._conditions.add(code)
        else:
            self._conditions.discard(code)
        return [Condition(code=code, active=active, detail=detail)]

    def _oximetry(
        self, record: Spo2 | Spo2State | ProbeOff, frame: Frame, at: datetime
    ) -> Iterator[DriverEvent]:
        off = True if isinstance(record, ProbeOff) else record.probe_off
        yield from self._set(PROBE_OFF, active=off)
        if off:
            # What was measured until now is not made older by the pause.
            yield from self._thinner.flush()
            return
        if not isinstance(record, Spo2) or record.spo2_pct is None:
            return
        parts = lepu_readings.spo2_components(
            record.spo2_pct, record.pulse_bpm, record.pi_pct
        )
        for part in parts:
            if part.quantity.value is not None:
                value = str(part.quantity.value)
                yield Live(name=part.name, value=value, unit=part.quantity.unit)
        reading = Reading(
            kind="spo2",
            components=parts,
            raw=frame.raw,
            received_at=at,
            flags=("signal-searching",) if record.searching else (),
            context={"modality": "continuous"},
            questionable=record.searching,
        )
        yield from self._thinner.offer(reading, self._ctx.monotonic())

    def _electrocardiogram(
        self,
        record: EcgWave | EcgGain | EcgStarted | EcgStopped | EcgResult,
        frame: Frame,
        at: datetime,
    ) -> Iterator[DriverEvent]:
        samples: Samples | None = None
        match record:
            case EcgGain():
                self._ecg.gain(record.counts_per_mv)
            case EcgWave():
                yield from self._set(LEAD_OFF, active=record.lead_off)
                samples = self._ecg.wave(record, at)
                if samples is None and record.seq:
                    yield _undecodable(frame, "ecg_wave: frame number repeated", at)
                if record.hr_bpm is not None:
                    yield Live(
                        name="heart_rate_ecg", value=str(record.hr_bpm), unit="/min"
                    )
            case EcgStarted() | EcgStopped():
                samples = self._ecg.end(at)
            case EcgResult():
                samples = self._ecg.end(at)
                yield lepu_readings.ecg_heart_rate(record, frame.raw, at)
        if samples is not None:
            yield samples

    def _blood_pressure(
        self,
        record: NibpStarted | CuffPressure | NibpResult | NibpError,
        frame: Frame,
        at: datetime,
    ) -> Iterator[DriverEvent]:
        match record:
            case NibpStarted():
                yield from self._set(PRESSURE_FAILED, active=False)
                yield Live(name="cuff-pressure", value="0", unit="mm[Hg]")
            case CuffPressure():
                yield Live(name="cuff-pressure", value=str(record.mmhg), unit="mm[Hg]")
            case NibpResult():
                yield from self._set(PRESSURE_FAILED, active=False)
                yield lepu_readings.blood_pressure(record, frame.raw, at)
            case NibpError():
                flag = lepu_readings.fault_flag(record)
                yield from self._set(PRESSURE_FAILED, active=True, detail=flag)
                yield lepu_readings.blood_pressure_failure(record, frame.raw, at)

    def _temperature(
        self, record: Temperature, frame: Frame, at: datetime
    ) -> Iterator[DriverEvent]:
        mode = None if self._mode is None else self._mode.mode
        if record.state is TemperatureState.DONE:
            yield lepu_readings.temperature(record, mode, frame.raw, at)
        elif record.state is TemperatureState.MEASURING and record.celsius is not None:
            yield Live(name="body_temperature", value=str(record.celsius), unit="Cel")
        timeout = record.state is TemperatureState.TIMEOUT
        yield from self._set("temperature-timeout", active=timeout)


def _battery(record: VersionBattery) -> Iterator[DriverEvent]:
    if record.battery_level is not None:
        percent = min(record.battery_level, _FULL_LEVEL) * 100 // _FULL_LEVEL
        yield Battery(percent=percent, charging=record.charging in ("charging", "full"))
