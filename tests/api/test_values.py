"""Values, proof, claims and recordings over HTTP."""

import json
import struct
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

from tests.api.samples import NOW, blood_pressure, ecg
from tests.api.world import PASSWORD, World


async def test_blood_pressure_is_one_reading(world: World) -> None:
    await world.add(*(blood_pressure(n) for n in (3, 2, 1)))
    async with await world.sign_in("dr.east") as client:
        recent = (await client.get("/api/v1/residents/r-1/recent?limit=2")).json()
        latest = (await client.get("/api/v1/residents/r-1/latest")).json()
    assert [sorted(r["points"]) for r in recent["items"]] == [
        ["diastolic", "pulse_rate_cuff", "systolic"]
    ] * 2
    assert [r["points"]["systolic"]["value"] for r in recent["items"]] == ["121", "122"]
    assert recent["units"]["systolic"] == "mm[Hg]"
    assert latest["points"]["systolic"]["value"] == "121"


async def test_recent_reaches_back_as_far_as_needed(world: World) -> None:
    for days in (0, 5, 20, 200):
        await world.add(blood_pressure(days, at=NOW - timedelta(days=days, minutes=1)))
    async with await world.sign_in("dr.east") as client:
        found = (await client.get("/api/v1/residents/r-1/recent")).json()["items"]
    assert [r["points"]["systolic"]["value"] for r in found] == [
        "120", "125", "140", "320",
    ]  # fmt: skip


async def test_points_page_through_equal_times(world: World) -> None:
    same = NOW - timedelta(minutes=1)
    await world.add(*(blood_pressure(n, at=same) for n in range(5)))
    await world.add(blood_pressure(9))
    values: list[str] = []
    cursor = ""
    async with await world.sign_in("dr.east") as client:
        while True:
            answer = await client.get(
                "/api/v1/residents/r-1/readings",
                params={"metric": "systolic", "limit": 2, "cursor": cursor},
            )
            values += [p["value"] for p in answer.json()["items"]]
            cursor = answer.json()["next"]
            if not cursor:
                break
    assert values[0] == "129"
    assert sorted(values[1:]) == ["120", "121", "122", "123", "124"]


async def test_windows(world: World) -> None:
    await world.add(*(blood_pressure(n) for n in (50, 40, 10)))
    async with await world.sign_in("dr.east") as client:
        answer = await client.get(
            "/api/v1/residents/r-1/windows?metric=systolic&width=3600"
        )
        too_many = await client.get(
            "/api/v1/residents/r-1/windows?metric=systolic&width=1"
        )
        unknown = await client.get("/api/v1/residents/r-1/windows?metric=mood")
    (window,) = answer.json()["items"]
    assert (window["count"], window["minimum"], window["maximum"]) == (3, "130", "170")
    assert (too_many.status_code, unknown.status_code) == (422, 422)


async def test_proof_shows_bytes_driver_and_times(world: World) -> None:
    body = blood_pressure(1)
    await world.add(body)
    async with await world.sign_in("dr.east") as client:
        proof = (await client.get(f"/api/v1/readings/{body.id}")).json()
    assert proof["observation"]["raw"] == "FgEA"
    assert proof["observation"]["driver"] == "test/1"
    assert proof["resident"] == "r-1"
    assert proof["history"] == []


async def test_claim_moves_the_reading_once(world: World) -> None:
    body = blood_pressure(1, subject=None)
    await world.add(body)
    path = f"/api/v1/readings/{body.id}"
    question = {"resident": "r-1", "reason": "card read late"}
    async with (
        await world.sign_in("op.one") as operator,
        await world.sign_in("op.two") as other,
        await world.sign_in("dr.east") as doctor,
    ):
        waiting = (await operator.get("/api/v1/stations/kiosk-1/unclaimed")).json()
        assert [u["observation"]["id"] for u in waiting["items"]] == [str(body.id)]
        elsewhere = await other.get("/api/v1/stations/kiosk-1/unclaimed")
        assert elsewhere.status_code == 404
        assert (await other.post(f"{path}/claim", json=question)).status_code == 404
        assert (await doctor.get(path)).status_code == 404
        nobody = await operator.post(
            f"{path}/claim", json={**question, "resident": "r-9"}
        )
        assert nobody.status_code == 404
        done = await operator.post(f"{path}/claim", json=question)
        assert done.status_code == 200
        again = await operator.post(f"{path}/claim", json=question)
        assert again.status_code == 409
        assert "r-1" not in again.text  # whose it is now is not the operator's to know
        proof = (await doctor.get(path)).json()
        latest = (await doctor.get("/api/v1/residents/r-1/latest")).json()
        left = (await operator.get("/api/v1/stations/kiosk-1/unclaimed")).json()
    assert [h["by"] for h in proof["history"]] == ["op.one"]
    assert latest["points"]["systolic"]["value"] == "121"
    assert left["items"] == []
    assert world.log.woken == 1


