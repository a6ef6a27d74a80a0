// Two real tabs, each in its own browser, and a real relay. `npm test`; see harness.mjs for what it needs.

import assert from "node:assert/strict";
import { QUICK, exchange } from "./exchange.mjs";
import {
  cutOff, freeze, kill, killed, openCovered, openTab, rustNode, serve, startRelay, step, until,
} from "./harness.mjs";
import { echoInLanes, lossyLine, toldOf } from "./lossy.mjs";

const url = await serve();
const { relay, address } = await startRelay();
const [a, b] = [await openTab(url, rustNode), await openTab(url, rustNode)];
const MIB = 1 << 20;
let invite;

const metrics = async (tab) => JSON.parse(await tab.call("metrics"));

/** How many connections of a tab have ended, by cause. */
const ends = async (tab) => ({ Lost: 0, ClosedByRemote: 0, ...(await metrics(tab)).ended });

const isOnly = async (own, other) => String(await own.call("paths", other.peer)) === "WebRtc";

/** Waits until two tabs have one direct connection, and nothing else, to each other: both of them, one of which learns of it first. */
async function onlyDirect(one, other) {
  for (const [own, its] of [[one, other], [other, one]]) await until("only the direct path", () => isOnly(own, its));
}

/** Waits until a tab has no direct connection to another any more. */
const end = (own, other) => until("the end", async () => !(await own.call("paths", other.peer)).includes("WebRtc"));

/** The same of both: whoever has ended it knows first, or hears of it first. */
async function apart(one, other) {
  await end(one, other);
  await end(other, one);
}

/** Waits until a tab negotiates with nobody: what still comes of it could take the place of the connection that is there. */
const decided = (tab) => until("all attempts to end", async () => {
  const { outbound, inbound } = await metrics(tab);
  return [outbound, inbound].every(({ started, connected, failed }) =>
    Object.values(failed).reduce((sum, count) => sum + count, connected) === started);
});

/** Tells a page that it is online. Resolves when it has made sure of its connections: it looks twice at what was heard on each. */
function checked() {
  const { getStats } = RTCPeerConnection.prototype;
  const looks = new Map();
  return new Promise((done) => {
    RTCPeerConnection.prototype.getStats = async function () {
      const stats = await getStats.call(this);
      looks.set(this, (looks.get(this) ?? 0) + 1);
      const isOver = ([connection, count]) => count === 2 || connection.connectionState === "closed";
      // A turn of the event loop later, what was seen has had its consequences.
      if ([...looks].every(isOver)) setTimeout(done);
      return stats;
    };
    globalThis.dispatchEvent(new Event("online"));
  }).finally(() => {
    RTCPeerConnection.prototype.getStats = getStats;
  });
}

/**
 * A page is told that it is online, and nothing by its browser about its connections, until `untold` is called. It is told again and
 * again, since what was on its way at first would count as heard.
 */
function toldOnly() {
  const told = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, "connectionState");
  Object.defineProperty(RTCPeerConnection.prototype, "connectionState", { ...told, get: () => "connected" });
  const telling = setInterval(() => globalThis.dispatchEvent(new Event("online")), 1_000);
  globalThis.untold = () => {
    clearInterval(telling);
    Object.defineProperty(RTCPeerConnection.prototype, "connectionState", told);
  };
}

