"""Adapters for the characteristics of the Bluetooth SIG health services."""

from collections.abc import Mapping

from firmware_protocols.errors import LayoutError
from firmware_protocols.gatt.battery import BatteryLevel
from firmware_protocols.gatt.blood_pressure import (
    BEURER,
    SIG,
    BloodPressureFeature,
    BloodPressureLayout,
    BloodPressureMeasurement,
    IntermediateCuffPressure,
)
from firmware_protocols.gatt.crc import e2e_crc
from firmware_protocols.gatt.current_time import (
    CurrentTime,
    DaylightSaving,
    LocalTimeInformation,
)
from firmware_protocols.gatt.date_time import DateTimeValue
from firmware_protocols.gatt.device_information import (
    DeviceText,
    PnpId,
    RegulatoryCertification,
    SystemId,
)
from firmware_protocols.gatt.heart_rate import (
    RR_TICKS_PER_SECOND,
    HeartRateControlPoint,
    HeartRateMeasurement,
    SensorLocation,
)
from firmware_protocols.gatt.isens import SetClock
from firmware_protocols.gatt.octets import OctetReader, OctetWriter
from firmware_protocols.gatt.thermometer import (
    MeasurementInterval,
    StaticTemperatureType,
    TemperatureMeasurement,
)
from firmware_protocols.gatt.weight_scale import WeightMeasurement, WeightScaleFeature
from tests.vectors.adapters import sig_glucose, sig_oximeter
from tests.vectors.adapters.base import Adapter, Decoded, Plain, Spellings, Vector
from tests.vectors.adapters.names import label, labels
from tests.vectors.adapters.sig_records import adapter, time_text

LAYOUTS = {"Beurer": BEURER}
"""First word of a vector's device to the deviating blood pressure layout."""

RR_DECIMALS = 3
"""Vector files round RR intervals in milliseconds to so many places."""


def _layout(vector: Vector) -> BloodPressureLayout:
    if vector.conformant:
        return SIG
    maker = str(vector.raw.get("device", "")).partition(" ")[0]
    if maker not in LAYOUTS:
        raise LayoutError("device", "has no layout of its own", vector.data)
    return LAYOUTS[maker]


def _pressure_values(
    record: BloodPressureMeasurement, vector: Vector
) -> dict[str, Plain]:
    status = record.status
    return {
        # A vendor's flags octet differs from the record's: take the wire's.
        "flags": vector.data[0],
        "unit": record.unit.value,
        "timestamp": time_text(record.timestamp),
        "pulse_rate": record.pulse_rate,
        "user_id": record.user_id,
        "status": status,
        "status_flags": None if status is None else labels(status.flags),
        "pulse_range": None if status is None else status.pulse_range.value,
    }


def blood_pressure(vector: Vector) -> Decoded:
    """Adapt 2A35."""
    layout = _layout(vector)
    record = BloodPressureMeasurement.from_bytes(vector.data, layout=layout)
    values = _pressure_values(record, vector) | {
        "systolic": record.systolic,
        "diastolic": record.diastolic,
        "map": record.mean_arterial,
    }
    return Decoded(
        values=values, reencode=lambda: record.to_bytes(layout=layout), canonical=True
    )


def cuff_pressure(vector: Vector) -> Decoded:
    """Adapt 2A36."""
    layout = _layout(vector)
    record = IntermediateCuffPressure.from_bytes(vector.data, layout=layout)
    values = _pressure_values(record.frame, vector) | {
        "cuff_pressure": record.cuff_pressure,
        "diastolic_unused": record.frame.diastolic,
        "map_unused": record.frame.mean_arterial,
    }
    return Decoded(
        values=values, reencode=lambda: record.to_bytes(layout=layout), canonical=True
    )


def _pressure_feature(record: BloodPressureFeature) -> dict[str, Plain]:
    return {
        "features": record.features,
        "feature_flags": labels(record.features.flags),
    }


def _heart_rate(record: HeartRateMeasurement) -> dict[str, Plain]:
    intervals = record.rr_intervals
    return {
        "flags": record.flags,
        "heart_rate": record.heart_rate,
        "contact": record.contact,
        "energy_kJ": record.energy_expended,
        "rr_1024": intervals,
        "rr_ms": None
        if intervals is None
        else [
            round(ticks * 1000 / RR_TICKS_PER_SECOND, RR_DECIMALS)
            for ticks in intervals
        ],
    }


def _temperature(record: TemperatureMeasurement) -> dict[str, Plain]:
    return {
        "flags": record.flags,
        "unit": record.unit.value,
        "temperature": record.temperature,
        "timestamp": time_text(record.timestamp),
        "type_code": record.temperature_type,
        "type": label(record.temperature_type),
    }


def _weight(record: WeightMeasurement) -> dict[str, Plain]:
    size = record.body_size
    return {
        "flags": record.flags,
        "unit": record.units.weight,
        "weight": "measurement_unsuccessful"
        if record.weight is None
        else record.weight,
        "timestamp": time_text(record.timestamp),
        "user_id": record.user_id,
        "bmi": None if size is None else size.bmi,
        "height": None if size is None else size.height,
        "height_unit": None if size is None else record.units.height,
    }


