"""Stations, enrolled devices and the sessions at stations, in the hub's database.

Functions over a connection, as in ``gateway.records.people``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select

from gateway.database.tables import device, device_slot, measurement_session, station
from gateway.database.tables.base import from_us
from gateway.model.people import DeviceSlot, EnrolledDevice, Station
from gateway.model.session import IdentifiedBy, MeasurementSession
from gateway.records.rows import put_row
from gateway.wire.batch import StationStatus

_STATUS = msgspec.json.Decoder(StationStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRecord:
    """A station, its newest status message, and when that came."""

    station: Station
    status: StationStatus | None
    status_at: datetime | None


def put_station(connection: Connection, place: Station) -> bool:
    """Store a station; an empty public key keeps the one that is there."""
    key = {"id": place.id}
    values: dict[str, Any] = {
        "site": place.site,
        "name": place.name,
        "setting": place.setting,
    }
    known = connection.execute(
        select(station.c.public_key).where(station.c.id == place.id)
    ).scalar_one_or_none()
    if place.public_key or known is None:
        values["public_key"] = place.public_key
    if known is None:
        values["status"] = b""
    return put_row(connection, station, key, values)


def find_station(connection: Connection, id_: str) -> StationRecord | None:
    """One station, or None."""
    row = connection.execute(select(station).where(station.c.id == id_)).one_or_none()
    return None if row is None else _station(row)


def list_stations(
    connection: Connection, *, only: Collection[str] | None, after: str, limit: int
) -> list[StationRecord]:
    """Stations with ``id > after`` in order of id; ``only`` these, or all."""
    query = select(station).where(station.c.id > after).order_by(station.c.id)
    if only is not None:
        query = query.where(station.c.id.in_(sorted(only)))
    return [_station(row) for row in connection.execute(query.limit(limit))]


def put_device(connection: Connection, enrolled: EnrolledDevice) -> bool:
    """Store a device with exactly these slots."""
    changed = put_row(
        connection,
        device,
        {"id": enrolled.id},
        {
            "model": enrolled.model,
            "serial": enrolled.serial,
            "driver": enrolled.driver,
            "station": enrolled.station,
        },
    )
    wanted = {
        ("" if slot.slot is None else str(slot.slot), slot.resident)
        for slot in enrolled.slots
    }
    held = {
        (row.slot, row.resident)
        for row in connection.execute(
            select(device_slot).where(device_slot.c.device == enrolled.id)
        )
    }
    if wanted == held:
        return changed
    connection.execute(delete(device_slot).where(device_slot.c.device == enrolled.id))
    if wanted:
        connection.execute(
            insert(device_slot),
            [
                {"device": enrolled.id, "slot": s, "resident": r}
                for s, r in sorted(wanted)
            ],
        )
    return True


def list_devices(connection: Connection, at_station: str) -> list[EnrolledDevice]:
    """The devices enrolled at a station, with the persons of their slots."""
    rows = connection.execute(
        select(device).where(device.c.station == at_station).order_by(device.c.id)
    ).all()
    slots: dict[str, list[DeviceSlot]] = {row.id: [] for row in rows}
    held = connection.execute(
        select(device_slot)
        .join(device, device.c.id == device_slot.c.device)
        .where(device.c.station == at_station)
        .order_by(device_slot.c.device, device_slot.c.slot)
    )
    for row in held:
        number = int(row.slot) if row.slot else None
        slots[row.device].append(DeviceSlot(slot=number, resident=row.resident))
    return [
        EnrolledDevice(
            id=row.id,
            model=row.model,
            serial=row.serial,
            driver=row.driver,
            station=row.station,
            slots=tuple(slots[row.id]),
        )
        for row in rows
    ]


def open_sessions(
    connection: Connection, stations: Collection[str]
) -> list[MeasurementSession]:
    """The open session of each of the stations; the newest where two say open.

    A station closes a session before it opens the next, but the news of the closing
    may come later than that of the opening.
    """
    if not stations:
        return []
    rows = connection.execute(
        select(measurement_session)
        .where(
            measurement_session.c.station.in_(sorted(stations)),
            measurement_session.c.closed_us.is_(None),
        )
        .order_by(measurement_session.c.opened_us)
    )
    newest = {row.station: _session(row) for row in rows}
    return list(newest.values())


def _session(row: Row[Any]) -> MeasurementSession:
    return MeasurementSession(
        id=row.id,
        station=row.station,
        resident=row.resident,
        identified_by=IdentifiedBy(row.identified_by),
        opened_at=from_us(row.opened_us),
        opened_by=row.opened_by,
    )


def _station(row: Row[Any]) -> StationRecord:
    return StationRecord(
        station=Station(
            id=row.id,
            site=row.site,
            name=row.name,
            public_key=row.public_key,
            setting=row.setting,
        ),
        status=_STATUS.decode(row.status) if row.status else None,
        status_at=None if row.status_us is None else from_us(row.status_us),
    )
