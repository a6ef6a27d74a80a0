// Two tabs of ours that send much, open ten thousand streams, and hold no more memory after than before.
// `npm run test:endurance`; see harness.mjs for what it needs.

import assert from "node:assert/strict";
import { ENDURANCE, exchange } from "./exchange.mjs";
import { openTab, rustNode, serve, startRelay, step } from "./harness.mjs";
import { change } from "./memory.mjs";

const url = await serve();
const { relay, address } = await startRelay();
const [a, b] = [await openTab(url, rustNode), await openTab(url, rustNode)];

try {
  await a.call("connect", await b.call("reserve", address));
  // First of all: once the wasm's memory has grown, as it does when much is sent, a lot could be lost in it unseen.
  await step("10,000 streams leave no memory taken", async () => {
    const changes = await change(a, b);
    for (const { percent, note } of changes) assert(percent < 5, note);
    return changes.map(({ note }) => note).join("; ");
  });
  await exchange(a, b, ENDURANCE);
} finally {
  relay.kill("SIGKILL");
  await Promise.allSettled([a.browser.close(), b.browser.close()]);
}
