"""From records to answers, where a field is not simply taken over."""

import base64
from datetime import datetime

from api.schemas.alerts import (
    AlertAnswer,
    ChangeAnswer,
    EvidenceAnswer,
    PersonAnswer,
)
from api.schemas.residents import (
    AttributionAnswer,
    ComponentAnswer,
    ContractAnswer,
    ObservationAnswer,
    ProofAnswer,
    ResidentAnswer,
    UnclaimedAnswer,
)
from api.schemas.stations import StationAnswer, StatusAnswer
from gateway.codes import readings
from gateway.model.observation import Observation
from gateway.services.alerts import AlertCard
from gateway.services.live import FeedEntry
from gateway.services.proof import Proof
from gateway.services.readings import Unclaimed
from gateway.services.residents import ResidentRecord
from gateway.services.stations import StationRecord


def alert_answer(card: AlertCard) -> AlertAnswer:
    """An alert with its person."""
    alert, person = card.alert, card.resident
    return AlertAnswer(
        id=alert.id,
        rule=alert.rule,
        rule_version=alert.rule_version,
        resident=None
        if person is None
        else PersonAnswer(id=person.id, name=person.name, name_latin=person.name_latin),
        level=alert.level,
        state=alert.state,
        confirmation=alert.confirmation,
        version=alert.version,
        raised_at=alert.raised_at,
        updated_at=alert.updated_at,
        evidence=[EvidenceAnswer.model_validate(e) for e in alert.evidence],
        condition_present=alert.condition_present,
        historical=alert.historical,
        kind=alert.kind,
        station=alert.station,
        device=alert.device,
        team=alert.team,
        assignee=alert.assignee,
        accepted_by=alert.accepted_by,
        accepted_at=alert.accepted_at,
        closed_by=alert.closed_by,
        closed_at=alert.closed_at,
        outcome=alert.outcome,
        note=alert.note,
    )


def change_answer(entry: FeedEntry) -> ChangeAnswer:
    """One entry of the feed."""
    return ChangeAnswer(
        seq=entry.seq, change=entry.change, alert=alert_answer(entry.card)
    )


def resident_answer(record: ResidentRecord) -> ResidentAnswer:
    """A resident, without diagnoses where the viewer may not know them."""
    person = record.resident
    return ResidentAnswer(
        id=person.id,
        name=person.name,
        name_latin=person.name_latin,
        birth_date=person.birth_date,
        sex=person.sex,
        diagnoses=list(person.diagnoses) if record.clinical else None,
        spo2_scale=person.spo2_scale if record.clinical else None,
        contracts=[ContractAnswer.model_validate(c) for c in record.contracts],
    )


def observation_answer(body: Observation) -> ObservationAnswer:
    """A reading with its bytes."""
    return ObservationAnswer(
        id=body.id,
        kind=body.kind,
        code=body.code,
        components=[ComponentAnswer.model_validate(c) for c in body.components],
        device=body.device,
        station=body.station,
        received_at=body.received_at,
        taken_at=body.taken_at,
        time_quality=body.time_quality,
        device_time=body.device_time,
        clock_offset=body.clock_offset,
        sequence=body.sequence,
        user_slot=body.user_slot,
        setting=body.setting,
        session=body.session,
        quality=body.quality,
        context=body.context,
        flags=list(body.flags),
        stored=body.stored,
        driver=body.driver,
        raw=base64.b64encode(body.raw).decode(),
    )


def proof_answer(proof: Proof) -> ProofAnswer:
    """A reading's proof. Of its history only what concerns who asks about it now."""
    return ProofAnswer(
        observation=observation_answer(proof.observation),
        log_seq=proof.seq,
        hub_received_at=proof.hub_received_at,
        resident=proof.resident,
        history=[
            AttributionAnswer(
                # Another resident it was under for a while is not theirs to know.
                resident=a.resident if a.resident in ("", proof.resident) else "other",
                by=a.by,
                approved_by=a.approved_by,
                at=a.at,
                reason=a.reason,
            )
            for a in proof.history
        ],
    )


def unclaimed_answer(found: Unclaimed) -> UnclaimedAnswer:
    """A reading or recording of nobody."""
    return UnclaimedAnswer(
        station=found.station,
        kind=found.kind,
        taken_at=found.taken_at,
        observation=None
        if found.observation is None
        else observation_answer(found.observation),
        stream=found.stream,
    )


def station_answer(record: StationRecord, now: datetime) -> StationAnswer:
    """A station with the age of its oldest unsent entry."""
    status = record.status
    oldest = None if status is None else status.oldest_at
    return StationAnswer(
        id=record.station.id,
        site=record.station.site,
        name=record.station.name,
        setting=record.station.setting,
        enrolled=bool(record.station.public_key),
        status_at=record.status_at,
        oldest_age_s=None
        if oldest is None
        else max(0.0, (now - oldest).total_seconds()),
        status=None if status is None else StatusAnswer.model_validate(status),
    )


def unit_of(metric: str) -> str:
    """UCUM unit of a metric; empty for panels and unknown names."""
    code = readings().get(metric)
    return "" if code is None or code.unit is None else code.unit
