"""The drivers that come with vitalgate: one explicit table, no directory scans."""

from typing import Final

from drivers.blood_pressure import BloodPressureDriver
from drivers.glucose import GlucoseDriver
from drivers.heart_rate import HeartRateDriver
from drivers.lepu_kiosk import LepuKioskDriver
from drivers.lepu_oximeter import LepuOximeterDriver
from drivers.pulse_oximeter import PulseOximeterDriver
from drivers.thermometer import ThermometerDriver
from drivers.weight_scale import WeightScaleDriver
from gateway.ports.devices import ByteDriver, GattDriver

BUILT_IN: Final[tuple[GattDriver | ByteDriver, ...]] = (
    BloodPressureDriver(),
    PulseOximeterDriver(),
    GlucoseDriver(),
    ThermometerDriver(),
    WeightScaleDriver(),
    HeartRateDriver(),
    LepuKioskDriver(),
    LepuOximeterDriver(),
)
