"""Hypothesis strategies of every record that has a characteristic."""

from typing import Any

from hypothesis import strategies as st

from firmware_protocols.gatt import blood_pressure as bp
from firmware_protocols.gatt import current_time as ct
from firmware_protocols.gatt import device_information as dis
from firmware_protocols.gatt import glucose as gl
from firmware_protocols.gatt import glucose_codes as codes
from firmware_protocols.gatt import glucose_context as ctx
from firmware_protocols.gatt import heart_rate as hr
from firmware_protocols.gatt import pulse_oximeter as plx
from firmware_protocols.gatt import record_access as racp
from firmware_protocols.gatt import thermometer as tm
from firmware_protocols.gatt import weight_scale as ws
from firmware_protocols.gatt.battery import BatteryLevel
from firmware_protocols.gatt.date_time import DateTime, DateTimeValue
from firmware_protocols.ieee11073.floats import decode_float, decode_sfloat

U8 = st.integers(0, 0xFF)
U16 = st.integers(0, 0xFFFF)
U24 = st.integers(0, 0xFF_FFFF)
U32 = st.integers(0, 0xFFFF_FFFF)
NIBBLE = st.integers(0, 0x0F)
SFLOAT = U16.map(decode_sfloat)
FLOAT = U32.map(decode_float)
TRAILING = st.binary(max_size=4)
HIGH_3_BITS = st.integers(0, 7).map(lambda bits: bits << 5)

DATE_TIME = st.builds(
    DateTime, year=U16, month=U8, day=U8, hours=U8, minutes=U8, seconds=U8
)
CLOCK = st.builds(
    DateTime,
    year=st.just(0) | st.integers(1582, 9999),
    month=st.integers(0, 12),
    day=st.integers(0, 31),
    hours=st.integers(0, 23),
    minutes=st.integers(0, 59),
    seconds=st.integers(0, 59),
)

PRESSURE = st.builds(
    bp.BloodPressureMeasurement,
    unit=st.sampled_from(bp.PressureUnit),
    systolic=SFLOAT,
    diastolic=SFLOAT,
    mean_arterial=SFLOAT,
    timestamp=st.none() | DATE_TIME,
    pulse_rate=st.none() | SFLOAT,
    user_id=st.none() | U8,
    status=st.none() | U16.map(bp.BloodPressureStatus),
    reserved_flags=HIGH_3_BITS,
)
PAIR = st.builds(plx.SpO2PulseRate, spo2=SFLOAT, pulse_rate=SFLOAT)
OXIMETER_STATES = {
    "measurement_status": st.none() | U16.map(plx.OximeterMeasurementStatus),
    "device_sensor_status": st.none() | U24.map(plx.OximeterDeviceStatus),
    "pulse_amplitude_index": st.none() | SFLOAT,
    "reserved_flags": HIGH_3_BITS,
    "trailing": TRAILING,
}


@st.composite
def oximeter_features(draw: st.DrawFn) -> plx.OximeterFeature:
    features = draw(U16)
    return plx.OximeterFeature(
        features=plx.OximeterFeatures(features),
        measurement_status_support=plx.OximeterMeasurementStatus(draw(U16))
        if features & 1
        else None,
        device_sensor_status_support=plx.OximeterDeviceStatus(draw(U24))
        if features & 2
        else None,
        trailing=draw(TRAILING),
    )


@st.composite
def heart_rates(draw: st.DrawFn) -> hr.HeartRateMeasurement:
    wide = draw(st.booleans())
    intervals = draw(st.none() | st.lists(U16, max_size=9).map(tuple))
    return hr.HeartRateMeasurement(
        heart_rate=draw(U16 if wide else U8),
        energy_expended=draw(st.none() | U16),
        rr_intervals=intervals,
        wide=wide,
        contact_detected=draw(st.booleans()),
        contact_supported=draw(st.booleans()),
        reserved_flags=draw(HIGH_3_BITS),
        trailing=draw(TRAILING) if intervals is None else b"",
    )