try {
  await step("a direct connection", async () => {
    invite = await b.call("reserve", address);
    await a.call("connect", invite);
    await onlyDirect(a, b);
    return invite.replace(/12D3\w+/g, "…");
  });
  await exchange(a, b, QUICK);
  await step("the browser says that the bytes went directly", async () => {
    const stats = JSON.parse(await a.call("stats", b.peer));
    assert.equal(stats.local, "host");
    assert(stats.sent > 4 * MIB && stats.received > 4 * MIB, JSON.stringify(stats));
    return JSON.stringify(stats);
  });
  await step("a third tab is closed, and says so", async () => {
    const c = await openTab(url, rustNode);
    await c.call("connect", invite);
    await c.call("echo", b.peer, 1_000);
    const before = await ends(b);
    await c.page.close();
    const after = await end(b, c);
    // Had it to be noticed, that nothing more comes, it would count as lost.
    assert.deepEqual(await ends(b), { ...before, ClosedByRemote: before.ClosedByRemote + 1 });
    await c.browser.close();
    return `after ${after} ms`;
  });
  await step("two tabs that dial each other at once keep one connection, the same", async () => {
    const [c, d] = [await openTab(url, rustNode), await openTab(url, rustNode)];
    const [atC, atD] = [await c.call("reserve", address), await d.call("reserve", address)];
    const ways = [[c, d], [d, c]];
    await Promise.allSettled([c.call("connect", atD), d.call("connect", atC)]);
    await Promise.all([c, d].map(decided));
    await onlyDirect(c, d);
    await Promise.all(ways.map(([own, other]) => own.call("echo_sum", other.peer, MIB)));
    for (const [own, other] of ways) assert(await isOnly(own, other), "it is the same one");
    // The one that was dialled dials as well, while both have streams under way.
    let [isOver, passed, anew] = [false, 0, 0];
    const transfers = ways.map(async ([own, other]) => {
      for (let after = 0; after < 3; after += Number(isOver)) {
        await until("a path", async () => (await own.call("paths", other.peer)).includes("WebRtc"));
        const lost = await own.call("echo_sum", other.peer, MIB).then(() => (passed += 1, 0), () => 1);
        anew += lost;
      }
    });
    const before = await Promise.all([c, d].map((tab) => tab.call("duplicates")));
    await d.call("connect", atC);
    const both = async () => (await Promise.all([c, d].map((tab) => tab.call("duplicates")))).every((count, end) => count > before[end]);
    await until("the decision", both);
    isOver = true;
    await Promise.all(transfers);
    await onlyDirect(c, d);
    await Promise.all(ways.map(([own, other]) => own.call("echo_sum", other.peer, MIB)));
    await Promise.all([c.browser.close(), d.browser.close()]);
    return `${passed} transfers of 1 MiB passed, ${anew} were begun anew`;
  });
  await step(`${QUICK.lossy} streams of each side over a line that loses packets: nearly all are answered, the others fail in time and then work`, async () => {
    const [c, d] = [await openTab(url, rustNode), await openTab(url, rustNode)];
    const { loss, end: endLine } = await lossyLine(c.page, d.page);
    await c.call("connect", await d.call("reserve", address));
    loss.part = 0.02;
    const failed = await echoInLanes(c, d, QUICK.lossy) + await echoInLanes(d, c, QUICK.lossy);
    const note = await toldOf(loss, [c, d], failed);
    assert(failed <= QUICK.lossy / 50, note);
    await Promise.all([c.browser.close(), d.browser.close()]);
    endLine();
    return note;
  });
  await step("a connection that was closed is made anew", async () => {
    await a.call("disconnect", b.peer);
    await apart(a, b);
    await a.call("connect", invite);
    await a.call("echo", b.peer, MIB);
  });
  await step("a tab that sleeps is noticed, and connected again when it wakes", async () => {
    const before = await ends(a);
    const wake = await freeze(b);
    const after = await end(a, b);
    wake();
    assert.deepEqual(await ends(a), { ...before, Lost: before.Lost + 1 });
    await apart(a, b);
    await a.call("connect", invite);
    await a.call("echo", b.peer, MIB);
    return `noticed after ${after} ms`;
  });
  await step("a tab that is told of a network goes on if nothing has changed", async () => {
    await Promise.all([a, b].map(({ page }) => page.evaluate(checked)));
    await a.call("echo", b.peer, MIB);
    assert.deepEqual(await a.call("paths", b.peer), ["WebRtc"]);
  });
  await step("a tab that is frozen for a while goes on when it is thawed", async () => {
    const session = await b.page.context().newCDPSession(b.page);
    const before = (await metrics(a)).outbound.connected;
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    const echo = a.call("echo", b.peer, MIB);
    await new Promise((done) => setTimeout(done, 3_000));
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await echo;
    assert.equal((await metrics(a)).outbound.connected, before, "the same connection");
  });
  await step("a tab in the background stays connected, finds others and is found", async () => {
    const c = await openCovered(url);
    const atC = await c.call("reserve", address);
    await a.call("connect", atC);
    const uncover = await c.hide();
    // Longer than a tab that has gone would stay connected.
    await new Promise((done) => setTimeout(done, 20_000));
    assert.deepEqual(await a.call("paths", c.peer), ["WebRtc"]);
    for (const [own, other] of [[a, c], [c, a]]) await own.call("echo_sum", other.peer, MIB);
    await c.call("connect", invite);
    await c.call("echo", b.peer, MIB);
    await c.call("disconnect", b.peer);
    await apart(b, c);
    await b.call("connect", atC);
    await b.call("echo", c.peer, MIB);
    await uncover();
    for (const tab of [a, b]) {
      await c.call("echo", tab.peer, 1_000);
      await tab.call("disconnect", c.peer);
    }
    for (const tab of [a, b]) await apart(tab, c);
    await c.browser.close();
  });
  await step("a tab whose network is gone loses its connection, and is connected again when it is back", async () => {
    const before = await Promise.all([a, b].map(ends));
    const restore = await cutOff(b);
    // One side is told that the network is back, and makes sure: its browser says nothing. The other has only what its browser says.
    await a.page.evaluate(toldOnly);
    const after = await Promise.all([end(a, b), end(b, a)]);
    assert.deepEqual(await Promise.all([a, b].map(ends)), before.map((each) => ({ ...each, Lost: each.Lost + 1 })));
    restore();
    await a.page.evaluate(() => globalThis.untold());
    await a.call("connect", invite);
    await a.call("echo", b.peer, MIB);
    return `noticed after ${after.join(" and ")} ms`;
  });
  await step("the relay is killed, the tabs go on", async () => {
    await killed(relay);
    await a.call("echo", b.peer, 2 * MIB);
  });
  await step("the other tab is killed, which is noticed", async () => {
    const before = await ends(a);
    kill(b);
    const after = await end(a, b);
    assert.deepEqual(await ends(a), { ...before, Lost: before.Lost + 1 });
    return `after ${after} ms`;
  });
  assert.deepEqual(a.problems.filter((text) => !text.includes("WebSocket")), []);
} finally {
  relay.kill("SIGKILL");
  await Promise.allSettled([a.browser.close(), b.browser.close()]);
}
