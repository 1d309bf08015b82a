"""Which tokens are honoured, and that nobody can make one without the key."""

from __future__ import annotations

import base64
import json
import string

import pytest
from analytics.sessions import NoSessionError, NoSessionKeyError, Session, Sessions
from hypothesis import given
from hypothesis import strategies as st

_KEY, _ANOTHER = b"k" * 32, b"K" * 32
_ADA = Session("Ada", 1_000.0)
_LETTERS = string.ascii_letters + string.digits + "-_"


@given(user=st.text(min_size=1, max_size=100), until_s=st.floats(1.0, 1e10))
def test_whoever_has_the_key_honours_a_session_until_it_is_over(user: str, until_s: float) -> None:
    token = Sessions(_KEY).open(Session(user, until_s))
    assert Sessions(_KEY).honoured(token, until_s - 0.5) == Session(user, until_s)
    with pytest.raises(NoSessionError, match="is over"):
        Sessions(_KEY).honoured(token, until_s)


def test_another_key_honours_nothing() -> None:
    with pytest.raises(NoSessionError, match="not opened by this platform"):
        Sessions(_ANOTHER).honoured(Sessions(_KEY).open(_ADA), 0.0)


def test_what_a_token_says_cannot_be_changed() -> None:
    _, _, signature = Sessions(_KEY).open(_ADA).partition(".")
    eve = base64.urlsafe_b64encode(json.dumps({"user": "Eve", "until": 1e9}).encode()).rstrip(b"=").decode()
    with pytest.raises(NoSessionError, match="not opened by this platform"):
        Sessions(_KEY).honoured(f"{eve}.{signature}", 0.0)


@given(place=st.integers(0, 200), letter=st.sampled_from(_LETTERS))
def test_no_other_letter_at_any_place_is_honoured(place: int, letter: str) -> None:
    token = Sessions(_KEY).open(_ADA)
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(NoSessionError):
            Sessions(_KEY).honoured(changed, 0.0)


@given(text=st.text(max_size=60))
def test_what_is_no_token_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(NoSessionError):
        Sessions(_KEY).honoured(text, 0.0)


def test_without_a_key_no_session_is_opened_or_honoured() -> None:
    token = Sessions(_KEY).open(_ADA)
    with pytest.raises(NoSessionKeyError, match="SESSION_KEY_FILE"):
        Sessions(b"").open(_ADA)
    with pytest.raises(NoSessionKeyError):
        Sessions(b"").honoured(token, 0.0)
