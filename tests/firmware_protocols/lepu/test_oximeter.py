from hypothesis import given
from hypothesis import strategies as st

from firmware_protocols.errors import ProtocolError
from firmware_protocols.lepu.aa55 import Frame
from firmware_protocols.lepu.oximeter import (
    Command,
    CommandName,
    WorkMode,
    WorkStatus,
    WorkStep,
    decode,
    decode_device,
    decode_host,
)
from firmware_protocols.lepu.record import Direction, Unknown


def test_a_spot_result_carries_both_values() -> None:
    got = Frame.build(token=0x0F, type=0x21, data=bytes((1, 3, 97, 66)))
    assert decode_device(got) == WorkStatus(
        mode=WorkMode.SPOT, step=WorkStep.RESULT, p1=97, p2=66
    )


def test_frames_of_other_families_are_unknown() -> None:
    got = Frame.from_bytes(bytes.fromhex("aa555307016143002500d9"))
    assert decode_device(got) == Unknown(
        token=0x53, type=0x01, data=bytes.fromhex("6143002500")
    )


def test_switches_both_ways() -> None:
    off = Frame.build(token=0x0F, type=0x85, data=b"\0")
    command = Command(name=CommandName.ENABLE_WAVE_UPLOAD, enable=False)
    assert decode_host(off) == command
    assert command.to_frame() == off


@given(
    token=st.sampled_from([0x0F, 0xF0, 0x53]),
    kind=st.integers(0, 255),
    data=st.binary(max_size=12),
    direction=st.sampled_from(Direction),
)
def test_any_frame_is_a_record_or_a_protocol_error(
    token: int, kind: int, data: bytes, direction: Direction
) -> None:
    got = Frame.build(token=token, type=kind, data=data)
    try:
        record = decode(got, direction)
    except ProtocolError as error:
        kept = error.data
        assert kept == got.raw
        return
    assert decode(record.to_frame(), direction) == record
