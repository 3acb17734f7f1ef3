from simulators.line_faults import FaultRates, LineFaults

MESSAGE = bytes.fromhex("aa555307016143002500d9")


def test_a_good_line_changes_nothing() -> None:
    line = LineFaults()
    assert line.carry(MESSAGE) == [MESSAGE]
    assert line.carry(b"") == []
    assert line.spoiled == 0


def test_the_same_seed_spoils_the_same_bytes() -> None:
    rates = FaultRates(noise=0.5, flipped_bit=0.3, dropped_byte=0.3, max_piece=4)
    first, second = (LineFaults(rates, seed=9) for _ in range(2))
    carried = [first.carry(MESSAGE) for _ in range(50)]
    assert carried == [second.carry(MESSAGE) for _ in range(50)]
    assert first.spoiled > 0


def test_a_flipped_bit_and_a_dropped_byte() -> None:
    flipped = b"".join(LineFaults(FaultRates(flipped_bit=1)).carry(MESSAGE))
    change = int.from_bytes(flipped, "big") ^ int.from_bytes(MESSAGE, "big")
    assert change.bit_count() == 1
    dropped = b"".join(LineFaults(FaultRates(dropped_byte=1)).carry(MESSAGE))
    assert len(dropped) == len(MESSAGE) - 1


def test_pieces_are_small_and_whole_together() -> None:
    pieces = LineFaults(FaultRates(max_piece=3)).carry(MESSAGE)
    assert max(map(len, pieces)) <= 3
    assert b"".join(pieces) == MESSAGE


def test_noise_comes_before_the_message() -> None:
    for rates in (FaultRates(noise=1), FaultRates(header_noise=1)):
        carried = b"".join(LineFaults(rates).carry(MESSAGE))
        assert carried.endswith(MESSAGE)
        assert len(carried) > len(MESSAGE)


def test_a_silent_line_counts_what_it_swallows() -> None:
    line = LineFaults()
    line.silent = True
    assert line.carry(MESSAGE) == []
    assert line.spoiled == 1
