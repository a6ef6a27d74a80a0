// What pages hold before and after many streams.

import assert from "node:assert/strict";
import { until } from "./harness.mjs";

const BATCH = 50;

/** Opens `count` streams in batches, and waits until their channels are given back. */
async function streams(a, b, count) {
  const alive = async () => {
    const { opened, closed } = JSON.parse(await a.call("stats", b.peer));
    return opened - closed;
  };
  const before = await alive();
  for (let sent = 0; sent < count; sent += BATCH) {
    assert.equal(await a.call("echo_parallel", b.peer, BATCH, 1_000), BATCH);
  }
  await until("channels to close", async () => (await alive()) < before + 5);
}

/** What a page holds after garbage is collected: JavaScript's objects, the browser's, and the memory of the wasm. */
async function held({ page }) {
  const session = await page.context().newCDPSession(page);
  // An object that waits for its finaliser goes with the second or third collection.
  for (let round = 0; round < 3; round += 1) await session.send("HeapProfiler.collectGarbage");
  const { usedSize, embedderHeapUsedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  const wasm = await page.evaluate(() => globalThis.wasmMemory.buffer.byteLength);
  return { wasm, script: usedSize, browser: embedderHeapUsedSize, all: wasm + usedSize + embedderHeapUsedSize };
}

/** How both pages' memory has changed after ten thousand streams. A thousand before that warm the compilers up. */
export async function change(a, b) {
  await streams(a, b, 1_000);
  const before = [await held(a), await held(b)];
  await streams(a, b, 10_000);
  const after = [await held(a), await held(b)];
  return [0, 1].map((end) => {
    const percent = (after[end].all / before[end].all - 1) * 100;
    return { percent, note: `${(after[end].all / 1e6).toFixed(1)} MB, ${percent.toFixed(1)} %` };
  });
}
