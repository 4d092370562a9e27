"""What the simulated CoinAPI works out of its bars: rates, volumes and metadata.

Source: CoinAPI protocol sheet, section 5, "exrate", "volume" and "asset / exchange / symbol".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import permutations
from math import fsum
from typing import Final

from strategykit.sim.coinapi_bars import BarStore
from strategykit.sim.coinapi_symbols import CoinSymbol
from strategykit.venues.coinapi.server_items import AssetItem, ExchangeItem, RateItem, SymbolItem, VolumeRow
from strategykit.venues.coinapi.times import DAY, SECOND, write_date, write_time

__all__ = ["VOLUME_WINDOWS", "Figures"]

VOLUME_WINDOWS: Final = {"1HRS": 3_600 * SECOND, "1DAY": DAY, "1MTH": 30 * DAY}

_REFERENCE: Final = "USD"
_FIAT: Final = frozenset({"USD", "EUR", "GBP", "JPY", "CHF"})
_PLACES: Final = 9


class Figures:
    """Everything about all symbols together.

    Args:
        symbols: By symbol id.
        bars: Their past, likewise.
        start: Nanoseconds UTC; since when there are quotes and books.
    """

    def __init__(self, symbols: Mapping[str, CoinSymbol], bars: Mapping[str, BarStore], *, start: int) -> None:
        self._symbols = symbols
        self._bars = bars
        self._start = start
        self._rates: tuple[int, list[RateItem]] = (-1, [])

    def rates(self, now: int) -> list[RateItem]:
        """Give all rates: the mean of the last 24 hours, by volume."""
        if self._rates[0] != now:  # Metadata ask for the same ones again and again.
            self._rates = now, self._work_out_rates(now)
        return self._rates[1]

    def _work_out_rates(self, now: int) -> list[RateItem]:
        sums: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for name, symbol in self._symbols.items():
            sums[symbol.base, symbol.quote].append(self._bars[name].sums(now - DAY))
        isolated = {pair: rate for pair, parts in sums.items() if (rate := _mean(parts)) is not None}
        crosses: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for (base, quote), parts in sums.items():
            worth = 1.0 if quote == _REFERENCE else isolated.get((quote, _REFERENCE))
            if worth is not None:
                crosses[base] += [(volume, value * worth) for volume, value in parts]
        to_reference = {base: rate for base, parts in crosses.items() if (rate := _mean(parts)) is not None}
        time = write_time(now)
        return [
            *(RateItem(*pair, "BASE_QUOTE_ISOLATED", time, _rounded(rate)) for pair, rate in isolated.items()),
            *(
                RateItem(base, _REFERENCE, "BASE_ALL_CROSSES_TO_REF", time, _rounded(rate))
                for base, rate in to_reference.items()
            ),
            *(
                RateItem(base, quote, "BASE_AND_QUOTE_TO_REF", time, _rounded(to_reference[base] / to_reference[quote]))
                for base, quote in permutations(to_reference, 2)
            ),
        ]

    def rate(self, base: str, quote: str, now: int) -> RateItem | None:
        """Give the best rate of a pair."""
        found = {
            item.rate_type: item
            for item in self.rates(now)
            if (item.asset_id_base, item.asset_id_quote) == (base, quote)
        }
        order = ("BASE_ALL_CROSSES_TO_REF", "BASE_AND_QUOTE_TO_REF", "BASE_QUOTE_ISOLATED")
        return next((found[kind] for kind in order if kind in found), None)

    def volumes(self, period: str, symbols: Iterable[str], now: int) -> tuple[VolumeRow, ...]:
        """Give what traded in the last hour, day or month."""
        rows = []
        for name in symbols:
            symbol = self._symbols[name]
            volume, value = self._bars[name].sums(now - VOLUME_WINDOWS[period])
            rows.append(VolumeRow(name, symbol.base, symbol.quote, _rounded(volume), _rounded(value)))
        return tuple(rows)

    def symbol(self, name: str, now: int) -> SymbolItem:
        symbol = self._symbols[name]
        volumes, worths = self._sum([name], now)
        day = self._bars[name].sums(now - DAY)
        return SymbolItem(
            **self._covered(now),
            symbol_id=name,
            exchange_id=symbol.exchange,
            symbol_type="SPOT",
            asset_id_base=symbol.base,
            asset_id_quote=symbol.quote,
            volume_1hrs=volumes["1HRS"],
            volume_1hrs_usd=worths["1HRS"],
            volume_1day=volumes["1DAY"],
            volume_1day_usd=worths["1DAY"],
            volume_1mth=volumes["1MTH"],
            volume_1mth_usd=worths["1MTH"],
            price=_optional(_mean([day])),
            symbol_id_exchange=symbol.venue_name,
            asset_id_base_exchange=symbol.base,
            asset_id_quote_exchange=symbol.quote,
            price_precision=symbol.price_step,
            size_precision=symbol.size_step,
        )

    def exchange(self, name: str, now: int) -> ExchangeItem:
        own = [symbol for symbol, each in self._symbols.items() if each.exchange == name]
        _, worths = self._sum(own, now)
        return ExchangeItem(
            **self._covered(now),
            exchange_id=name,
            website=f"https://{name.lower()}.example",
            name=name.capitalize(),
            data_start=write_date(self._start),
            data_end=write_date(now),
            data_symbols_count=len(own),
            volume_1hrs_usd=worths["1HRS"],
            volume_1day_usd=worths["1DAY"],
            volume_1mth_usd=worths["1MTH"],
        )

    def asset(self, name: str, now: int) -> AssetItem:
        own = [symbol for symbol, each in self._symbols.items() if name in (each.base, each.quote)]
        _, worths = self._sum(own, now)
        rate = self.rate(name, _REFERENCE, now)
        return AssetItem(
            **self._covered(now),
            asset_id=name,
            name=name,
            type_is_crypto=0 if name in _FIAT else 1,
            data_symbols_count=len(own),
            volume_1hrs_usd=worths["1HRS"],
            volume_1day_usd=worths["1DAY"],
            volume_1mth_usd=worths["1MTH"],
            price_usd=1.0 if name == _REFERENCE else None if rate is None else rate.rate,
        )

    @property
    def exchanges(self) -> list[str]:
        return sorted({symbol.exchange for symbol in self._symbols.values()})

    @property
    def assets(self) -> list[str]:
        return sorted({asset for symbol in self._symbols.values() for asset in (symbol.base, symbol.quote)})

    def _sum(self, names: Iterable[str], now: int) -> tuple[dict[str, float], dict[str, float]]:
        """Give what traded, in base units, and what that is worth in the reference, by window.

        A quote without a rate counts as if it were the reference.
        """
        names = list(names)
        worths = {name: self._worth(self._symbols[name].quote, now) for name in names}
        volumes, values = dict.fromkeys(VOLUME_WINDOWS, 0.0), dict.fromkeys(VOLUME_WINDOWS, 0.0)
        for period in VOLUME_WINDOWS:
            for row in self.volumes(period, names, now):
                volumes[period] = _rounded(volumes[period] + row.volume_base)
                values[period] = _rounded(values[period] + row.volume_quote * worths[row.symbol_id])
        return volumes, values

    def _worth(self, quote: str, now: int) -> float:
        rate = None if quote == _REFERENCE else self.rate(quote, _REFERENCE, now)
        return 1.0 if rate is None else rate.rate

    def _covered(self, now: int) -> dict[str, str]:
        names = ("quote", "orderbook", "trade")
        return {
            **{f"data_{name}_start": write_time(self._start) for name in names},
            **{f"data_{name}_end": write_time(now) for name in names},
        }


def _mean(parts: Iterable[tuple[float, float]]) -> float | None:
    parts = list(parts)
    volume = fsum(volume for volume, _ in parts)
    return fsum(value for _, value in parts) / volume if volume else None


def _rounded(value: float) -> float:
    return round(value, _PLACES)


def _optional(value: float | None) -> float | None:
    return None if value is None else _rounded(value)
