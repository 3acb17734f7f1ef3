"""Cursors: ours come back as they were, anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RequestError
from gateway.services.pages import decode_cursor, encode_cursor


@given(st.integers(), st.text(max_size=40))
def test_round_trip(number: int, text: str) -> None:
    cursor = encode_cursor(number, text)
    if len(cursor) <= 400:
        assert decode_cursor(cursor, int, str) == (number, text)


@given(st.text(min_size=1, max_size=500))
def test_nonsense_is_refused(text: str) -> None:
    try:
        key = decode_cursor(text, int, str)
    except RequestError:
        return
    assert key is not None
    assert decode_cursor(encode_cursor(*key), int, str) == key


@pytest.mark.parametrize("types", [(str,), (int, int), (int, str, str), (bool, str)])
def test_another_lists_cursor_is_refused(types: tuple[type, ...]) -> None:
    with pytest.raises(RequestError, match="cursor"):
        decode_cursor(encode_cursor(1, "a"), *types)


def test_empty_is_the_first_page() -> None:
    assert decode_cursor("", int) is None
