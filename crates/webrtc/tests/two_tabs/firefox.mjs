// Chromium and Firefox, each dialling the other, and Firefox by itself: the exchange, a tab that is closed, a relay that is
// killed, a tab that is killed. `npm run test:firefox`; see harness.mjs for what it needs, and FIREFOX (default
// /usr/bin/firefox-esr). `npm run test:firefox-endurance` sends much more; `-- 2` after either tells only the second story.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { ENDURANCE, QUICK, exchange } from "./exchange.mjs";
import { kill, killed, launch, openTab, rustNode, serve, startRelay, step, tabIn, until } from "./harness.mjs";

const MIB = 1 << 20;
const { FIREFOX = "/usr/bin/firefox-esr" } = process.env;
const SENT = process.argv.includes("--endurance") ? ENDURANCE : QUICK;
/** Which of the three stories are told; all when none is named. */
const TOLD = process.argv.slice(2).filter((word) => /^[1-3]$/.test(word)).map(Number);
const PREFERENCES = {
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
};

const url = await serve();
const open = new Set();

async function openFirefox() {
  const browser = await launch({ browser: "firefox", executablePath: FIREFOX, extraPrefsFirefox: PREFERENCES });
  const tab = await tabIn(browser, url);
  return { ...tab, kill: () => killContents(browser.process().pid) };
}

/** Kills the processes of a Firefox that run pages, as a crash does. Another process of its makes them. */
function killContents(browser) {
  const of = (pid, what) => readFileSync(`/proc/${pid}/${what}`, "utf8");
  const descends = (pid) => pid === browser || (pid > 1 && descends(Number(of(pid, "stat").split(") ").at(-1).split(" ")[1])));
  const isContent = (pid) => {
    try {
      return of(pid, "cmdline").includes("-isForBrowser") && descends(pid);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  };
  const contents = readdirSync("/proc").map(Number).filter((pid) => pid > 1 && isContent(pid));
  assert(contents.length > 0, "there is such a process");
  contents.forEach((pid) => process.kill(pid, "SIGKILL"));
}

async function openChromium() {
  const tab = await openTab(url, rustNode);
  return { ...tab, kill: () => kill(tab) };
}

/** Tab A dials tab B; the tab that is killed is B. */
async function story(name, openA, openB) {
  const { relay, address } = await startRelay();
  const [a, b] = [await openA(), await openB()];
  const close = [() => relay.kill("SIGKILL"), ...[a, b].map(({ browser }) => () => browser.close())];
  close.forEach((end) => open.add(end));
  await step(name, async () => a.call("connect", await b.call("reserve", address)));
  await exchange(a, b, SENT);
  await step("  the browsers say so", async () => {
    for (const [own, other] of [[a, b], [b, a]]) {
      const { local, sent, received } = JSON.parse(await own.call("stats", other.peer));
      assert.equal(local, "host");
      // Firefox counts for one pair of addresses, and may have used another at first: far more than signalling is enough.
      assert(sent > 2 * MIB && received > 2 * MIB, `${sent} sent, ${received} received`);
    }
  });
  await step("  a third tab, a Firefox, is closed, and says so", async () => {
    const third = await openFirefox();
    await third.call("connect", await b.call("reserve", address));
    await until("both to know of it", async () => String(await b.call("paths", third.peer)) === "WebRtc");
    await third.page.close();
    await until("the end", async () => (await b.call("paths", third.peer)).length === 0);
    // Had it to be noticed, that nothing more comes, it would count as lost.
    assert.deepEqual(JSON.parse(await b.call("metrics")).ended, { ClosedByRemote: 1 });
    await third.browser.close();
  });
  await step("  the relay is killed, the tabs go on", async () => {
    await killed(relay);
    for (const [from, to] of [[a, b], [b, a]]) await from.call("echo_sum", to.peer, 2 * MIB);
  });
  b.kill();
  // It takes the browsers a while to notice, in which the next story begins.
  const noticed = until("the end", async () => !(await a.call("paths", b.peer)).includes("WebRtc"));
  noticed.catch(() => {});
  return () => step(`${name}: the other tab was killed, which is noticed`, async () => {
    const after = await noticed;
    close.forEach((end) => open.delete(end));
    await Promise.all(close.map((end) => end()));
    return `after ${after} ms`;
  });
}

try {
  const stories = [
    ["chromium dials firefox", openChromium, openFirefox],
    ["firefox dials chromium", openFirefox, openChromium],
    ["firefox dials firefox", openFirefox, openFirefox],
  ];
  const endings = [];
  for (const [index, told] of stories.entries()) {
    if (TOLD.length === 0 || TOLD.includes(index + 1)) endings.push(await story(...told));
  }
  for (const ending of endings) await ending();
} finally {
  await Promise.allSettled([...open].map((end) => end()));
}
