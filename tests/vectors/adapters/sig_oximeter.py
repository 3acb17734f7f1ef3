"""Adapters for the pulse oximeter service."""

from collections.abc import Mapping

from firmware_protocols.gatt.pulse_oximeter import (
    ContinuousMeasurement,
    OximeterFeature,
    SpotCheckMeasurement,
)
from tests.vectors.adapters.base import Adapter, Plain
from tests.vectors.adapters.names import labels
from tests.vectors.adapters.sig_records import adapter, time_text


def _states(
    record: SpotCheckMeasurement | ContinuousMeasurement,
) -> dict[str, Plain]:
    measurement, device = record.measurement_status, record.device_sensor_status
    return {
        "flags": record.flags,
        "measurement_status": measurement,
        "measurement_status_flags": None
        if measurement is None
        else labels(measurement.flags),
        "device_sensor_status": device,
        "device_sensor_status_flags": None if device is None else labels(device.flags),
        "pulse_amplitude_index_pct": record.pulse_amplitude_index,
    }


def _spot_check(record: SpotCheckMeasurement) -> dict[str, Plain]:
    return _states(record) | {
        "spo2_pct": record.spo2,
        "pulse_rate": record.pulse_rate,
        "timestamp": time_text(record.timestamp),
        "clock_not_set": record.clock_not_set,
    }


def _continuous(record: ContinuousMeasurement) -> dict[str, Plain]:
    values = _states(record)
    values["spo2_pct"] = record.normal.spo2
    values["pulse_rate"] = record.normal.pulse_rate
    for speed, pair in (("fast", record.fast), ("slow", record.slow)):
        # Sources put the speed before or behind the quantity.
        spo2, pulse = (pair.spo2, pair.pulse_rate) if pair else (None, None)
        values[f"spo2pr_{speed}"] = pair and {"spo2_pct": spo2, "pulse_rate": pulse}
        values |= {f"spo2_{speed}_pct": spo2, f"{speed}_spo2_pct": spo2}
        values |= {f"spo2_pct_{speed}": spo2}
        values |= {f"pulse_rate_{speed}": pulse, f"{speed}_pulse_rate": pulse}
    return values


def _feature(record: OximeterFeature) -> dict[str, Plain]:
    measurement = record.measurement_status_support
    device = record.device_sensor_status_support
    return {
        "features": record.features,
        "feature_flags": labels(record.features.flags),
        "measurement_status_support": measurement,
        "measurement_status_support_flags": None
        if measurement is None
        else labels(measurement.flags),
        "device_sensor_status_support": device,
        "device_sensor_status_support_flags": None
        if device is None
        else labels(device.flags),
    }


ADAPTERS: Mapping[str, Adapter] = {
    "0x2A5E": adapter(SpotCheckMeasurement.from_bytes, _spot_check),
    "0x2A5F": adapter(ContinuousMeasurement.from_bytes, _continuous),
    "0x2A60": adapter(OximeterFeature.from_bytes, _feature),
}
