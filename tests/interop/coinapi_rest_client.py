"""Drives the simulated CoinAPI with the vendor's package coinapi.rest.v1: every call it has that the venue has, too.

Usage: python coinapi_rest_client.py BASE_URL KEY SINCE, with a Python that has the package and needs nothing of ours.
"""

from __future__ import annotations

import json
import sys
import urllib.error

from coinapi_rest_v1 import restapi  # type: ignore[import-not-found]  # in an environment of its own

ETH = "KRAKEN_SPOT_ETH_EUR"


def main(base: str, key: str, since: str) -> None:
    restapi.PRODUCTION_URL = f"{base}/v1%s"
    api = restapi.CoinAPIv1(key)
    zipped = api.with_header("Accept-Encoding", "deflate, gzip")
    found = {
        "exchanges": [each["exchange_id"] for each in api.metadata_list_exchanges()],
        "assets": [each["asset_id"] for each in api.metadata_list_assets()],
        "symbols": [each["symbol_id"] for each in api.metadata_list_symbols("COINBASE")],
        "zipped": [each["symbol_id"] for each in zipped.metadata_list_symbols("COINBASE")],
        "rate": api.exchange_rates_get_specific_rate("BTC", "USD"),
        "rates": api.exchange_rates_get_all_current_rates("BTC"),
        "periods": [each["period_id"] for each in api.ohlcv_list_all_periods()],
        "latest_bars": api.ohlcv_latest_data(ETH, {"period_id": "1MIN", "limit": 3}),
        "bars": api.ohlcv_historical_data(ETH, {"period_id": "1MIN", "time_start": since}),
        "latest_trades": api.trades_latest_data_symbol(ETH, {"limit": 5}),
        "all_trades": api.trades_latest_data_all({"limit": 5}),
        "trades": api.trades_historical_data(ETH, {"time_start": since, "limit": 5}),
        "quote": api.quotes_current_data_symbol(ETH),
        "quotes": [each["symbol_id"] for each in api.quotes_current_data_all()],
        "all_quotes": api.quotes_latest_data_all({"limit": 5}),
        "latest_quotes": api.quotes_latest_data_symbol(ETH, {"limit": 5}),
        "past_quotes": api.quotes_historical_data(ETH, {"time_start": since, "limit": 5}),
        "book": api.orderbooks_current_data_symbol(ETH),
        "books": [each["symbol_id"] for each in api.orderbooks_current_data_all()],
        "latest_books": api.orderbooks_latest_data(ETH, {"limit": 5}),
        "past_books": api.orderbooks_historical_data(ETH, {"time_start": since}),
    }
    print(json.dumps(found))
    try:
        restapi.CoinAPIv1("wrong").metadata_list_exchanges()
    except urllib.error.HTTPError as exc:
        print(json.dumps({"refused": exc.code}))


main(*sys.argv[1:])