@st.composite
def weights(draw: st.DrawFn) -> ws.WeightMeasurement:
    units = draw(st.sampled_from(ws.WeightUnits))
    imperial = units is ws.WeightUnits.IMPERIAL
    raw = draw(U16)
    return ws.WeightMeasurement(
        units=units,
        weight=None
        if raw == 0xFFFF
        else raw * (ws._POUND if imperial else ws._KILOGRAM),
        timestamp=draw(st.none() | DATE_TIME),
        user_id=draw(st.none() | U8),
        body_size=draw(
            st.none()
            | st.builds(
                ws.BodySize,
                bmi=U16.map(lambda steps: steps * ws._BMI),
                height=U16.map(
                    lambda steps: steps * (ws._INCH if imperial else ws._METRE)
                ),
            )
        ),
        reserved_flags=draw(st.integers(0, 15).map(lambda bits: bits << 4)),
        trailing=draw(TRAILING),
    )


@st.composite
def requests(draw: st.DrawFn) -> racp.RecordRequest:
    op_code = racp.OpCode(draw(st.sampled_from([1, 2, 4])))
    operator = racp.Operator(draw(st.integers(1, 6)))
    count = racp._OPERANDS.get(operator, 0)
    filter_type = racp.FilterType(draw(st.integers(1, 2))) if count else None
    operand: st.SearchStrategy[racp.FilterValue] = U16
    if filter_type == racp.FilterType.USER_FACING_TIME:
        operand = DATE_TIME
    return racp.RecordRequest(
        op_code=op_code,
        operator=operator,
        filter_type=filter_type,
        filter_values=tuple(draw(operand) for _ in range(count)),
        trailing=draw(TRAILING),
    )


@st.composite
def counts(draw: st.DrawFn) -> racp.RecordCount:
    size = draw(st.sampled_from(racp.COUNT_SIZES))
    number = draw(st.integers(0, (1 << 8 * size) - 1))
    return racp.RecordCount(number_of_records=number, size=size)


CONTROL_POINT = (
    requests()
    | counts()
    | st.builds(
        racp.RecordResponse,
        request_op_code=U8.map(racp.OpCode),
        response=U8.map(racp.ResponseValue),
        trailing=TRAILING,
    )
    | st.builds(
        racp.UnknownProcedure,
        op_code=st.integers(7, 255).map(racp.OpCode),
        operator=U8.map(racp.Operator),
        operand=st.binary(max_size=20),
    )
)
TEXT = st.builds(dis.DeviceText, octets=st.binary(max_size=20))

