"""What the simulated venue lists when nobody says otherwise. Ticks and lots are plausible, not promised."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.model.instruments import Instrument

__all__ = ["OPENING_PRICES", "default_instruments"]

OPENING_PRICES: Final = {
    "SBER": Decimal("305.00"),
    "GAZP": Decimal("128.30"),
    "LKOH": Decimal("6850.0"),
    "Si-12.26": Decimal(92500),
}
"""Where the generated market of each default instrument opens."""


def default_instruments() -> dict[str, Instrument]:
    """Give three shares and a future, by symbol."""
    listed = (
        Instrument("SBER", Decimal("0.01"), Decimal(10), board="TQBR", description="Sberbank"),
        Instrument("GAZP", Decimal("0.01"), Decimal(10), board="TQBR", description="Gazprom"),
        Instrument("LKOH", Decimal("0.5"), board="TQBR", description="LUKOIL"),
        # Quoted for 1,000 dollars: a whole point of price is one rouble a contract.
        Instrument("Si-12.26", Decimal(1), Decimal(1), Decimal(1), board="RFUD", description="USD/RUB future"),
    )
    return {instrument.symbol: instrument for instrument in listed}
