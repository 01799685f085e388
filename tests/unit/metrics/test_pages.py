"""Pages: lines that are compressed by themselves make one page, in any order."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.metrics.pages import UNPACKED_AT_A_TIME, Packing, Page, pack

LINES = st.lists(st.binary(max_size=200) | st.binary(max_size=20).map(lambda some: some * 500))
SIZES = st.integers(1, 5000)


def page_of(*lines: bytes) -> Page:
    """Return a page of some lines, each packed once."""
    packed = {each: pack(each) for each in lines}
    packing = Packing()
    for each in lines:
        packing.take(packed[each])
    return packing.finish()


@given(LINES, SIZES)
def test_a_page_is_its_lines(lines: list[bytes], size: int) -> None:
    """Plain and compressed, also where the same lines come again."""
    page = page_of(*lines, *reversed(lines))
    whole = b"".join([*lines, *reversed(lines)])
    assert b"".join(page.plain(size)) == whole
    assert gzip.decompress(b"".join(page.compressed(size))) == whole
    assert page.length == len(whole)


@given(LINES, SIZES)
def test_pieces_are_no_longer_than_asked_for(lines: list[bytes], size: int) -> None:
    """What is compressed is gathered into pieces of just that size."""
    page = page_of(*lines)
    *pieces, last = map(len, page.compressed(size))
    assert set(pieces) <= {size}
    assert last < size
    assert max(map(len, page.plain(size)), default=0) <= size


@pytest.mark.parametrize("length", [0, 10 * UNPACKED_AT_A_TIME])
def test_a_page_may_be_empty_or_long(length: int) -> None:
    """Longer than what is unpacked at a time, and hardly to be compressed."""
    body = bytes(number * number % 251 ^ number >> 8 & 255 for number in range(length))
    page = page_of(body)
    assert b"".join(page.plain(1 << 18)) == body
    assert gzip.decompress(b"".join(page.compressed(1 << 18))) == body
