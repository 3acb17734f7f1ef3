"""Codec decodes per CPU-second: GATT blood pressure, and kiosk-board frames.

Payloads are published captures; the board's stream is one that the simulated board
sends during an ECG with SpO2 running.
"""

import time
from collections.abc import Callable
from typing import Final

from firmware_protocols.gatt import CHARACTERISTICS
from firmware_protocols.lepu.aa55 import Aa55Framer, Frame
from firmware_protocols.lepu.pc300 import decode_device
from simulators.kiosk_board import KioskBoard

# derdilla/blood-pressure-monitor-fl issue #80 (boso medicus, a failed measurement) and
# Stack Overflow question 78168365.
BLOOD_PRESSURE: Final = (
    bytes.fromhex("16FF07FF07FF07E80706170E2F3BFF070000"),
    bytes.fromhex("DEF6F416F3FF07E4070114082B00B2F2018000"),
)
# Bytes per read of a serial port, as pyserial delivers them at 115,200 baud.
CHUNK: Final = 256
ROUNDS: Final = 5


def run(quick: bool) -> dict[str, object]:  # noqa: FBT001 - the table's signature
    """Decodes per CPU-second, best of a few rounds."""
    count = 20_000 if quick else 100_000
    stream = board_stream(10.0 if quick else 30.0)
    frames = _decode_stream(stream)
    decode = CHARACTERISTICS[0x2A35]

    def gatt() -> int:
        for _ in range(count // 2):
            decode(BLOOD_PRESSURE[0])
            decode(BLOOD_PRESSURE[1])
        return count

    return {
        "gatt_blood_pressure_per_cpu_s": _best(gatt),
        "kiosk_frames_per_cpu_s": _best(lambda: _decode_stream(stream)),
        "kiosk_frames_in_stream": frames,
    }


def board_stream(seconds: float) -> bytes:
    """What a board sends while an ECG is recorded and SpO2 runs."""
    board = KioskBoard(seed=1)
    now = 0.0
    board.receive(bytes.fromhex("aa55ff0201ca"), now)
    board.receive(bytes.fromhex("aa555003020127"), now)
    board.measure_spo2(now, spo2=97, pulse=71, seconds=seconds)
    board.record_ecg(now, seconds=seconds)
    out = bytearray()
    while now < seconds:
        for data in board.poll(now):
            out += data
        due = board.next_deadline()
        now = max(now + 0.001, due if due is not None else now + 1)
    return bytes(out)


def _decode_stream(stream: bytes) -> int:
    framer = Aa55Framer()
    frames = 0
    for start in range(0, len(stream), CHUNK):
        for event in framer.receive(stream[start : start + CHUNK], 0.0):
            if isinstance(event, Frame):
                decode_device(event)
                frames += 1
    return frames


def _best(work: Callable[[], int]) -> float:
    rates = []
    for _ in range(ROUNDS):
        start = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - start))
    return max(rates)