def _weight_feature(record: WeightScaleFeature) -> dict[str, Plain]:
    features = record.features
    return {
        "features": features,
        "timestamp": features.has(features.TIMESTAMP),
        "multiple_users": features.has(features.MULTIPLE_USERS),
        "bmi": features.has(features.BMI),
        "weight_resolution": features.weight_resolution,
        "height_resolution": features.height_resolution,
    }


def _current_time(record: CurrentTime) -> dict[str, Plain]:
    return {
        "date_time": time_text(record.date_time),
        "day_of_week": record.day_of_week,
        "fractions256": record.fractions,
        "adjust_reason": record.adjust_reason,
        "adjust_reason_flags": labels(record.adjust_reason.flags),
    }


def _local_time(record: LocalTimeInformation) -> dict[str, Plain]:
    minutes = record.time_zone_minutes
    return {
        "time_zone_min": Spellings(None, "unknown") if minutes is None else minutes,
        "dst": label(record.dst),
    }


def _date_time(record: DateTimeValue) -> dict[str, Plain]:
    return {"date_time": time_text(record.date_time)}


def _text(record: DeviceText) -> dict[str, Plain]:
    return {"text": record.text}


def _system_id(record: SystemId) -> dict[str, Plain]:
    return {"manufacturer_id": record.manufacturer_id, "oui": record.oui}


def _certification(record: RegulatoryCertification) -> dict[str, Plain]:
    return {"octets": record.octets.hex()}


def _pnp(record: PnpId) -> dict[str, Plain]:
    return {
        "vendor_id_source": record.vendor_id_source,
        "vendor_id": record.vendor_id,
        "product_id": record.product_id,
        "product_version": record.product_version,
    }


def _sfloat(vector: Vector) -> Decoded:
    reader = OctetReader(vector.data)
    value = reader.sfloat("value")
    if reader.left():
        raise LayoutError("value", "bytes are left over", vector.data)
    writer = OctetWriter().sfloat(value)
    return Decoded(values={"value": value}, reencode=writer.value, canonical=True)


def _float(vector: Vector) -> Decoded:
    reader = OctetReader(vector.data)
    value = reader.float("value")
    if reader.left():
        raise LayoutError("value", "bytes are left over", vector.data)
    writer = OctetWriter().float(value)
    return Decoded(values={"value": value}, reencode=writer.value, canonical=True)


def _crc(vector: Vector) -> Decoded:
    return Decoded(values={"crc16_mcrf4xx": f"{e2e_crc(vector.data):04X}"})


def _set_clock(vector: Vector) -> Decoded:
    if vector.conformant:
        raise LayoutError("characteristic", "is a vendor's", vector.data)
    record = SetClock.from_bytes(vector.data)
    values = {"command": "set clock", "date_time": time_text(record.date_time)}
    return Decoded(values=values, reencode=record.to_bytes, canonical=True)


ADAPTERS: Mapping[str, Adapter] = {
    "SFLOAT": _sfloat,
    "FLOAT": _float,
    "E2E-CRC": _crc,
    "FFF1 (vendor, service FFF0)": _set_clock,
    "0x2A08": adapter(DateTimeValue.from_bytes, _date_time),
    "0x2A0D": adapter(DaylightSaving.from_bytes, lambda it: {"dst": label(it.dst)}),
    "0x2A0F": adapter(LocalTimeInformation.from_bytes, _local_time),
    "0x2A19": adapter(BatteryLevel.from_bytes, lambda it: {"battery_pct": it.level}),
    "0x2A1C": adapter(TemperatureMeasurement.from_bytes, _temperature),
    "0x2A1D": adapter(
        StaticTemperatureType.from_bytes,
        lambda it: {
            "type_code": it.temperature_type,
            "type": label(it.temperature_type),
        },
    ),
    "0x2A1E": adapter(TemperatureMeasurement.from_bytes, _temperature),
    "0x2A21": adapter(
        MeasurementInterval.from_bytes, lambda it: {"interval_s": it.interval}
    ),
    "0x2A23": adapter(SystemId.from_bytes, _system_id),
    **{
        f"0x{number:04X}": adapter(DeviceText.from_bytes, _text)
        for number in range(0x2A24, 0x2A2A)
    },
    "0x2A2A": adapter(RegulatoryCertification.from_bytes, _certification),
    "0x2A2B": adapter(CurrentTime.from_bytes, _current_time),
    "0x2A35": blood_pressure,
    "0x2A36": cuff_pressure,
    "0x2A37": adapter(HeartRateMeasurement.from_bytes, _heart_rate),
    "0x2A38": adapter(
        SensorLocation.from_bytes,
        lambda it: {"location_code": it.location, "location": label(it.location)},
    ),
    "0x2A39": adapter(
        HeartRateControlPoint.from_bytes,
        lambda it: {"command_code": it.command, "command": label(it.command)},
    ),
    "0x2A49": adapter(BloodPressureFeature.from_bytes, _pressure_feature),
    "0x2A50": adapter(PnpId.from_bytes, _pnp),
    "0x2A9D": adapter(WeightMeasurement.from_bytes, _weight),
    "0x2A9E": adapter(WeightScaleFeature.from_bytes, _weight_feature),
    **sig_glucose.ADAPTERS,
    **sig_oximeter.ADAPTERS,
}
