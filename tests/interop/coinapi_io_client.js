// Drives the simulated CoinAPI with the npm package coinapi-io; prints one JSON line a finding.
// Usage: node coinapi_io_client.js BASE_URL KEY SINCE, with NODE_PATH at a folder that holds coinapi-io.
const CoinAPI = require("coinapi-io");

const [, , base, key, since] = process.argv;
const ETH = "KRAKEN_SPOT_ETH_EUR";

async function main() {
  const api = new (CoinAPI.default ?? CoinAPI.CoinAPI ?? CoinAPI)(key);
  api.url = base;
  const start = new Date(since);
  const bars = await api.ohlcv_historic_data(ETH, "1MIN", start);
  const trades = await api.trades_latest_data_symbol(ETH, 5);
  const book = await api.orderbooks_current_data_symbol(ETH);
  console.log(
    JSON.stringify({
      exchanges: (await api.metadata_list_exchanges()).map((each) => each.exchange_id),
      symbols: (await api.metadata_list_symbols("COINBASE")).map((each) => each.symbol_id),
      rate: (await api.exchange_rates_get_specific_rate("BTC", "USD")).rate,
      rates: (await api.exchange_rates_get_all_current_rates("BTC")).rates.length,
      bars: bars.map((each) => [each.time_period_start, each.price_open, each.trades_count]),
      dates: trades.every((each) => each.time_exchange instanceof Date),
      trades: trades.map((each) => [each.uuid, each.price, each.size]),
      book: [book.bids[0].price, book.asks[0].price],
      quote: (await api.quotes_current_data_symbol(ETH)).symbol_id,
    }),
  );
}

main();
