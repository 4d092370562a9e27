// Drives the simulated venue with the npm package alor-api, and prints one JSON line a finding.
// Usage: node alor_api_client.js BASE_URL, with NODE_PATH at a folder that holds alor-api.
const { AlorApi } = require("alor-api");

const base = process.argv[2];
const socket = base.replace("http", "ws");
const portfolio = { exchange: "MOEX", portfolio: "D12345" };
const sber = { symbol: "SBER", exchange: "MOEX" };
const tell = (name, value) => console.log(JSON.stringify({ [name]: value }));
const open = (path) =>
  new AlorApi({
    token: "simulated-refresh-token",
    endpoint: base,
    authEndpoint: base,
    wssEndpoint: socket + path,
    wssEndpointBeta: socket + path,
  });

async function main() {
  const api = open("/ws");
  await api.refreshToken();
  const now = Math.floor(Date.now() / 1000);
  tell("security", (await api.instruments.getSecurityByExchangeAndSymbol(sber)).symbol);
  tell("history", (await api.instruments.getHistory({ ...sber, tf: "60", from: now - 600, to: now })).history.length);
  tell("positions", (await api.clientInfo.getPositions(portfolio))[0].symbol);
  tell("summary", (await api.clientInfo.getSummary(portfolio)).buyingPower);

  const got = {};
  const unsubscribers = [];
  for (const [name, request] of [
    ["orderBook", { code: "SBER", exchange: "MOEX", depth: 3, format: "Slim", frequency: 25 }],
    ["candles", { code: "SBER", exchange: "MOEX", tf: "60", from: now - 300, delayed: false, format: "Simple" }],
    ["quotes", { code: "SBER", exchange: "MOEX", format: "Simple" }],
    ["alltrades", { code: "SBER", exchange: "MOEX", depth: 5, format: "Simple" }],
    ["positions", { ...portfolio, format: "Simple" }],
    ["orders", { ...portfolio, format: "Simple" }],
    ["trades", { ...portfolio, format: "Simple" }],
  ]) {
    got[name] = 0;
    unsubscribers.push(await api.subscriptions[name](request, () => (got[name] += 1)));
  }

  const order = { side: "buy", quantity: 1, instrument: sber, user: { portfolio: "D12345" } };
  const limit = await api.orders.sendLimitOrder({ ...order, type: "limit", price: 250 });
  tell("limit", limit.message);
  const market = await api.orders.sendMarketOrder({ ...order, type: "market" });
  tell("market", market.message);
  const cancel = { orderId: limit.orderNumber, ...portfolio, stop: false, jsonResponse: true };
  tell("cancel", (await api.orders.cancelOrder(cancel)).message);

  const deadline = Date.now() + 10000;
  while (Object.values(got).some((count) => !count) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  tell("silent", Object.keys(got).filter((name) => !got[name]));
  for (const unsubscribe of unsubscribers) await unsubscribe();
  tell("unsubscribed", unsubscribers.length);

  // The package opens its command socket at the data address, so a second instance gets the other path.
  const commands = open("/cws");
  await commands.refreshToken();
  await commands.ordersWss.authorize({}, () => {});
  await commands.ordersWss.sendMarketOrder(order, () => {});
  tell("commanded", true);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
