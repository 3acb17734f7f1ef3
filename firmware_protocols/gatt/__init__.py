"""GATT characteristics of the Bluetooth SIG health services.

``CHARACTERISTICS`` maps a 16-bit UUID to the function that decodes its value into a
frozen record. The functions read the specification's layout; a model that deviates
needs the ``layout`` of its own codec. They raise nothing but ``ProtocolError``.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from firmware_protocols.gatt.battery import BatteryLevel
from firmware_protocols.gatt.blood_pressure import (
    BloodPressureFeature,
    BloodPressureMeasurement,
    IntermediateCuffPressure,
)
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
from firmware_protocols.gatt.glucose import GlucoseFeature, GlucoseMeasurement
from firmware_protocols.gatt.glucose_context import GlucoseContext
from firmware_protocols.gatt.heart_rate import (
    HeartRateControlPoint,
    HeartRateMeasurement,
    SensorLocation,
)
from firmware_protocols.gatt.octets import Octets
from firmware_protocols.gatt.pulse_oximeter import (
    ContinuousMeasurement,
    OximeterFeature,
    SpotCheckMeasurement,
)
from firmware_protocols.gatt.record_access import decode_record_access
from firmware_protocols.gatt.thermometer import (
    MeasurementInterval,
    StaticTemperatureType,
    TemperatureMeasurement,
)
from firmware_protocols.gatt.weight_scale import WeightMeasurement, WeightScaleFeature


class GattRecord(Protocol):
    """What every decoded value can do."""

    def to_bytes(self) -> bytes:
        """Return the value's octets again."""
        ...


Decoder: TypeAlias = Callable[[Octets], GattRecord]

CHARACTERISTICS: dict[int, Decoder] = {
    0x2A08: DateTimeValue.from_bytes,
    0x2A0D: DaylightSaving.from_bytes,
    0x2A0F: LocalTimeInformation.from_bytes,
    0x2A18: GlucoseMeasurement.from_bytes,
    0x2A19: BatteryLevel.from_bytes,
    0x2A1C: TemperatureMeasurement.from_bytes,
    0x2A1D: StaticTemperatureType.from_bytes,
    0x2A1E: TemperatureMeasurement.from_bytes,
    0x2A21: MeasurementInterval.from_bytes,
    0x2A23: SystemId.from_bytes,
    0x2A24: DeviceText.from_bytes,
    0x2A25: DeviceText.from_bytes,
    0x2A26: DeviceText.from_bytes,
    0x2A27: DeviceText.from_bytes,
    0x2A28: DeviceText.from_bytes,
    0x2A29: DeviceText.from_bytes,
    0x2A2A: RegulatoryCertification.from_bytes,
    0x2A2B: CurrentTime.from_bytes,
    0x2A34: GlucoseContext.from_bytes,
    0x2A35: BloodPressureMeasurement.from_bytes,
    0x2A36: IntermediateCuffPressure.from_bytes,
    0x2A37: HeartRateMeasurement.from_bytes,
    0x2A38: SensorLocation.from_bytes,
    0x2A39: HeartRateControlPoint.from_bytes,
    0x2A49: BloodPressureFeature.from_bytes,
    0x2A50: PnpId.from_bytes,
    0x2A51: GlucoseFeature.from_bytes,
    0x2A52: decode_record_access,
    0x2A5E: SpotCheckMeasurement.from_bytes,
    0x2A5F: ContinuousMeasurement.from_bytes,
    0x2A60: OximeterFeature.from_bytes,
    0x2A9D: WeightMeasurement.from_bytes,
    0x2A9E: WeightScaleFeature.from_bytes,
}
"""16-bit UUID to decoder."""