async def test_reassignment_wants_a_second_person_and_the_doctor(
    world: World,
) -> None:
    body = blood_pressure(1)
    await world.add(body)
    path = f"/api/v1/readings/{body.id}/reassign"

    def question(approver: str, password: str = PASSWORD) -> dict[str, object]:
        return {
            "resident": "r-2",
            "reason": "wrong card",
            "approver": {"account": approver, "password": password},
        }

    async with (
        await world.sign_in("op.one") as operator,
        await world.sign_in("dr.east") as doctor,
        await world.sign_in("dr.west") as west,
    ):
        alone = await doctor.post(path, json=question("dr.east"))
        wrong = await operator.post(path, json=question("dr.east", "guess"))
        two_operators = await operator.post(path, json=question("op.two"))
        other_doctor = await operator.post(path, json=question("dr.west"))
        hidden = await west.post(path, json=question("dr.east"))
        assert [
            r.status_code for r in (alone, wrong, two_operators, other_doctor, hidden)
        ] == [403, 401, 403, 403, 404]
        done = await operator.post(path, json=question("dr.east"))
        assert done.status_code == 200, done.text
        assert (await doctor.get(f"/api/v1/readings/{body.id}")).status_code == 404
        proof = (await west.get(f"/api/v1/readings/{body.id}")).json()
    assert proof["resident"] == "r-2"
    (entry,) = proof["history"]
    assert (entry["by"], entry["approved_by"]) == ("op.one", "dr.east")
    assert "r-1" not in json.dumps(proof)  # whose it was is not the new doctor's


async def test_two_claims_at_once_make_one(world: World) -> None:
    import asyncio  # noqa: PLC0415 - only here

    body = blood_pressure(1, subject=None)
    await world.add(body)
    async with await world.sign_in("op.one") as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    f"/api/v1/readings/{body.id}/claim",
                    json={"resident": resident, "reason": "test"},
                )
                for resident in ("r-1", "r-2")
            )
        )
    assert sorted(a.status_code for a in answers) == [200, 409]


async def test_recording_as_int16_with_its_gap(world: World) -> None:
    await world.add(ecg(0), ecg(1100, gap=100), ecg(2100))
    async with await world.sign_in("dr.east") as client:
        (recording,) = (await client.get("/api/v1/residents/r-1/waveforms")).json()[
            "items"
        ]
        assert (recording["stream"], recording["chunks"]) == ("ecg-1", 3)
        answer = await client.get("/api/v1/waveforms/ecg-1?kind=ecg_lead_ii")
        start = quote((NOW - timedelta(minutes=5) + timedelta(seconds=12)).isoformat())
        part = await client.get(
            f"/api/v1/waveforms/ecg-1?kind=ecg_lead_ii&start={start}"
        )
        other = await client.get("/api/v1/waveforms/ecg-1?kind=ecg_lead_i")
    headers = answer.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-waveform-rate"] == "100"
    assert headers["x-waveform-lead"] == "II"
    assert headers["x-waveform-scale"] == "0.0025"
    assert headers["x-waveform-unit"] == "mV"
    assert headers["x-waveform-baseline"] == "10"
    assert json.loads(headers["x-waveform-gaps"]) == [[1000, 100]]
    assert headers["x-waveform-next"] == ""
    counts = struct.unpack("<3000h", answer.content)
    assert counts[:3] == (0, 1, 2)
    assert counts[1000] == 1100 % 7
    assert json.loads(part.headers["x-waveform-gaps"]) == []
    assert part.headers["x-waveform-count"] == "2000"
    assert other.status_code == 404


async def test_unclaimed_recording_is_claimed(world: World) -> None:
    await world.add(ecg(0, subject=None), ecg(1000, subject=None))
    async with (
        await world.sign_in("op.one") as operator,
        await world.sign_in("dr.east") as doctor,
    ):
        (waiting,) = (await operator.get("/api/v1/stations/kiosk-1/unclaimed")).json()[
            "items"
        ]
        assert (waiting["stream"], waiting["observation"]) == ("ecg-1", None)
        path = "/api/v1/waveforms/ecg-1"
        assert (await doctor.get(f"{path}?kind=ecg_lead_ii")).status_code == 404
        done = await operator.post(
            f"{path}/claim", json={"resident": "r-1", "reason": "card read late"}
        )
        assert done.status_code == 200
        samples = await doctor.get(f"{path}?kind=ecg_lead_ii")
        assert samples.headers["x-waveform-count"] == "2000"
        left = (await operator.get("/api/v1/stations/kiosk-1/unclaimed")).json()
        assert left["items"] == []


async def test_unclaimed_list_pages(world: World) -> None:
    bodies = [blood_pressure(n // 2, subject=None, at=None) for n in (2, 4, 6)]
    same = [
        blood_pressure(n, subject=None, at=NOW - timedelta(hours=1)) for n in range(4)
    ]
    await world.add(*bodies, *same, ecg(0, subject=None))
    found: list[str] = []
    cursor = ""
    async with await world.sign_in("op.one") as client:
        while True:
            page = (
                await client.get(
                    f"/api/v1/stations/kiosk-1/unclaimed?limit=2&cursor={cursor}"
                )
            ).json()
            found += [u["stream"] or u["observation"]["id"] for u in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
    assert sorted(found) == sorted([*(str(b.id) for b in [*bodies, *same]), "ecg-1"])


async def test_nothing_there(world: World) -> None:
    async with await world.sign_in("op.one") as client:
        answer = await client.get(f"/api/v1/readings/{UUID(int=5)}")
    assert answer.status_code == 404
