"""Tokens for T4's charts over a whole program's life, in virtual time: asked for when wanted, and in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from strategykit import Bar, Bars, Strategy, define
from strategykit.model.events import Event
from strategykit.runtime.assembly import Run
from strategykit.sim.server import SimulatedServer
from strategykit.testing.faults import Fault, NetworkFault
from strategykit.testing.world import Outing, World, run_world

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
SECOND = 10**9
CUTS = (10.0, 20.0, 30.0)
"""Seconds at which the wire breaks: each time a bar or two are missed, and asked for over HTTP."""


@define
class Listener(Strategy):
    """Want bars, and nothing else."""

    instrument: str = ES
    bars = Bars("{instrument}", "1s")


@attrs.define
class Heard:
    """What became of a run."""

    outing: Outing
    tokens: int
    """That the venue gave besides those of logins."""
    bars: list[int]
    """When those that have closed began, seconds UTC, in the order of their telling."""

    @property
    def holes(self) -> list[int]:
        """Seconds that are missing between the first bar and the last."""
        return sorted(set(range(self.bars[0], self.bars[-1])) - set(self.bars))


def play(*faults: dict[str, Any], life: float, tape: Path | None = None) -> Heard:
    """Run for 40 s."""
    given: list[int] = []
    bars: list[int] = []

    def hear(event: Event) -> None:
        if isinstance(event, Bar) and event.closed:
            bars.append(event.open_time // SECOND)

    async def listen(run: Run, _: object) -> None:
        await trio.lowlevel.checkpoint()
        run.engine.watchers.append(hear)

    def look(_: Run, server: SimulatedServer[Any]) -> None:
        given.append(server.venue.statistics["tokens"])

    cuts = [Fault(at=at, network=NetworkFault(what="reset", where="/v1")) for at in CUTS]
    world = World(
        venue="t4",
        strategies=[("listener", Listener())],
        faults=[*cuts, *(Fault(at=9.0, venue=fault) for fault in faults)],
        seconds=40.0,
        instruments=[ES],
        token_life=life,
        rate=20.0,
    )
    outing = run_world(world, tape=tape, meanwhile=listen, at_rest=look)
    assert outing.report is not None, outing.error
    (connection,) = outing.report.connections
    assert connection.reconnects == len(CUTS)
    return Heard(outing, given[-1] - connection.reconnects - 1, bars)


@pytest.mark.parametrize(("life", "tokens"), [(1800.0, 1), (6.0, 4)])
def test_bars_go_on_without_a_hole_and_a_token_that_lives_is_used_again(life: float, tokens: int) -> None:
    heard = play(life=life)

    assert not heard.holes
    assert heard.bars == sorted(set(heard.bars))
    assert heard.tokens == tokens, "one for the first bar, and one after each cut if the last one has died"
    assert heard.outing.unsettled == ()


def test_a_request_that_is_lost_is_made_again_before_the_bars_are_given_up(tmp_path: Path) -> None:
    heard = play({"fault": "lost_token"}, life=6.0, tape=tmp_path / "tape")

    assert not heard.holes
    assert heard.tokens == 4
    assert b"eyJhbGciOi" not in b"".join(file.read_bytes() for file in (tmp_path / "tape").iterdir())


def test_a_refusal_costs_the_bars_of_one_cut_and_is_told() -> None:
    heard = play({"fault": "refuse_token"}, life=6.0)

    assert 1 <= len(heard.holes) <= 3
    assert heard.tokens == 3
    assert heard.outing.run is not None
    (error,) = heard.outing.run.engine.errors
    assert error.message.endswith("the venue refuses a token for HTTP calls: refused on command")


def test_a_token_that_is_taken_back_is_replaced() -> None:
    heard = play({"fault": "revoke_tokens"}, life=1800.0)

    assert not heard.holes
    assert heard.tokens == 2


def test_a_token_that_the_venue_gives_for_a_short_while_is_replaced_before_it_ends() -> None:
    heard = play({"fault": "revoke_tokens"}, {"fault": "short_token", "seconds": 3.0}, life=1800.0)

    assert not heard.holes
    assert heard.tokens == 3, "the short one is followed by one that lives"