RECORDS: dict[int, st.SearchStrategy[Any]] = {
    0x2A08: st.builds(DateTimeValue, date_time=CLOCK, trailing=TRAILING),
    0x2A0D: st.builds(
        ct.DaylightSaving,
        dst=st.sampled_from(sorted(ct.DstOffset.LABELS)).map(ct.DstOffset),
        trailing=TRAILING,
    ),
    0x2A0F: st.builds(
        ct.LocalTimeInformation,
        time_zone=st.none() | st.integers(-48, 56),
        dst=st.sampled_from(sorted(ct.DstOffset.LABELS)).map(ct.DstOffset),
        trailing=TRAILING,
    ),
    0x2A18: st.builds(
        gl.GlucoseMeasurement,
        sequence_number=U16,
        base_time=DATE_TIME,
        time_offset=st.none() | st.integers(-0x8000, 0x7FFF),
        unit=st.sampled_from(gl.ConcentrationUnit),
        sample=st.none()
        | st.builds(
            gl.GlucoseSample,
            concentration=SFLOAT,
            sample_type=NIBBLE.map(codes.SampleType),
            location=NIBBLE.map(codes.SampleLocation),
        ),
        status=st.none() | U16.map(codes.GlucoseStatus),
        context_follows=st.booleans(),
        reserved_flags=HIGH_3_BITS,
        trailing=TRAILING,
    ),
    0x2A19: st.builds(BatteryLevel, level=st.integers(0, 100), trailing=TRAILING),
    0x2A1C: st.builds(
        tm.TemperatureMeasurement,
        unit=st.sampled_from(tm.TemperatureUnit),
        temperature=FLOAT,
        timestamp=st.none() | DATE_TIME,
        temperature_type=st.none() | U8.map(tm.TemperatureType),
        reserved_flags=st.integers(0, 31).map(lambda bits: bits << 3),
        trailing=TRAILING,
    ),
    0x2A1D: st.builds(
        tm.StaticTemperatureType,
        temperature_type=U8.map(tm.TemperatureType),
        trailing=TRAILING,
    ),
    0x2A21: st.builds(tm.MeasurementInterval, interval=U16, trailing=TRAILING),
    0x2A23: st.builds(
        dis.SystemId,
        manufacturer_id=st.integers(0, (1 << 40) - 1),
        oui=U24,
        trailing=TRAILING,
    ),
    0x2A29: TEXT,
    0x2A2A: st.builds(dis.RegulatoryCertification, octets=st.binary(max_size=20)),
    0x2A2B: st.builds(
        ct.CurrentTime,
        date_time=CLOCK,
        day_of_week=st.integers(0, 7).map(ct.DayOfWeek),
        fractions=U8,
        adjust_reason=U8.map(ct.AdjustReason),
        trailing=TRAILING,
    ),
    0x2A34: st.builds(
        ctx.GlucoseContext,
        sequence_number=U16,
        extended_flags=st.none() | U8,
        carbohydrate=st.none()
        | st.builds(
            ctx.Carbohydrate,
            carbohydrate_id=U8.map(codes.CarbohydrateId),
            amount=SFLOAT,
        ),
        meal=st.none() | U8.map(codes.Meal),
        tester_health=st.none()
        | st.builds(
            ctx.TesterHealth,
            tester=NIBBLE.map(codes.Tester),
            health=NIBBLE.map(codes.Health),
        ),
        exercise=st.none() | st.builds(ctx.Exercise, duration=U16, intensity=U8),
        medication=st.none()
        | st.builds(
            ctx.Medication, medication_id=U8.map(codes.MedicationId), amount=SFLOAT
        ),
        medication_unit=st.sampled_from(ctx.MedicationUnit),
        hba1c=st.none() | SFLOAT,
        trailing=TRAILING,
    ),
    0x2A35: PRESSURE,
    0x2A36: st.builds(bp.IntermediateCuffPressure, frame=PRESSURE),
    0x2A37: heart_rates(),
    0x2A38: st.builds(
        hr.SensorLocation, location=U8.map(hr.BodySensorLocation), trailing=TRAILING
    ),
    0x2A39: st.builds(
        hr.HeartRateControlPoint,
        command=U8.map(hr.HeartRateCommand),
        trailing=TRAILING,
    ),
    0x2A49: st.builds(
        bp.BloodPressureFeature,
        features=U16.map(bp.BloodPressureFeatures),
        trailing=TRAILING,
    ),
    0x2A50: st.builds(
        dis.PnpId,
        vendor_id_source=U8.map(dis.VendorIdSource),
        vendor_id=U16,
        product_id=U16,
        product_version=U16,
        trailing=TRAILING,
    ),
    0x2A51: st.builds(
        gl.GlucoseFeature, features=U16.map(codes.GlucoseFeatures), trailing=TRAILING
    ),
    0x2A52: CONTROL_POINT,
    0x2A5E: st.builds(
        plx.SpotCheckMeasurement,
        spo2=SFLOAT,
        pulse_rate=SFLOAT,
        timestamp=st.none() | DATE_TIME,
        clock_not_set=st.booleans(),
        **OXIMETER_STATES,
    ),
    0x2A5F: st.builds(
        plx.ContinuousMeasurement,
        normal=PAIR,
        fast=st.none() | PAIR,
        slow=st.none() | PAIR,
        **OXIMETER_STATES,
    ),
    0x2A60: oximeter_features(),
    0x2A9D: weights(),
    0x2A9E: st.builds(
        ws.WeightScaleFeature,
        features=U32.map(ws.WeightScaleFeatures),
        trailing=TRAILING,
    ),
}
"""Characteristic to records of all kinds that it can carry."""

SAME_CODEC = {
    0x2A1E: 0x2A1C,
    **dict.fromkeys((0x2A24, 0x2A25, 0x2A26, 0x2A27, 0x2A28), 0x2A29),
}
"""Characteristics whose decoder is another one's."""
