// Drives the simulated Binance with the npm package @binance/connector; prints one JSON line a finding.
// Usage: node binance_connector_client.js BASE_URL, with NODE_PATH at a folder that holds @binance/connector.
const { Spot, WebsocketStream } = require("@binance/connector");

const base = process.argv[2];
const tell = (found) => console.log(JSON.stringify(found));
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const quiet = { info() {}, debug() {}, error: console.error, warn() {}, log() {} };
const numbers = (levels) => levels.map((level) => level.map(Number));

async function main() {
  const got = { books: {}, trades: [], bars: {}, changes: [], answers: [] };
  const message = (text) => {
    const { stream, data, ...answer } = JSON.parse(text);
    if (!stream) got.answers.push(answer.result);
    else if (stream === "btcusdt@trade") got.trades.push([data.t, Number(data.p), Number(data.q)]);
    else if (stream === "btcusdt@depth@100ms") got.changes.push([data.U, data.u]);
    else if (stream === "btcusdt@depth5@100ms") got.books[data.lastUpdateId] = [numbers(data.bids), numbers(data.asks)];
    else if (data.k.x) got.bars[data.k.t] = [..."ohlcv"].map((name) => Number(data.k[name]));
  };
  const opened = new Promise((resolve) => (got.opened = resolve));
  const callbacks = { open: () => got.opened(true), message };
  const wsURL = base.replace("http", "ws");
  const stream = new WebsocketStream({ logger: quiet, callbacks, wsURL, combinedStreams: true });
  stream.subscribe(["btcusdt@trade", "btcusdt@kline_1s", "btcusdt@depth5@100ms"]);
  await opened;
  stream.subscribe("btcusdt@depth@100ms");
  await pause(6);
  stream.unsubscribe("btcusdt@trade");
  await pause(0.5);
  const client = new Spot("", "", { baseURL: base });
  const klines = await client.klines("BTCUSDT", "1m", { limit: 5 });
  const top = await client.bookTicker("BTCUSDT");
  tell({ klines: klines.data.length, top: top.data.symbol, ...got });
  const closed = new Promise((resolve) => stream.wsConnection.ws.on("close", resolve));
  stream.disconnect();
  tell({ closed: await closed });
}

main().then(() => process.exit(0));
