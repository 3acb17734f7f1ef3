"""Stations with two lanes over a network that loses, repeats and reorders.

Whatever happens, in the end everything is acknowledged and in the log exactly once, and
at no time is anything acknowledged that is not in the log or among the dead letters.
"""

import asyncio
import tempfile
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.ports.messaging import Message
from gateway.wire.batch import encode_body
from tests.hub.build import Hub, StationModel, blood_pressure, fail_commits

STATIONS = ("station-a", "station-b")


class Delivery(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.flight: list[Message] = []
        self.numbers = 0
        self.bad: set[bytes] = set()
        self.in_log: set[bytes] = set()

    @initialize()
    def start(self) -> None:
        self.hub = Hub(Path(self.folder.name) / "hub.db")
        self.loop.run(self.hub.open())
        self.models = {id_: StationModel(id_) for id_ in STATIONS}
        for model in self.models.values():
            self.loop.run(self.hub.enrol(model))
        self.left = fail_commits(self.hub.database.engine, 0)

    @rule(id_=st.sampled_from(STATIONS), count=st.integers(1, 8))
    def measure(self, id_: str, count: int) -> None:
        for _ in range(count):
            self.numbers += 1
            self.models[id_].record(blood_pressure(self.numbers, station=id_))

    @rule(number=st.integers(1, 40))
    def both_hear(self, number: int) -> None:
        """Two stations drain the same record from one device."""
        for id_, model in self.models.items():
            model.record(blood_pressure(10_000 + number, station=id_))

    @rule(id_=st.sampled_from(STATIONS))
    def record_nonsense(self, id_: str) -> None:
        self.numbers += 1
        body = b'{"n":%d}' % self.numbers
        self.models[id_].record_bytes("reading", body)
        self.bad.add(body)

    @rule(id_=st.sampled_from(STATIONS), count=st.integers(1, 6))
    def send_backlog(self, id_: str, count: int) -> None:
        model = self.models[id_]
        if seqs := model.unacknowledged[:count]:
            self.flight.append(model.batch(seqs))

    @rule(id_=st.sampled_from(STATIONS), count=st.integers(1, 6))
    def send_fresh(self, id_: str, count: int) -> None:
        model = self.models[id_]
        if seqs := model.unacknowledged[-count:]:
            self.flight.append(model.batch(seqs))

    @rule(at=st.integers(0, 100), times=st.integers(0, 2))
    def lose_or_repeat(self, at: int, times: int) -> None:
        if self.flight:
            message = self.flight.pop(at % len(self.flight))
            self.flight.extend([message] * times)

    @rule(count=st.integers(1, 5), backwards=st.booleans(), lost=st.booleans())
    def take(self, count: int, *, backwards: bool, lost: bool) -> None:
        group, self.flight = self.flight[:count], self.flight[count:]
        if backwards:
            group.reverse()
        self.hub.acks.lose = lost
        if group:
            self.loop.run(self._send(group))

    async def _send(self, group: list[Message]) -> None:
        deliveries = await self.hub.send(*group)
        assert all(delivery.is_done for delivery in deliveries)

    @rule(times=st.integers(1, 2))
    def disk_trouble(self, times: int) -> None:
        self.left[0] = times

    @invariant()
    def what_is_acknowledged_is_kept(self) -> None:
        held = self.loop.run(self.hub.logged())
        ids = [msgspec.json.decode(body)["id"] for body in held]
        assert len(ids) == len(set(ids))
        letters = self.loop.run(self.hub.letters.newest(10_000))
        bad = {letter.payload for letter in letters}
        for model in self.models.values():
            for seq in model.acknowledged:
                _, body = model.journal[seq]
                assert body in bad or msgspec.json.decode(body)["id"] in ids

    def teardown(self) -> None:
        if hasattr(self, "models"):
            self.left[0] = 0
            self.hub.acks.lose = False
            # A network that works again: each station sends what is not acknowledged.
            for model in self.models.values():
                while seqs := model.unacknowledged[:10]:
                    self.loop.run(self._send([model.batch(seqs)]))
            self._settled()
            self.hub.database.close()
        self.loop.close()
        self.folder.cleanup()

    def _settled(self) -> None:
        held = self.loop.run(self.hub.logged())
        every = {
            body
            for model in self.models.values()
            for _, body in model.journal.values()
            if body not in self.bad
        }
        ids = {msgspec.json.decode(body)["id"] for body in every}
        assert sorted(msgspec.json.decode(body)["id"] for body in held) == sorted(ids)
        assert set(held) <= every
        letters = self.loop.run(self.hub.letters.newest(10_000))
        assert {letter.payload for letter in letters} == self.bad


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


async def test_the_models_bodies_are_the_wires(hub: Hub, station: StationModel) -> None:
    """The machine compares bytes: what is logged must be what was journalled."""
    await hub.send(station.batch(station.record(blood_pressure(1))))
    assert await hub.logged() == [encode_body(blood_pressure(1))]
