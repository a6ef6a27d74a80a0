// Two real tabs, each in its own browser, and a real relay. `npm test`; see harness.mjs for what it needs.

import assert from "node:assert/strict";
import { freeze, openTab, rustNode, serve, startRelay, step, until } from "./harness.mjs";

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
  await step("ping", () => until("a ping", async () => (await a.call("pings")) > 0, 20_000).then(() => ""));
  await step("8 MiB there and back, both ways", async () => {
    await Promise.all([a.call("echo", b.peer, 8 * MIB), b.call("echo", a.peer, 8 * MIB)]);
    const stats = JSON.parse(await a.call("stats", b.peer));
    assert.equal(stats.local, "host");
    assert(stats.sent > 16 * MIB && stats.received > 16 * MIB, JSON.stringify(stats));
    return JSON.stringify(stats);
  });
  await step("half close", async () => assert.equal(await a.call("half_close", b.peer, "to the end"), "to the end"));
  await step("200 streams at once", async () => assert.equal(await a.call("echo_parallel", b.peer, 200, 5_000), 200));
  await step("1,500 streams, 50 at a time", async () => {
    for (let round = 0; round < 30; round += 1) {
      assert.equal(await b.call("echo_parallel", a.peer, 50, 100), 50);
    }
    await until("channels to close", async () => {
      const { opened, closed } = JSON.parse(await b.call("stats", a.peer));
      return opened > 1_500 && opened - closed < 10;
    }, 15_000);
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
    const [c, d] = [await openTab(url, rustNode), await openTab(url, rustNode)];
    const [atC, atD] = [await c.call("reserve", address), await d.call("reserve", address)];
    await Promise.allSettled([c.call("connect", atD), d.call("connect", atC)]);
    for (const [own, other] of [[c, d], [d, c]]) {
      await until("one path", async () => String(await own.call("paths", other.peer)) === "WebRtc", 5_000);
    }
    await Promise.all([c.call("echo", d.peer, MIB), d.call("echo", c.peer, MIB)]);
    await Promise.all([c.browser.close(), d.browser.close()]);
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
  await step("the relay is killed, the tabs go on", async () => {
    relay.kill("SIGKILL");
    await new Promise((done) => relay.once("exit", done));
    await a.call("echo", b.peer, 2 * MIB);
  });
  await step("the other tab is killed, which is noticed", async () => {
    b.page.goto("chrome://crash").catch(() => {});
    const after = await until("the end", async () => (await a.call("paths", b.peer)).length === 0, 25_000);
    assert(after < 20_000, `after ${after} ms`);
    return `after ${after} ms`;
  });
  assert.deepEqual(a.problems.filter((text) => !text.includes("WebSocket")), []);
} finally {
  relay.kill("SIGKILL");
  await Promise.allSettled([a.browser.close(), b.browser.close()]);
}
