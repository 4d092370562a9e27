"""What the table of order states promises; RELIABILITY's rules as properties of a dict."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError
from strategykit.model.event_class import altered
from strategykit.model.events import Side
from strategykit.model.orders import (
    TRANSITIONS,
    CancelOrder,
    CreateOrder,
    Evidence,
    OrderRequest,
    OrderState,
    next_state,
)

VENUE_ENDS = {Evidence.ALL_FILLED, Evidence.CANCELLED, Evidence.EXPIRED, Evidence.REFUSED, Evidence.NOT_FOUND}
"""Evidence by which a venue, or an authoritative query to it, ends an order."""

OURS = {Evidence.LEFT, Evidence.NEVER_LEFT, Evidence.CANCEL_LEFT, Evidence.ANSWER_LOST}
"""What we learn without a word from the venue."""

LIVE = [state for state in OrderState if not state.terminal]
ENDED = [state for state in OrderState if state.terminal]


def test_an_order_ends_only_by_the_venues_word_or_because_nothing_left() -> None:
    ways_in = {evidence for (state, evidence), then in TRANSITIONS.items() if then.terminal and not state.terminal}

    assert ways_in == VENUE_ENDS | {Evidence.NEVER_LEFT}


def test_nothing_left_ends_only_what_the_venue_has_not_shown() -> None:
    assert {state for state, evidence in TRANSITIONS if evidence is Evidence.NEVER_LEFT} == {
        OrderState.INTENT,
        OrderState.SENT,
    }


def test_a_missing_order_ends_only_what_was_in_doubt() -> None:
    """A query that doesn't show an order which the venue has shown before is a mismatch to report, not an end."""
    ended = {
        state
        for (state, evidence), then in TRANSITIONS.items()
        if evidence is Evidence.NOT_FOUND and then.terminal and not state.terminal
    }

    assert ended == {OrderState.UNKNOWN}


@pytest.mark.parametrize("state", LIVE)
def test_every_live_order_can_end_in_every_way(state: OrderState) -> None:
    ends = {
        next_state(state, evidence)
        for evidence in (Evidence.ALL_FILLED, Evidence.CANCELLED, Evidence.EXPIRED, Evidence.REFUSED)
    }

    assert ends == set(ENDED)


@pytest.mark.parametrize("state", ENDED)
def test_an_ended_order_never_lives_again(state: OrderState) -> None:
    assert all(then.terminal for (before, _), then in TRANSITIONS.items() if before is state)


@pytest.mark.parametrize("state", ENDED)
def test_only_late_fills_change_how_an_order_ended(state: OrderState) -> None:
    changed = {evidence for (before, evidence), then in TRANSITIONS.items() if before is state and then is not state}

    assert changed <= {Evidence.ALL_FILLED}


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("evidence", [evidence for evidence in Evidence if evidence not in OURS])
def test_whatever_a_venue_repeats_of_an_ended_order_is_legal(state: OrderState, evidence: Evidence) -> None:
    assert next_state(state, evidence).terminal


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize(
    "evidence", [Evidence.ACCEPTED, Evidence.PART_FILLED, Evidence.ALL_FILLED, Evidence.CANCELLED, Evidence.EXPIRED]
)
def test_the_venues_stream_may_overtake_everything(state: OrderState, evidence: Evidence) -> None:
    """Fills come before the acknowledgement and after the cancel: all legal."""
    assert (state, evidence) in TRANSITIONS


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.INTENT])
def test_a_lost_answer_never_ends_an_order_nor_makes_it_certain(state: OrderState) -> None:
    then = next_state(state, Evidence.ANSWER_LOST)

    assert then.terminal == state.terminal
    assert then.doubtful or then is state


def test_an_intent_whose_process_died_is_unknown() -> None:
    assert next_state(OrderState.INTENT, Evidence.ANSWER_LOST) is OrderState.UNKNOWN


def test_doubt_is_ended_by_the_venue_only() -> None:
    for (state, evidence), then in TRANSITIONS.items():
        if state is OrderState.UNKNOWN and not then.doubtful:
            assert evidence not in OURS, (state, evidence, then)


def test_a_refused_cancel_leaves_the_order_to_its_stream() -> None:
    for (state, evidence), then in TRANSITIONS.items():
        if evidence is Evidence.CANCEL_REFUSED:
            assert then.terminal == state.terminal, state


def test_every_state_can_be_reached() -> None:
    reached = {OrderState.INTENT}
    while more := {then for (state, _), then in TRANSITIONS.items() if state in reached} - reached:
        reached |= more

    assert reached == set(OrderState)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(list(Evidence)), max_size=30))
def test_whatever_happens_an_order_ends_at_most_once(story: list[Evidence]) -> None:
    state, ended = OrderState.INTENT, False
    for evidence in story:
        if (state, evidence) not in TRANSITIONS:
            with pytest.raises(LocalProtocolError, match=f"an order that is {state.value} can't have"):
                next_state(state, evidence)
            continue
        state = next_state(state, evidence)
        assert state.terminal or not ended
        ended = state.terminal


def test_doubtful_states_are_the_two_that_ask() -> None:
    assert {state for state in OrderState if state.doubtful} == {OrderState.UNKNOWN, OrderState.CANCEL_UNKNOWN}


def test_requests_and_commands_are_values() -> None:
    request = OrderRequest(client_order_id="a", account="b", instrument="c", side=Side.BUY, quantity=Decimal(1))

    assert CreateOrder(guid="g", request=request) == CreateOrder(guid="g", request=altered(request))
    assert CancelOrder(guid="g", venue_order_id="1", request=request) != CancelOrder(
        guid="g", venue_order_id="2", request=request
    )
    assert len({request, altered(request), altered(request, quantity=Decimal(2))}) == 2
