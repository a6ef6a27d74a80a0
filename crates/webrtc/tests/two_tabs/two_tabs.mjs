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

try {
  await step("a direct connection", async () => {
    invite = await b.call("reserve", address);
    await a.call("connect", invite);
    for (const [own, other] of [[a, b], [b, a]]) {
      await until("only the direct path", async () => String(await own.call("paths", other.peer)) === "WebRtc", 5_000);
    }
    return invite.replace(/12D3\w+/g, "…");
  });
  await exchange(a, b, QUICK);
  await step("the browser says that the bytes went directly", async () => {
    const stats = JSON.parse(await a.call("stats", b.peer));
    assert.equal(stats.local, "host");
    assert(stats.sent > 4 * MIB && stats.received > 4 * MIB, JSON.stringify(stats));
    return JSON.stringify(stats);
  });
  await step("a third tab is closed, which is noticed at once", async () => {
    const c = await openTab(url, rustNode);
    await c.call("connect", invite);
    await c.call("echo", b.peer, 1_000);
    await c.page.close();
    const after = await until("the end", async () => (await b.call("paths", c.peer)).length === 0, 25_000);
    assert(after < 3_000, `after ${after} ms`);
    await c.browser.close();
  });
  await step("two tabs that dial each other at once keep one connection, the same", async () => {
    let note;
    const [c, d] = [await openTab(url, rustNode), await openTab(url, rustNode)];
    const [atC, atD] = [await c.call("reserve", address), await d.call("reserve", address)];
    const ways = [[c, d], [d, c]];
    await Promise.allSettled([c.call("connect", atD), d.call("connect", atC)]);
    const only = async (own, other) => String(await own.call("paths", other.peer)) === "WebRtc";
    await Promise.all(ways.map(([own, other]) => until("one path", () => only(own, other), 5_000)));
    await Promise.all(ways.map(([own, other]) => own.call("echo_sum", other.peer, MIB)));
    for (const [own, other] of ways) assert(await only(own, other), "it is the same one");
    // The one that was dialled dials as well, while both have streams under way.
    let [decided, passed, anew] = [false, 0, 0];
    const transfers = ways.map(async ([own, other]) => {
      for (let after = 0; after < 3; after += Number(decided)) {
        await until("a path", async () => (await own.call("paths", other.peer)).includes("WebRtc"), 5_000);
        const lost = await own.call("echo_sum", other.peer, MIB).then(() => (passed += 1, 0), () => 1);
        anew += lost;
      }
    });
    const before = await Promise.all([c, d].map((tab) => tab.call("duplicates")));
    await d.call("connect", atC);
    const both = async () => (await Promise.all([c, d].map((tab) => tab.call("duplicates")))).every((count, end) => count > before[end]);
    await until("the decision", both, 10_000);
    decided = true;
    await Promise.all(transfers);
    await Promise.all(ways.map(([own, other]) => until("again one path", () => only(own, other), 5_000)));
    await Promise.all(ways.map(([own, other]) => own.call("echo_sum", other.peer, MIB)));
    note = `${passed} transfers of 1 MiB passed, ${anew} were begun anew`;
    await Promise.all([c.browser.close(), d.browser.close()]);
    return note;
  });
  await step(`${QUICK.lossy} streams of each side over a line that loses packets: nearly all are answered, the others fail in time and then work`, async () => {
    const [c, d] = [await openTab(url, rustNode), await openTab(url, rustNode)];
    const { loss, end } = await lossyLine(c.page, d.page);
    await c.call("connect", await d.call("reserve", address));
    loss.part = 0.02;
    const failed = await echoInLanes(c, d, QUICK.lossy) + await echoInLanes(d, c, QUICK.lossy);
    const note = await toldOf(loss, [c, d], failed);
    assert(failed <= QUICK.lossy / 50, note);
    await Promise.all([c.browser.close(), d.browser.close()]);
    end();
    return note;
  });
  await step("a connection that was closed is made anew", async () => {
    await a.call("disconnect", b.peer);
    await until("the end", async () => (await b.call("paths", a.peer)).length === 0, 5_000);
    await a.call("connect", invite);
    await a.call("echo", b.peer, MIB);
  });
  await step("a tab that sleeps is noticed, and connected again when it wakes", async () => {
    const wake = await freeze(b);
    const after = await until("the end", async () => (await a.call("paths", b.peer)).length === 0, 25_000);
    wake();
    assert(after < 20_000, `after ${after} ms`);
    await until("the same there", async () => (await b.call("paths", a.peer)).length === 0, 25_000);
    await a.call("connect", invite);
    await a.call("echo", b.peer, MIB);
    return `noticed after ${after} ms`;
  });
  await step("a tab that is told of a network goes on if nothing has changed", async () => {
    await Promise.all([a, b].map(({ page }) => page.evaluate(() => globalThis.dispatchEvent(new Event("online")))));
    // Longer than the check takes.
    await new Promise((done) => setTimeout(done, 7_000));
    await a.call("echo", b.peer, MIB);
    assert.deepEqual(await a.call("paths", b.peer), ["WebRtc"]);
  });
  await step("a tab that is frozen for a while goes on when it is thawed", async () => {
    const session = await b.page.context().newCDPSession(b.page);
    const before = JSON.parse(await a.call("metrics")).outbound.connected;
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    const echo = a.call("echo", b.peer, MIB);
    await new Promise((done) => setTimeout(done, 3_000));
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await echo;
    assert.equal(JSON.parse(await a.call("metrics")).outbound.connected, before, "the same connection");
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
    await until("the end", async () => (await b.call("paths", c.peer)).length === 0, 5_000);
    await b.call("connect", atC);
    await b.call("echo", c.peer, MIB);
    await uncover();
    for (const tab of [a, b]) {
      await c.call("echo", tab.peer, 1_000);
      await tab.call("disconnect", c.peer);
    }
    for (const tab of [a, b]) await until("the end", async () => (await c.call("paths", tab.peer)).length === 0, 5_000);
    await c.browser.close();
  });
  await step("a tab whose network is gone loses its connection, and is connected again when it is back", async () => {
    const lost = async (tab) => JSON.parse(await tab.call("metrics")).ended.Lost ?? 0;
    const before = await Promise.all([a, b].map(lost));
    const restore = await cutOff(b);
    // One side is told that the network is back, so it makes sure at once; the other waits for what its browser says.
    await a.page.evaluate(() => globalThis.dispatchEvent(new Event("online")));
    const ends = [[a, b], [b, a]].map(([own, other]) =>
      until("the end", async () => !(await own.call("paths", other.peer)).includes("WebRtc"), 20_000));
    const after = await Promise.all(ends);
    assert(after[0] < after[1], `after ${after.join(" and ")} ms`);
    assert.deepEqual(await Promise.all([a, b].map(lost)), before.map((count) => count + 1));
    restore();
    await a.call("connect", invite);
    await a.call("echo", b.peer, MIB);
    return `noticed after ${after.join(" and ")} ms`;
  });
  await step("the relay is killed, the tabs go on", async () => {
    await killed(relay);
    await a.call("echo", b.peer, 2 * MIB);
  });
  await step("the other tab is killed, which is noticed", async () => {
    kill(b);
    const after = await until("the end", async () => (await a.call("paths", b.peer)).length === 0, 25_000);
    assert(after < 20_000, `after ${after} ms`);
    return `after ${after} ms`;
  });
  assert.deepEqual(a.problems.filter((text) => !text.includes("WebSocket")), []);
} finally {
  relay.kill("SIGKILL");
  await Promise.allSettled([a.browser.close(), b.browser.close()]);
}
