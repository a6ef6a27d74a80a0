// A tab of ours and a tab of js-libp2p, each in its own browser, dialling in either direction, over our relay and over one of
// js-libp2p: the same exchange on each of the four connections; and a fifth over which packets get lost. `npm test`; it needs what
// ../two_tabs/harness.mjs says, and `npm ci` in ../two_tabs. `npm run test:endurance` sends much more; `-- 2 4` after either tells
// only the second and the fourth.

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  kill, killed, openTab, rustNode, serve, startProgram, startRelay, step, until,
} from "../two_tabs/harness.mjs";
import { ENDURANCE, QUICK, exchange } from "../two_tabs/exchange.mjs";
import { LANES, echoInLanes, lossyLine, toldOf } from "../two_tabs/lossy.mjs";
import { bundle } from "./bundle.mjs";

const MIB = 1 << 20;
const SENT = process.argv.includes("--endurance") ? ENDURANCE : QUICK;
/** Which of the five stories are told; all when none is named. */
const TOLD = process.argv.slice(2).filter((word) => /^[1-5]$/.test(word)).map(Number);

const url = await serve({ "/js_libp2p.js": await bundle() });
const open = new Set();

async function weDial(ours, theirs) {
  await until("its reservation", () => theirs.call("address"));
  await ours.call("connect", await theirs.call("address"));
  await isDirect(theirs, ours);
}

async function theyDial(ours, theirs, address) {
  await theirs.call("connect", await ours.call("reserve", address));
  assert((await theirs.call("paths", ours.peer)).includes("WebRtc"));
  await isDirect(ours, theirs);
}

/** Whoever has dialled learns of the connection first. Of what comes earlier js-libp2p keeps ten streams. */
const isDirect = (own, other) =>
  until("a direct connection", async () => (await own.call("paths", other.peer)).includes("WebRtc"));

/** Opens a tab of ours and one of js-libp2p's, and says how to close them and the relay. */
async function openBoth({ relay, address }) {
  const makeJsNode = `(async () => {
    const { startNode } = await import("/js_libp2p.js");
    globalThis.node = await startNode(${JSON.stringify(address)});
  })()`;
  const [ours, theirs] = [await openTab(url, rustNode), await openTab(url, makeJsNode)];
  const close = [() => relay.kill("SIGKILL"), ...[ours, theirs].map(({ browser }) => () => browser.close())];
  close.forEach((end) => open.add(end));
  return { ours, theirs, close };
}

/** One connection: dialled, used, used without its relay, and ended by the death of one tab. */
async function story(name, start, dial, victim) {
  const { relay, address } = await start();
  const { ours, theirs, close } = await openBoth({ relay, address });
  await step(name, () => dial(ours, theirs, address));
  await exchange(ours, theirs, SENT);
  await step("  the relay is killed, the tabs go on", async () => {
    await killed(relay);
    await ours.call("echo_sum", theirs.peer, MIB);
    await theirs.call("echo_sum", ours.peer, MIB);
  });
  const [dead, left, who] = victim === "ours" ? [ours, theirs, "our tab"] : [theirs, ours, "their tab"];
  kill(dead);
  // It takes the browsers a while to notice, in which the next story begins.
  const noticed = until("the end", async () => !(await left.call("paths", dead.peer)).includes("WebRtc"));
  noticed.catch(() => {});
  return () => step(`${name}: ${who} was killed, which the other notices`, async () => {
    const after = await noticed;
    close.forEach((end) => open.delete(end));
    await Promise.all(close.map((end) => end()));
    return `after ${after} ms`;
  });
}

/** A connection over which packets get lost, so that numbers of channels are taken over: see the README. */
async function lossyStory() {
  const { ours, theirs, close } = await openBoth(await startRelay());
  const { loss, end } = await lossyLine(ours.page, theirs.page);
  close.push(end);
  await step("we dial js-libp2p over a line that loses packets", () => weDial(ours, theirs));
  loss.part = 0.02;
  await step(`  ${SENT.lossy} streams of ours in a row in ${LANES} lanes: each is answered, or fails in time and then works`, async () => {
    const failed = await echoInLanes(ours, theirs, SENT.lossy).catch(async (error) => {
      const { ended } = JSON.parse(await ours.call("metrics"));
      const told = String(error).split("\n", 1)[0];
      throw new Error(`${told}; connections ended: ${JSON.stringify(ended)}; theirs: ${await theirs.call("paths", ours.peer)}`);
    });
    return toldOf(loss, [ours], failed);
  });
  close.forEach((end) => open.delete(end));
  await Promise.all(close.map((end) => end()));
}

const startTheirs = () => startProgram(process.execPath, [join(import.meta.dirname, "relay.mjs")]);

try {
  const stories = [
    ["we dial js-libp2p", startRelay, weDial, "theirs"],
    ["js-libp2p dials us", startRelay, theyDial, "ours"],
    ["we dial js-libp2p over a relay of js-libp2p", startTheirs, weDial, "ours"],
    ["js-libp2p dials us over a relay of js-libp2p", startTheirs, theyDial, "theirs"],
  ];
  const endings = [];
  for (const [index, told] of stories.entries()) {
    if (TOLD.length === 0 || TOLD.includes(index + 1)) endings.push(await story(...told));
  }
  if (TOLD.length === 0 || TOLD.includes(5)) await lossyStory();
  for (const ending of endings) await ending();
} finally {
  await Promise.allSettled([...open].map((end) => end()));
}
