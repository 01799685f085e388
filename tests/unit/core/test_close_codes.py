"""Close codes as label values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.close_codes import REGISTERED, close_code_label


class TestCloseCodeLabel:
    """A bounded set of labels."""

    @pytest.mark.parametrize("code", [1000, 1001, 1006, 1012, 1015, 3000, 3003, 3008])
    def test_a_registered_code_is_its_own_label(self, code: int) -> None:
        assert close_code_label(code) == str(code)

    @pytest.mark.parametrize(
        ("code", "label"),
        [
            (3001, "3xxx"),
            (3999, "3xxx"),
            (4000, "4xxx"),
            (4999, "4xxx"),
            (0, "other"),
            (999, "other"),
            (1016, "other"),
            (2999, "other"),
            (5000, "other"),
            (65535, "other"),
            (-1, "other"),
        ],
    )
    def test_any_other_code_is_labelled_by_its_range(self, code: int, label: str) -> None:
        assert close_code_label(code) == label

    def test_a_code_that_the_config_lists_is_its_own_label(self) -> None:
        assert close_code_label(4001, [4001]) == "4001"
        assert close_code_label(4002, [4001]) == "4xxx"

    @given(st.lists(st.integers(0, 65535)))
    def test_whatever_a_peer_sends_the_set_of_labels_is_bounded(self, codes: list[int]) -> None:
        listed = {4001, 4242}
        labels = {close_code_label(code, listed) for code in codes}
        assert labels <= {str(code) for code in REGISTERED | listed} | {"3xxx", "4xxx", "other"}
