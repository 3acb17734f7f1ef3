"""Framing, with frames whose bytes come from the world and from the builder."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocols.errors import (
    ChecksumError,
    LayoutError,
    ProtocolError,
    TruncatedError,
)
from firmware_protocols.lepu.aa55 import (
    FRAME_SECONDS,
    MAX_DATA,
    MAX_PENDING,
    Aa55Framer,
    Event,
    Frame,
    Noise,
    NoiseReason,
)

CAPTURED = bytes.fromhex("aa555307016143002500d9")
OTHER = bytes.fromhex("aa5572050140026153")

frames = st.builds(
    lambda token, kind, data: Frame.build(token=token, type=kind, data=data),
    st.integers(0, 255),
    st.integers(0, 255),
    # Data full of headers is what breaks weak framers.
    st.binary(max_size=40)
    | st.lists(st.sampled_from([b"\xaa", b"\x55", b"\xaa\x55\x52\x04", b"\x00"])).map(
        lambda parts: b"".join(parts)[:MAX_DATA]
    ),
)
quiet_noise = st.binary(max_size=30).map(lambda data: data.replace(b"\xaa", b"\x00"))
any_noise = st.binary(max_size=30) | st.sampled_from(
    [b"\xaa", b"\xaa\xaa", b"\xaa\x55", b"\xaa\x55\x52\x40", b"\xaa\x55\x52\xff\x01"]
)


def run(data: bytes, cuts: list[int]) -> list[Event]:
    """Everything that comes out, the framer being closed at the end."""
    framer = Aa55Framer()
    events: list[Event] = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        events += framer.receive(data[start:end], 0.0)
        assert len(framer.pending) <= MAX_PENDING
    return events + framer.close()


def octets(events: list[Event]) -> bytes:
    return b"".join(
        event.raw if isinstance(event, Frame) else event.data for event in events
    )


def found(events: list[Event]) -> list[Frame]:
    return [event for event in events if isinstance(event, Frame)]


def test_captured_frames_one_after_the_other() -> None:
    framer = Aa55Framer()
    assert framer.receive(CAPTURED + OTHER, 0.0) == [Frame(CAPTURED), Frame(OTHER)]
    assert framer.pending == b""
    assert framer.next_deadline() is None


def test_parts_of_a_frame() -> None:
    frame = Frame(CAPTURED)
    assert (frame.token, frame.type) == (0x53, 0x01)
    assert frame.data == bytes.fromhex("6143002500")
    assert Frame.build(token=0x53, type=0x01, data=frame.data) == frame


def test_garbage_before_and_a_partial_frame_behind() -> None:
    framer = Aa55Framer()
    events = framer.receive(b"\x55\x01\xaa" + CAPTURED + b"\xaa\x55\x52", 0.0)
    assert events == [
        Noise(b"\x55\x01\xaa", NoiseReason.NO_HEADER),
        Frame(CAPTURED),
    ]
    assert framer.pending == b"\xaa\x55\x52"


def test_a_bad_crc_is_one_noise_and_costs_the_next_frame_nothing() -> None:
    bad = bytes.fromhex("aa55430701008d0060000e")
    assert Aa55Framer().receive(bad + OTHER, 0.0) == [
        Noise(bad, NoiseReason.BAD_CRC),
        Frame(OTHER),
    ]


def test_a_frame_inside_a_frame_with_a_bad_crc_is_found() -> None:
    broken = Frame.build(token=0x52, type=0x01, data=CAPTURED).raw
    broken = broken[:-1] + bytes((broken[-1] ^ 0xFF,))
    assert found(Aa55Framer().receive(broken, 0.0)) == [Frame(CAPTURED)]


def test_a_frame_inside_a_good_frame_is_its_data() -> None:
    outer = Frame.build(token=0x52, type=0x01, data=CAPTURED)
    assert run(outer.raw, list(range(len(outer.raw)))) == [outer]


@pytest.mark.parametrize("length", [0, 1])
def test_an_impossible_length(length: int) -> None:
    bad = bytes((0xAA, 0x55, 0x52, length))
    assert Aa55Framer().receive(bad + OTHER, 0.0) == [
        Noise(bad, NoiseReason.BAD_LENGTH),
        Frame(OTHER),
    ]


def test_a_stray_header_holds_good_frames_back_no_longer_than_the_limit() -> None:
    framer = Aa55Framer()
    assert framer.receive(b"\xaa\x55\x52\xff", 10.0) == []
    assert framer.receive(CAPTURED, 10.2) == []
    assert framer.next_deadline() == 10.0 + FRAME_SECONDS
    assert framer.expire(10.0 + FRAME_SECONDS - 0.01) == []
    assert framer.expire(10.0 + FRAME_SECONDS) == [
        Noise(b"\xaa\x55\x52\xff", NoiseReason.TIMEOUT),
        Frame(CAPTURED),
    ]
    assert framer.next_deadline() is None


def test_bytes_that_keep_coming_do_not_prolong_the_wait() -> None:
    framer = Aa55Framer()
    events: list[Event] = framer.receive(b"\xaa\x55\x52\xff", 0.0)
    for step in range(10):
        events += framer.receive(OTHER, 0.1 * step)
    assert len(found(events)) == 10


def test_a_frame_which_began_behind_a_stray_header_keeps_its_own_time() -> None:
    framer = Aa55Framer()
    framer.receive(b"\xaa\x55\x52\xff", 0.0)
    framer.receive(OTHER[:4], 0.4)
    released = framer.expire(FRAME_SECONDS)
    assert released == [Noise(b"\xaa\x55\x52\xff", NoiseReason.TIMEOUT)]
    assert framer.next_deadline() == 0.4 + FRAME_SECONDS
    assert framer.receive(OTHER[4:], 0.6) == [Frame(OTHER)]


def test_a_frame_that_is_late_but_whole_is_taken() -> None:
    framer = Aa55Framer()
    framer.receive(OTHER[:5], 0.0)
    assert framer.receive(OTHER[5:], 100.0) == [Frame(OTHER)]


def test_half_a_header_is_given_up_too() -> None:
    framer = Aa55Framer()
    assert framer.receive(b"\xaa", 0.0) == []
    assert framer.expire(FRAME_SECONDS) == [Noise(b"\xaa", NoiseReason.TIMEOUT)]


def test_what_is_pending_when_the_link_ends() -> None:
    framer = Aa55Framer()
    framer.receive(OTHER[:5], 0.0)
    assert framer.close() == [Noise(OTHER[:5], NoiseReason.CLOSED)]
    assert framer.close() == []


@given(frame=frames, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_one_frame_however_it_is_cut(frame: Frame, cuts: list[int]) -> None:
    assert run(frame.raw, cuts) == [frame]
    assert run(frame.raw, list(range(len(frame.raw)))) == [frame]


@given(
    parts=st.lists(st.tuples(quiet_noise, frames), min_size=1, max_size=6),
    tail=quiet_noise,
    cuts=st.lists(st.integers(0, 400), max_size=10),
)
def test_all_frames_are_found_between_noise_without_headers(
    parts: list[tuple[bytes, Frame]], tail: bytes, cuts: list[int]
) -> None:
    data = b"".join(noise + frame.raw for noise, frame in parts) + tail
    events = run(data, cuts)
    assert found(events) == [frame for _, frame in parts]
    assert octets(events) == data


@given(
    parts=st.lists(any_noise | frames.map(lambda frame: frame.raw), max_size=10),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_no_byte_is_lost_or_invented_and_cuts_change_nothing(
    parts: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(parts)
    whole = run(data, [])
    cut = run(data, cuts)
    single = run(data, list(range(len(data))))
    assert octets(whole) == octets(cut) == octets(single) == data
    assert found(whole) == found(cut) == found(single)
    for frame in found(whole):
        assert Frame.from_bytes(frame.raw) == frame


@given(noise=st.lists(any_noise, max_size=6), frame=frames)
def test_after_any_noise_and_a_pause_the_next_frame_is_found(
    noise: list[bytes], frame: Frame
) -> None:
    framer = Aa55Framer()
    framer.receive(b"".join(noise), 0.0)
    framer.expire(FRAME_SECONDS)
    assert framer.pending == b""
    assert framer.receive(frame.raw, 1.0) == [frame]


@given(data=st.binary(max_size=2000), step=st.floats(0, 1))
def test_pending_bytes_and_deadlines_stay_bounded(data: bytes, step: float) -> None:
    framer = Aa55Framer()
    now = 0.0
    events: list[Event] = []
    for at in range(0, len(data), 7):
        now += step
        events += framer.receive(data[at : at + 7], now)
        assert len(framer.pending) <= MAX_PENDING
        deadline = framer.next_deadline()
        assert (deadline is None) is (framer.pending == b"")
        assert deadline is None or now < deadline <= now + FRAME_SECONDS
    assert octets(events) + framer.pending == data


def test_one_flipped_bit_anywhere_is_found() -> None:
    for at in range(len(CAPTURED) * 8):
        flipped = bytearray(CAPTURED)
        flipped[at // 8] ^= 1 << at % 8
        framer = Aa55Framer()
        events = framer.receive(bytes(flipped), 0.0) + framer.close()
        assert found(events) == []
        assert octets(events) == bytes(flipped)


def test_frames_survive_a_stream_with_a_fifth_of_them_damaged() -> None:
    rng = random.Random(7)  # noqa: S311 - a test stream, no secret
    sent: list[Frame] = []
    stream = b""
    for _ in range(500):
        frame = Frame.build(token=0x53, type=1, data=rng.randbytes(5))
        raw = bytearray(frame.raw)
        if rng.random() < 0.2:
            raw[4] ^= 0x01
        else:
            sent.append(frame)
        stream += bytes(raw)
    assert found(run(stream, list(range(0, len(stream), 17)))) == sent


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", TruncatedError),
        (b"\xaa\x55\x53", TruncatedError),
        (CAPTURED[:-1], TruncatedError),
        (CAPTURED + b"\x00", LayoutError),
        (b"\xaa\x56" + CAPTURED[2:], LayoutError),
        (bytes.fromhex("aa5553010100"), LayoutError),
        (CAPTURED[:-1] + b"\x00", ChecksumError),
    ],
)
def test_from_bytes_refuses(raw: bytes, error: type[ProtocolError]) -> None:
    with pytest.raises(error) as caught:
        Frame.from_bytes(raw)
    assert caught.value.data == raw


def test_build_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="254 bytes"):
        Frame.build(token=1, type=1, data=bytes(MAX_DATA + 1))
    assert len(Frame.build(token=1, type=1, data=bytes(MAX_DATA)).raw) == 259
