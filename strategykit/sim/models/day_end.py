"""When a trading day ends, and day orders with it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from strategykit.errors import ConfigError
from strategykit.model.risk_limits import zone_of

__all__ = ["DayEnd"]

_SECOND: Final = 1_000_000_000


def _clock_time(_: DayEnd, __: attrs.Attribute[str], value: str) -> None:
    try:
        parsed = time.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is not None:
        raise ConfigError(f"day_end at = {value!r} should be a time of day, such as '18:50' or '16:00:00'")


def _zone(_: DayEnd, __: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None:
        zone_of(value)


@attrs.frozen(kw_only=True)
class DayEnd:
    """The same time every day, weekends too: nothing trades then, so nothing is lost by it."""

    at: str = attrs.field(validator=_clock_time)
    """Time of day."""
    time_zone: str | None = attrs.field(default=None, validator=_zone)
    """None: the instrument's own."""

    def after(self, now: int, time_zone: str) -> int:
        """Give the first end after `now`, nanoseconds UTC.

        Args:
            now: Nanoseconds UTC.
            time_zone: The instrument's.
        """
        zone = zone_of(self.time_zone or time_zone)
        day = datetime.fromtimestamp(now // _SECOND, UTC).astimezone(zone).date()
        end = self._end(day, zone)
        return end if end > now else self._end(day + timedelta(days=1), zone)

    def _end(self, day: date, zone: ZoneInfo) -> int:
        moment = datetime.combine(day, time.fromisoformat(self.at), zone)
        return int(moment.timestamp()) * _SECOND
