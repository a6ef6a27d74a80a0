// A tab of ours and a tab of js-libp2p, each in its own browser, dialling in either direction, over our relay and over one of
// js-libp2p. `npm test`; it needs what ../two_tabs/harness.mjs says, and `npm ci` in ../two_tabs. `npm run test:endurance`
// sends much more.

import assert from "node:assert/strict";
import { join } from "node:path";
import { openTab, rustNode, serve, startProgram, startRelay, step, until } from "../two_tabs/harness.mjs";
import { bundle } from "./bundle.mjs";

const MIB = 1 << 20;
const ENDURANCE = process.argv.includes("--endurance");
/** How much is sent: bytes each way, streams at once, and streams in batches one after another. */
const [BYTES, AT_ONCE, IN_ALL] = ENDURANCE ? [64 * MIB, 1_000, 10_000] : [4 * MIB, 100, 500];
/** A browser has 512 channel numbers for each side, and js-libp2p doesn't wait for one. */
const BATCH = 50;

const url = await serve({ "/js_libp2p.js": await bundle() });
const browsers = [];

async function pair(address, exchanged) {
  const makeJsNode = `(async () => {
    const { startNode } = await import("/js_libp2p.js");
    globalThis.node = await startNode(${JSON.stringify(address)});
  })()`;
  const both = [await openTab(url, rustNode), await openTab(url, makeJsNode)];
  browsers.push(...both.map(({ browser }) => browser));
  await exchanged(...both);
  await Promise.all(both.map(({ browser }) => browser.close()));
}

async function weDial(ours, theirs) {
  await until("its reservation", () => theirs.call("address"), 10_000);
  await ours.call("connect", await theirs.call("address"));
}

async function theyDial(ours, theirs, address) {
  await theirs.call("connect", await ours.call("reserve", address));
  assert((await theirs.call("paths", ours.peer)).includes("WebRtc"));
}

async function batches(from, to) {
  for (let sent = 0; sent < IN_ALL; sent += BATCH) {
    assert.equal(await from.call("echo_parallel", to.peer, BATCH, 100), BATCH);
  }
}

async function exchange(ours, theirs) {
  await step("  ping both ways", async () => {
    await theirs.call("ping", ours.peer);
    await until("a ping", async () => (await ours.call("pings")) > 0, 20_000);
  });
  await step(`  ${BYTES / MIB} MiB through their echo`, () => ours.call("echo", theirs.peer, BYTES));
  await step(`  ${BYTES / MIB} MiB through ours`, () => theirs.call("echo", ours.peer, BYTES));
  await step("  half close", async () =>
    assert.equal(await ours.call("half_close", theirs.peer, "to the end"), "to the end"));
  await step("  a stream that is given up is reset, both ways", async () => {
    for (const [from, to] of [[ours, theirs], [theirs, ours]]) {
      const before = await to.call("resets");
      await from.call("reset", to.peer);
      await until("the reset", async () => (await to.call("resets")) === before + 1, 5_000);
    }
  });
  await step(`  ${AT_ONCE} streams of ours at once`, async () =>
    assert.equal(await ours.call("echo_parallel", theirs.peer, AT_ONCE, 3_000), AT_ONCE));
  await step("  100 streams of theirs at once", async () =>
    assert.equal(await theirs.call("echo_parallel", ours.peer, 100, 3_000), 100));
  await step(`  ${IN_ALL} streams of ours, ${BATCH} at a time`, () => batches(ours, theirs));
  await step(`  ${IN_ALL} streams of theirs, ${BATCH} at a time`, () => batches(theirs, ours));
  await step("  channels are given back", () =>
    until("channels to close", async () => {
      const { opened, closed } = JSON.parse(await ours.call("stats", theirs.peer));
      return opened > AT_ONCE + 2 * IN_ALL && opened - closed < 5;
    }, 15_000).then(() => ""));
}

const relays = [];
try {
  const native = await startRelay();
  relays.push(native.relay);
  await pair(native.address, async (ours, theirs) => {
    await step("we dial js-libp2p", () => weDial(ours, theirs));
    await exchange(ours, theirs);
  });
  await pair(native.address, async (ours, theirs) => {
    await step("js-libp2p dials us", () => theyDial(ours, theirs, native.address));
    await exchange(ours, theirs);
  });

  const foreign = await startProgram(process.execPath, [join(import.meta.dirname, "relay.mjs")]);
  relays.push(foreign.relay);
  for (const [name, dial] of [["we dial js-libp2p", weDial], ["js-libp2p dials us", theyDial]]) {
    await pair(foreign.address, async (ours, theirs) => {
      await step(`${name} over a relay of js-libp2p`, () => dial(ours, theirs, foreign.address));
      await step("  1 MiB through their echo", () => ours.call("echo", theirs.peer, MIB));
      await step("  1 MiB through ours", () => theirs.call("echo", ours.peer, MIB));
    });
  }
} finally {
  relays.forEach((relay) => relay.kill("SIGKILL"));
  await Promise.allSettled(browsers.map((browser) => browser.close()));
}
