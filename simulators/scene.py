"""A morning at the demo's health station, and the home monitors of its residents.

The opening is a script, so that whoever starts the demo sees each kind of reading and a
few alerts within a minute; then it goes on with what the patients' courses give.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from simulators.cast import OTHER_TEAM, RESIDENTS, Person
from simulators.kiosk_board import KioskBoard
from simulators.patients import Sign, Vitals, patient
from simulators.pty_port import PtyPort
from simulators.radio.attributes import Need
from simulators.radio.behaviour import Behaviour, Identity
from simulators.radio.blood_pressure import SimulatedCuff
from simulators.radio.glucose import SimulatedMeter
from simulators.radio.heart_rate import SimulatedStrap
from simulators.radio.peripheral import SimulatedPeripheral
from simulators.radio.pulse_oximeter import SimulatedOximeter
from simulators.radio.thermometer import SimulatedThermometer
from simulators.radio.weight_scale import SimulatedScale

Now = Callable[[], datetime]
Identify = Callable[[str], Awaitable[None]]
Leave = Callable[[], Awaitable[None]]

# What a kiosk measurement takes on the board, seconds, with time to sit down.
BLOOD_PRESSURE_S: Final = 40.0
ECG_S: Final = 33.0
# Between two people at the kiosk, and between two readings at home, once the script
# has run.
BETWEEN_PEOPLE_S: Final = (8.0, 25.0)
BETWEEN_HOME_S: Final = (6.0, 20.0)
# One reading in so many comes with an episode.
EPISODE_ONE_IN: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeDevice:
    """A monitor at somebody's home; the whole device is that person's."""

    resident: str
    driver: str
    identity: Identity


def _device(number: int, resident: str, driver: str, name: str) -> HomeDevice:
    identity = Identity(
        name=name, model=f"EX-{number}", serial=f"EX-{number:06d}", battery=60 + number
    )
    return HomeDevice(resident=resident, driver=driver, identity=identity)


HOME_DEVICES: Final = (
    _device(1, "r-1006", "blood_pressure", "EX-CUFF"),
    _device(2, "r-1004", "pulse_oximeter", "EX-OXI"),
    _device(3, "r-1003", "glucose", "EX-GLUCO"),
    _device(4, "r-1008", "thermometer", "EX-THERMO"),
    _device(5, "r-1006", "weight_scale", "EX-SCALE"),
    _device(6, "r-1007", "heart_rate", "EX-STRAP"),
)


class Home:
    """The home monitors on a virtual radio."""

    def __init__(self, now: Now) -> None:
        cuff, oximeter, meter, thermometer, scale, strap = (
            device.identity for device in HOME_DEVICES
        )
        quick = Behaviour(idle_disconnect_s=4.0)
        self.cuff = SimulatedCuff(cuff, now=now, behaviour=quick, clock_offset_s=340.0)
        self.oximeter = SimulatedOximeter(oximeter, now=now, behaviour=quick)
        self.meter = SimulatedMeter(meter, now=now, need=Need.ENCRYPTION)
        self.thermometer = SimulatedThermometer(thermometer, now=now)
        self.scale = SimulatedScale(scale, now=now)
        self.strap = SimulatedStrap(strap)

    @property
    def peripherals(self) -> tuple[SimulatedPeripheral, ...]:
        """All of them, to be added to a room."""
        return (
            self.cuff,
            self.oximeter,
            self.meter,
            self.thermometer,
            self.scale,
            self.strap,
        )


class Scene:
    """Runs until cancelled."""

    def __init__(
        self,
        board: KioskBoard,
        port: PtyPort,
        home: Home,
        *,
        now: Now,
        identify: Identify,
        leave: Leave,
        seed: int = 1,
    ) -> None:
        """Set the scene.

        Args:
            board: the kiosk's board.
            port: the pty it is on.
            home: the home monitors.
            now: local time, naive.
            identify: the operator names the person who sits down.
            leave: that person gets up.
            seed: the same seed gives the same values.
        """
        self._board = board
        self._port = port
        self._home = home
        self._now = now
        self._identify = identify
        self._leave = leave
        self._rng = random.Random(seed)  # noqa: S311 - simulation
        people = (*RESIDENTS, *OTHER_TEAM)
        self._vitals = {
            person.id: Vitals(patient(person.id, person.conditions))
            for person in people
        }

    async def run(self) -> None:
        """The script, then ordinary days."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._kiosk())
            tasks.create_task(self._homes())
            tasks.create_task(self._strap())

    # --- the kiosk ------------------------------------------------------------------

    async def _kiosk(self) -> None:
        while not self._board.commands:  # noqa: ASYNC110 - a deque has no event
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)
        await self._opening()
        while True:
            person = self._rng.choice(RESIDENTS)
            await self._identify(person.id)
            await self._visit(person)
            await self._leave()
            await asyncio.sleep(self._rng.uniform(*BETWEEN_PEOPLE_S))

    async def _opening(self) -> None:
        """A blood pressure that cannot wait, then glucose and an ECG."""
        await self._identify("r-1002")
        self._port.act(
            self._board.measure_bp,
            self._port.now(),
            systolic=226,
            diastolic=124,
            mean=158,
            pulse=92,
        )
        await asyncio.sleep(BLOOD_PRESSURE_S)
        self._port.act(self._board.measure_glucose, mmol_l=Decimal("18.4"))
        self._port.act(
            self._board.measure_spo2, self._port.now(), spo2=96, pulse=84, seconds=20.0
        )
        self._port.act(self._board.record_ecg, self._port.now())
        await asyncio.sleep(ECG_S)
        await self._leave()

    async def _visit(self, person: Person) -> None:
        vitals = self._vitals[person.id]
        at = self._now()
        systolic, diastolic, mean, pulse = vitals.blood_pressure(
            at, shift=self._episode(45.0)
        )
        self._port.act(
            self._board.measure_bp,
            self._port.now(),
            systolic=systolic,
            diastolic=diastolic,
            mean=mean,
            pulse=pulse,
        )
        await asyncio.sleep(BLOOD_PRESSURE_S)
        celsius = Decimal(str(vitals.read(Sign.TEMPERATURE, at)))
        self._port.act(
            self._board.measure_temperature, self._port.now(), celsius=celsius
        )
        spo2 = int(vitals.read(Sign.SPO2, at, shift=self._episode(-6.0)))
        self._port.act(
            self._board.measure_spo2,
            self._port.now(),
            spo2=spo2,
            pulse=pulse,
            seconds=15.0,
        )
        await asyncio.sleep(18.0)
        glucose = Decimal(str(vitals.read(Sign.GLUCOSE, at, shift=self._episode(8.0))))
        self._port.act(self._board.measure_glucose, mmol_l=glucose)
        if self._rng.random() < 0.5:  # noqa: PLR2004 - every other visit
            self._port.act(self._board.record_ecg, self._port.now())
            await asyncio.sleep(ECG_S)
        await asyncio.sleep(2.0)

    def _episode(self, shift: float) -> float:
        return shift if self._rng.randrange(EPISODE_ONE_IN) == 0 else 0.0

    # --- at home --------------------------------------------------------------------

    async def _homes(self) -> None:
        home = self._home
        await asyncio.sleep(2.0)
        await home.cuff.measure(systolic=188, diastolic=112, mean_arterial=137)
        await asyncio.sleep(2.0)
        await home.oximeter.spot_check(spo2=87, pulse_rate=104)
        await asyncio.sleep(2.0)
        await home.thermometer.measure(temperature=Decimal("39.4"))
        await asyncio.sleep(2.0)
        await self._glucose(Decimal("2.7"))
        await asyncio.sleep(60.0)
        # A minute later: the repeat that confirms.
        await home.oximeter.spot_check(spo2=86, pulse_rate=108)
        while True:
            await asyncio.sleep(self._rng.uniform(*BETWEEN_HOME_S))
            await self._one_at_home()

    async def _one_at_home(self) -> None:
        home, at = self._home, self._now()
        match self._rng.randrange(5):
            case 0:
                vitals = self._vitals["r-1006"]
                systolic, diastolic, mean, pulse = vitals.blood_pressure(
                    at, shift=self._episode(40.0)
                )
                await home.cuff.measure(
                    systolic=systolic,
                    diastolic=diastolic,
                    mean_arterial=mean,
                    pulse_rate=pulse,
                )
            case 1:
                vitals = self._vitals["r-1004"]
                await home.oximeter.spot_check(
                    spo2=int(vitals.read(Sign.SPO2, at)),
                    pulse_rate=int(vitals.read(Sign.PULSE, at)),
                )
            case 2:
                value = self._vitals["r-1003"].read(Sign.GLUCOSE, at)
                await self._glucose(Decimal(str(value)))
            case 3:
                value = self._vitals["r-1008"].read(Sign.TEMPERATURE, at)
                await home.thermometer.measure(temperature=Decimal(str(value)))
            case _:
                value = self._vitals["r-1006"].read(Sign.WEIGHT, at)
                await home.scale.measure(weight=Decimal(str(value)))

    async def _glucose(self, mmol_l: Decimal) -> None:
        # mol/L on the wire.
        await self._home.meter.measure(concentration=mmol_l / 1000)

    async def _strap(self) -> None:
        await self._home.strap.wear()
        vitals = self._vitals["r-1007"]
        while True:
            rate = int(vitals.read(Sign.PULSE, self._now()))
            await self._home.strap.beat(heart_rate=rate)
            await asyncio.sleep(1.0)
