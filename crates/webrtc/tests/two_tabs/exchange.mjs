// What is exchanged on every direct connection, whoever the two sides are and whichever of them dialled.

import assert from "node:assert/strict";
import { step, until } from "./harness.mjs";

const MIB = 1 << 20;
/**
 * How many streams go one after another side by side. More of them fill the browser's socket buffer with small packets,
 * packets get lost, and a new stream may then be given the number of one that the other side still holds.
 */
const LANES = 4;

/** What is sent on each connection in a quick run, and in one that sends all that the crate promises. */
export const QUICK = { bytes: 2 * MIB, byOne: 1_000, atOnce: 1_000, inRow: 500, lossy: 1_000 };
export const ENDURANCE = { bytes: 64 * MIB, byOne: 1_000, atOnce: 1_000, inRow: 10_000, lossy: 5_000 };

/**
 * `bytes` each way, `byOne` streams of one side at once (none of them: not tried), `atOnce` half of each side, `inRow` streams of
 * each side one after another.
 */
export async function exchange(a, b, sizes) {
  try {
    await exchangeAll(a, b, sizes);
  } catch (error) {
    // Whether the connection has ended, and by what, is not in the words of a stream that failed with it.
    for (const tab of [a, b]) console.log(`  ${tab.peer}: ${await tab.call("metrics").catch(String)}`);
    throw error;
  }
}

async function exchangeAll(a, b, { bytes, byOne, atOnce, inRow }) {
  const ways = [[a, b], [b, a]];
  await step("  ping, both ways", async () => {
    for (const [from, to] of ways) {
      // Whoever has dialled learns of the connection first.
      await until("a direct connection", async () => (await from.call("paths", to.peer)).includes("WebRtc"));
      await until("a ping", async () => (await from.call("pings", to.peer)) > 0);
    }
  });
  await step(`  ${bytes / MIB} MiB there and back, both ways, with checksums`, async () => {
    for (const [from, to] of ways) assert.match(await from.call("echo_sum", to.peer, bytes), /^[0-9a-f]{64}$/);
  });
  await step("  half close, both ways", async () => {
    for (const [from, to] of ways) assert.equal(await from.call("half_close", to.peer, "to the end"), "to the end");
  });
  await step("  a stream that is given up is reset, both ways", async () => {
    for (const [from, to] of ways) {
      const before = await to.call("resets");
      await from.call("reset", to.peer);
      await until("the reset", async () => (await to.call("resets")) > before);
    }
  });
  for (const [[from, to], who] of byOne > 0 ? [[ways[0], "first"], [ways[1], "second"]] : []) {
    await step(`  ${byOne} streams at once, all opened by the ${who}`, async () => {
      assert.equal(await from.call("echo_parallel", to.peer, byOne, 1_000), byOne);
      await returned(a);
    });
  }
  await step(`  ${atOnce} streams at once, half of them of each side`, async () => {
    const made = ways.map(([from, to]) => from.call("echo_parallel", to.peer, atOnce / 2, 1_000));
    assert.deepEqual(await Promise.all(made), [atOnce / 2, atOnce / 2]);
    await returned(a);
  });
  await step(`  ${inRow} streams of each side in a row`, async () => {
    for (const [from, to] of ways) assert.equal(await from.call("echo_in_lanes", to.peer, LANES, inRow, 100), inRow);
    await returned(a);
  });
}

/** Waits until our side has given its channels back. */
async function returned(ours) {
  await until("channels to close", async () => {
    const { opened, accepted, closed, reset } = JSON.parse(await ours.call("metrics"));
    return opened + accepted - closed - reset < 8;
  });
}
