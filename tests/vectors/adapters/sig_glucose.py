"""Adapters for the glucose service and its record access control point."""

from collections.abc import Mapping

from firmware_protocols.gatt.date_time import DateTime
from firmware_protocols.gatt.glucose import GlucoseFeature, GlucoseMeasurement
from firmware_protocols.gatt.glucose_context import EXERCISE_OVERRUN, GlucoseContext
from firmware_protocols.gatt.record_access import (
    ControlPointValue,
    RecordCount,
    RecordRequest,
    RecordResponse,
    decode_record_access,
)
from tests.vectors.adapters.base import Adapter, Plain, Spellings
from tests.vectors.adapters.names import label, labels
from tests.vectors.adapters.sig_records import adapter, time_text

KETONE_MARK = 6


def _measurement(record: GlucoseMeasurement) -> dict[str, Plain]:
    sample, status = record.sample, record.status
    time = record.user_facing_time()
    return {
        "flags": record.flags,
        "sequence_number": record.sequence_number,
        "base_time": time_text(record.base_time),
        "time_offset_min": record.time_offset,
        "measurement_time": None if time is None else time.isoformat(),
        "unit": None if sample is None else record.unit.value,
        "concentration": None if sample is None else sample.concentration,
        "mg_per_dL": record.mg_per_dl,
        "mmol_per_L": record.mmol_per_l,
        "type": None if sample is None else label(sample.sample_type),
        "location": None if sample is None else label(sample.location),
        "status": status,
        "status_flags": None if status is None else labels(status.flags),
        "context_follows": record.context_follows,
    }


def _context(record: GlucoseContext) -> dict[str, Plain]:
    values: dict[str, Plain] = {
        "flags": record.flags,
        "sequence_number": record.sequence_number,
        "extended_flags": record.extended_flags,
        "meal_code": record.meal,
        # Code 6 is reserved, and the ketone mark of i-SENS meters.
        "meal": Spellings("reserved", "ketone", "ketone_marker")
        if record.meal == KETONE_MARK
        else label(record.meal),
        "hba1c_pct": record.hba1c,
    }
    carbohydrate, people = record.carbohydrate, record.tester_health
    values["carbohydrate"] = carbohydrate and label(carbohydrate.carbohydrate_id)
    values["carbohydrate_raw"] = carbohydrate and carbohydrate.amount
    values["tester"] = people and label(people.tester)
    values["health"] = people and label(people.health)
    exercise, medication = record.exercise, record.medication
    values["exercise_intensity_pct"] = exercise and exercise.intensity
    values["exercise_duration_s"] = exercise and (
        Spellings(EXERCISE_OVERRUN, "overrun")
        if exercise.duration == EXERCISE_OVERRUN
        else exercise.duration
    )
    values["medication"] = medication and label(medication.medication_id)
    values["medication_unit"] = medication and record.medication_unit.value
    values["medication_raw"] = medication and medication.amount
    return values


def _feature(record: GlucoseFeature) -> dict[str, Plain]:
    return {
        "features": record.features,
        "feature_flags": labels(record.features.flags),
    }


def _control_point(record: ControlPointValue) -> dict[str, Plain]:
    values: dict[str, Plain] = {
        "op_code": record.op_code,
        "op": label(record.op_code),
        "operator": record.operator,
        "operator_name": label(record.operator),
    }
    match record:
        case RecordRequest():
            values["filter_type"] = record.filter_type
            values["filter_values"] = [
                str(value) if isinstance(value, DateTime) else value
                for value in record.filter_values
            ]
        case RecordCount():
            values["number_of_records"] = record.number_of_records
        case RecordResponse():
            values["request_op_code"] = record.request_op_code
            values["response_code"] = record.response
            values["response"] = label(record.response)
        case _:
            values["operand"] = record.operand.hex()
    return values


ADAPTERS: Mapping[str, Adapter] = {
    "0x2A18": adapter(GlucoseMeasurement.from_bytes, _measurement),
    "0x2A34": adapter(GlucoseContext.from_bytes, _context),
    "0x2A51": adapter(GlucoseFeature.from_bytes, _feature),
    "0x2A52": adapter(decode_record_access, _control_point),
}
