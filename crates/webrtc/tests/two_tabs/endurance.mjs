// Two tabs of ours that send much, open ten thousand streams, and hold no more memory after than before.
// `npm run test:endurance`; see harness.mjs for what it needs.

import assert from "node:assert/strict";
import { exchange } from "./exchange.mjs";
import { openTab, rustNode, serve, startRelay, step, until } from "./harness.mjs";

const MIB = 1 << 20;
const BATCH = 50;

const url = await serve();
const { relay, address } = await startRelay();
const [a, b] = [await openTab(url, rustNode), await openTab(url, rustNode)];

async function streams(count) {
  for (let sent = 0; sent < count; sent += BATCH) {
    assert.equal(await a.call("echo_parallel", b.peer, BATCH, 1_000), BATCH);
  }
  await until("channels to close", async () => {
    const { opened, closed } = JSON.parse(await a.call("stats", b.peer));
    return opened - closed < 5;
  }, 20_000);
}

/** What a page holds after garbage is collected: JavaScript's objects, the browser's, and the memory of the wasm. */
async function memory({ page }) {
  const session = await page.context().newCDPSession(page);
  // An object that waits for its finaliser goes with the second or third collection.
  for (let round = 0; round < 3; round += 1) await session.send("HeapProfiler.collectGarbage");
  const { usedSize, embedderHeapUsedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  const wasm = await page.evaluate(() => globalThis.wasmMemory.buffer.byteLength);
  return { wasm, script: usedSize, browser: embedderHeapUsedSize, all: wasm + usedSize + embedderHeapUsedSize };
}

try {
  await a.call("connect", await b.call("reserve", address));
  await exchange(a, b, { bytes: 64 * MIB, atOnce: 1_000, inRow: 10_000 });
  await step("10,000 streams leave no memory taken", async () => {
    await streams(1_000);
    const before = [await memory(a), await memory(b)];
    await streams(10_000);
    const after = [await memory(a), await memory(b)];
    const notes = [0, 1].map((end) => {
      const change = (after[end].all / before[end].all - 1) * 100;
      assert(change < 5, `${change} %: ${JSON.stringify([before[end], after[end]])}`);
      return `${(after[end].all / 1e6).toFixed(1)} MB, ${change.toFixed(1)} %`;
    });
    return notes.join("; ");
  });
} finally {
  relay.kill("SIGKILL");
  await Promise.allSettled([a.browser.close(), b.browser.close()]);
}
