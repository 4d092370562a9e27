"""One account's money: cash, positions, what they earn, and what may still be bought."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import AccountUpdate, PositionUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.sim.fees import round_money

__all__ = ["Account", "Holding"]

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
"""By name: until Python 3.12 an enum's class takes ten times as long to give a member."""


@attrs.define(eq=False)
class Holding:
    """One instrument in one account."""

    instrument: Instrument
    quantity: Decimal = _ZERO
    """Lots; negative is short."""
    average_price: Decimal | None = None
    """None while flat."""
    realised: Decimal = _ZERO
    """Earned by closing, before fees, in the instrument's currency."""
    mark: Decimal | None = None
    """The price that the position is valued at: the last trade. None: its average price."""
    working: dict[Side, Decimal] = attrs.field(factory=lambda: {_BUY: _ZERO, _SELL: _ZERO})
    """Lots of the account's unfilled orders."""

    def apply(self, side: Side, quantity: Decimal, price: Decimal) -> None:
        """Fold in one fill."""
        average, held = self.average_price, self.quantity
        signed = quantity if side is _BUY else -quantity
        after = held + signed
        if average is None:
            self.average_price = price
        elif (held > _ZERO) is (signed > _ZERO):
            self.average_price = (average * held + price * signed) / after
        else:
            closed = held if abs(held) < quantity else -signed
            self.realised += self.instrument.value(price - average, closed)
            if not after:
                self.average_price = None
            elif (after > _ZERO) is (signed > _ZERO):
                self.average_price = price
        self.quantity = after

    def worth(self, lots: Decimal) -> Decimal:
        """Give the money that `lots` are worth at the mark, else at the average price; negative when short."""
        price = self.average_price if self.mark is None else self.mark
        return _ZERO if price is None else self.instrument.value(price, lots)

    @property
    def open_pnl(self) -> Decimal:
        if self.average_price is None or self.mark is None:
            return _ZERO
        return self.instrument.value(self.mark - self.average_price, self.quantity)

    @property
    def exposure(self) -> Decimal:
        """Lots held at the worst if all working orders of one side fill."""
        bought, sold = self.quantity + self.working[_BUY], self.working[_SELL] - self.quantity
        return max(bought, sold)

    def update(self, account: str, now: int, *, snapshot: bool = False) -> PositionUpdate:
        return PositionUpdate(
            self.instrument.symbol,
            self.quantity,
            self.average_price,
            self.open_pnl,
            self.realised + self.open_pnl,
            now,
            now,
            "",
            snapshot,
            account,
            False,
            self.instrument.lot,
        )


class Account:
    """Cash and holdings.

    A purchase costs its whole value, futures too: cash falls and position value rises, and equity is right.

    Args:
        name: Portfolio.
        cash: Money at the start, by currency; the first one is what `update` reports in.
        margin_rate: Share of a position's value, long or short, that equity must cover; 1 is no leverage.
        cash_step: The smallest unit of cash, to which each fill's value is rounded; None: values are exact.

    Raises:
        ConfigError: No currency, or a rate or an amount that can't be.
    """

    def __init__(
        self,
        name: str,
        cash: Mapping[str, Decimal],
        *,
        margin_rate: Decimal = Decimal(1),
        cash_step: Decimal | None = None,
    ) -> None:
        if not cash:
            raise ConfigError(f"account {name} needs cash in at least one currency, if only 0 RUB")
        if not margin_rate.is_finite() or margin_rate < 0:
            raise ConfigError(f"account {name}: margin_rate must be 0 or above, not {margin_rate}")
        if any(not money.is_finite() for money in cash.values()):
            raise ConfigError(f"account {name}: cash must be finite")
        if cash_step is not None and not (cash_step.is_finite() and cash_step > 0):
            raise ConfigError(f"account {name}: cash_step must be above 0, not {cash_step}")
        self.name = name
        self._cash_step = cash_step
        self.margin_rate = margin_rate
        self.currency = next(iter(cash))
        self.cash = dict(cash)
        self.fees: dict[str, Decimal] = {}
        self.holdings: dict[str, Holding] = {}
        self._opening = dict(cash)

    def holding(self, instrument: Instrument) -> Holding:
        """Give the holding, a flat one where there is none yet."""
        found = self.holdings.get(instrument.symbol)
        if found is None:
            found = self.holdings[instrument.symbol] = Holding(instrument)
        return found

    def apply(self, holding: Holding, side: Side, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        """Fold in one fill of `quantity` lots; `fee` is in the instrument's currency."""
        instrument = holding.instrument
        currency = instrument.currency
        holding.apply(side, quantity, price)
        paid = instrument.value(price, quantity if side is _BUY else -quantity)
        if self._cash_step is not None:
            paid = round_money(paid, self._cash_step)
        self.cash[currency] = self.cash.get(currency, _ZERO) - paid - fee
        self.fees[currency] = self.fees.get(currency, _ZERO) + fee

    def equity(self, currency: str) -> Decimal:
        """Cash and what the positions of this currency would fetch at their marks."""
        return self._weigh(currency)[0]

    def margin(self, currency: str) -> Decimal:
        """Money that positions and working orders tie up."""
        return self._weigh(currency)[1]

    def buying_power(self, currency: str) -> Decimal:
        equity, margin = self._weigh(currency)
        return equity - margin

    def needed(self, instrument: Instrument, side: Side, quantity: Decimal, price: Decimal) -> Decimal:
        """Buying power that an order would take; 0 where it only reduces the position."""
        holding = self.holdings.get(instrument.symbol) or self.holding(instrument)
        held, buys, sells = holding.quantity, holding.working[_BUY], holding.working[_SELL]
        bought, sold = held + buys, sells - held
        before = max(bought, sold)
        if side is _BUY:
            bought = held + (buys + quantity)
        else:
            sold = sells + quantity - held
        more = max(bought, sold) - before
        return instrument.value(price, more) * self.margin_rate if more else _ZERO

    def update(self, now: int) -> AccountUpdate:
        """Give the summary in the account's own currency, with buying power by every currency."""
        main = self.currency
        equity, margin = self._weigh(main)
        power = {currency: self.buying_power(currency) for currency in self.cash if currency != main}
        power[main] = equity - margin
        return AccountUpdate(
            None,
            self.name,
            "summary",
            equity,
            power[main],
            self.cash[main],
            margin,
            margin / 2,
            equity - self._opening[main],
            self.fees.get(main, _ZERO),
            "Ok",
            now,
            now,
            "",
            tuple((currency, power[currency]) for currency in self.cash),
        )

    def positions(self, now: int, *, snapshot: bool = False) -> list[PositionUpdate]:
        """Give the holdings, closed ones with 0 lots, then one money row a currency."""
        rows = [holding.update(self.name, now, snapshot=snapshot) for holding in self.holdings.values()]
        return rows + [self.money(currency, now, snapshot=snapshot) for currency in self.cash]

    def money(self, currency: str, now: int, *, snapshot: bool = False) -> PositionUpdate:
        """Give the row of one currency."""
        return PositionUpdate(
            currency, self.cash[currency], None, None, None, now, now, "", snapshot, self.name, is_currency=True
        )

    def _weigh(self, currency: str) -> tuple[Decimal, Decimal]:
        """Give equity and margin."""
        held = tied = _ZERO
        for holding in self.holdings.values():
            if holding.instrument.currency == currency:
                held += holding.worth(holding.quantity)
                tied += holding.worth(holding.exposure)
        return self.cash.get(currency, _ZERO) + held, tied * self.margin_rate
