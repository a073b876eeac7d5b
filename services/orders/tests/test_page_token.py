import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from orders import page_token
from orders.page_token import PageTokenInvalidError, Position, decode, encode

positions = st.builds(
    Position,
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  hypothesis wants it
    st.uuids(),
)
SOME = Position(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), UUID(int=7))


@given(positions, st.text(max_size=64))
def test_a_token_gives_its_position_back(position: Position, customer_id: str) -> None:
    assert decode(encode(position, customer_id=customer_id), customer_id=customer_id) == position


@given(positions, st.text(max_size=64), st.text(max_size=64))
def test_a_token_fits_no_other_customers_list(position: Position, one: str, other: str) -> None:
    assume(one != other)
    with pytest.raises(PageTokenInvalidError):
        decode(encode(position, customer_id=one), customer_id=other)


@given(st.text(min_size=1, max_size=512))
def test_a_made_up_text_is_refused(token: str) -> None:
    with pytest.raises(PageTokenInvalidError):
        decode(token, customer_id="")


@given(st.data())
def test_a_token_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = encode(SOME, customer_id="ada")
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + data.draw(st.characters(exclude_characters=token[at])) + token[at + 1 :]
    with pytest.raises(PageTokenInvalidError):
        decode(changed, customer_id="ada")


@pytest.mark.parametrize("content", [[], [1], ["x", "y"], [10**30, UUID(int=1).hex], [1, "no id"], {"a": 1}, None, 5])
def test_a_forged_checksum_over_nonsense_is_refused(content: object) -> None:
    plain = json.dumps(content).encode()
    forged = base64.urlsafe_b64encode(page_token._checksum(plain, "") + plain).rstrip(b"=").decode()
    with pytest.raises(PageTokenInvalidError):
        decode(forged, customer_id="")


def test_a_token_says_nothing_to_its_reader_and_fits_the_contract() -> None:
    token = encode(SOME, customer_id="ada")
    assert "ada" not in token
    assert len(token) <= 512
