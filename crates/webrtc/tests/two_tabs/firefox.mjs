// Chromium and Firefox, each dialling the other, and Firefox by itself. `npm run test:firefox`; see harness.mjs for what
// it needs, and FIREFOX (default /usr/bin/firefox-esr).

import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";
import { exchange } from "./exchange.mjs";
import { openTab, rustNode, serve, startRelay, step, until } from "./harness.mjs";

const MIB = 1 << 20;
const { FIREFOX = "/usr/bin/firefox-esr" } = process.env;
const PREFERENCES = {
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
};

const url = await serve();
const { relay, address } = await startRelay();
const browsers = [];

async function openFirefox() {
  const browser = await puppeteer.launch({
    browser: "firefox", executablePath: FIREFOX, headless: true, extraPrefsFirefox: PREFERENCES,
  });
  const page = await browser.newPage();
  await page.goto(url);
  await page.evaluate(`(${rustNode})()`);
  const call = (method, ...args) => page.evaluate((name, values) => globalThis.node[name](...values), method, args);
  return { browser, page, call, peer: await page.evaluate(() => globalThis.node.peer) };
}

const openChromium = () => openTab(url, rustNode);

async function pair(name, openA, openB) {
  const [a, b] = [await openA(), await openB()];
  browsers.push(a.browser, b.browser);
  await step(name, async () => a.call("connect", await b.call("reserve", address)));
  await exchange(a, b, { bytes: 4 * MIB, atOnce: 100, inRow: 200 });
  await step("  the browsers say so", async () => {
    for (const [own, other] of [[a, b], [b, a]]) {
      const { local, sent, received } = JSON.parse(await own.call("stats", other.peer));
      assert.equal(local, "host");
      assert(sent > 8 * MIB && received > 8 * MIB, `${sent} sent, ${received} received`);
    }
  });
  await step("  a closed tab is noticed at once", async () => {
    await b.page.close();
    await until("the end", async () => (await a.call("paths", b.peer)).length === 0, 3_000);
  });
}

try {
  await pair("chromium dials firefox", openChromium, openFirefox);
  await pair("firefox dials chromium", openFirefox, openChromium);
  await pair("firefox dials firefox", openFirefox, openFirefox);
} finally {
  relay.kill("SIGKILL");
  await Promise.allSettled(browsers.map((browser) => browser.close()));
}
