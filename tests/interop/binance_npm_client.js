// Drives the simulated Binance with the npm package binance; prints one JSON line a finding.
// Usage: node binance_npm_client.js BASE_URL, with NODE_PATH at a folder that holds binance.
const { MainClient, WebsocketClient } = require("binance");

const base = process.argv[2];
const tell = (found) => console.log(JSON.stringify(found));
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const numbers = (levels) => levels.map((level) => level.map(Number));

async function main() {
  const got = { books: {}, trades: [], bars: {}, answers: 0, reconnects: 0, exceptions: [] };
  const quiet = { trace() {}, info() {}, error: (...told) => got.exceptions.push(told.map(String).join(" ")) };
  const socket = new WebsocketClient({ wsUrl: base.replace("http", "ws") + "/stream", beautify: true }, quiet);
  socket.on("formattedMessage", (data) => {
    if (data.eventType === "trade") got.trades.push([data.tradeId, data.price, data.quantity]);
    else if (data.eventType === "kline" && data.kline.final)
      got.bars[data.kline.startTime] = ["open", "high", "low", "close", "volume"].map((name) => data.kline[name]);
  });
  socket.on("message", (told) => {
    const data = told.data ?? told;
    if (data.lastUpdateId && data.bids) got.books[data.lastUpdateId] = [numbers(data.bids), numbers(data.asks)];
  });
  socket.on("response", () => (got.answers += 1));
  socket.on("reconnecting", () => (got.reconnects += 1));
  socket.on("exception", (told) => got.exceptions.push(String(told.message ?? told)));
  await socket.subscribe(["btcusdt@trade", "btcusdt@kline_1s", "btcusdt@depth5@100ms"], "main");
  await pause(6);
  const client = new MainClient({ baseUrl: base });
  const klines = await client.getKlines({ symbol: "BTCUSDT", interval: "1m", limit: 5 });
  tell({ klines: klines.length, ...got });
  socket.closeAll(true);
}

main().then(() => process.exit(0));
