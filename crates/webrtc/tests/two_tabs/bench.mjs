// How fast a stream is beside a raw data channel between the same two pages, how soon a dial is open beside one of
// js-libp2p, and what ten thousand streams leave in memory. `cargo xtask bench webrtc` builds what it needs and runs it:
// what harness.mjs says, with optimised bindings and the bundle of ../js_libp2p among them.
//
// A round is raw, ours, ours, raw, so that what drifts on the machine meets both alike, and likewise for dials. The raw channels
// are on the connection that carries the streams, thus share its windows and its path. Single pours differ by a lot all the same,
// since a packet lost in a full socket buffer halves the window; so there are many short rounds, and a figure is the median of
// their ratios. Rounds before them that count for nothing warm up the compilers and the windows.
// `npm run bench -- streams dials memory` measures what is named, and all when nothing is.

import { openTab, rustNode, serve, startRelay } from "./harness.mjs";
import { change } from "./memory.mjs";

const { ROUNDS = "25", MIB = "8", DIALS = "10" } = process.env;
const SIZE = Number(MIB) << 20;
const WARMING = 3;
/** What is measured; everything when nothing is named. */
const NAMED = process.argv.slice(2);
const isMeant = (what) => NAMED.length === 0 || NAMED.includes(what);

const url = await serve();
const { relay, address } = await startRelay();

/** Makes a node of ours in the page, and keeps the browser's connections at hand. */
const watchedNode = `(async () => {
  const Plain = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Plain {
    constructor(settings) {
      super(settings);
      globalThis.connection = this;
    }
  };
  await (${rustNode})();
})()`;

/** What both pages know of raw channels, on the very connection that carries the streams: each counts or pours. */
function raw(count) {
  const MESSAGE = new Uint8Array(16 * 1024).fill(7);
  // Numbers that no stream reaches here, agreed upon by both pages.
  const channels = Array.from({ length: count }, (_, index) => {
    const channel = globalThis.connection.createDataChannel("", { negotiated: true, id: 900 + index });
    channel.binaryType = "arraybuffer";
    return channel;
  });
  for (const channel of channels) {
    let [left, counting] = [0, false];
    channel.onmessage = ({ data }) => {
      if (data === "all") return;
      if (!counting) {
        [left, counting] = [Number(data), true];
        return;
      }
      left -= data.byteLength;
      if (left <= 0) {
        counting = false;
        channel.send("all");
      }
    };
  }
  const opened = (channel) =>
    new Promise((done) => (channel.readyState === "open" ? done() : channel.addEventListener("open", done)));
  globalThis.raw = {
    async pour(size, count) {
      await Promise.all(channels.slice(0, count).map((channel) => this.pourOne(channel, size / count)));
    },
    async pourOne(channel, size) {
      const all = new Promise((done) => channel.addEventListener("message", done, { once: true }));
      channel.bufferedAmountLowThreshold = 256 * 1024;
      channel.send(String(size));
      for (let sent = 0; sent < size; sent += MESSAGE.length) {
        if (channel.bufferedAmount + MESSAGE.length > 1024 * 1024) {
          await new Promise((done) => channel.addEventListener("bufferedamountlow", done, { once: true }));
        }
        channel.send(MESSAGE);
      }
      await all;
    },
  };
  return Promise.all(channels.map(opened)).then(() => {});
}

/** Times a call inside the page, in milliseconds. */
const timed = (page, object, method, ...args) =>
  page.evaluate(async ([name, call, values]) => {
    const start = performance.now();
    await globalThis[name][call](...values);
    return performance.now() - start;
  }, [object, method, args]);

const quantile = (values, part) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)];
const median = (values) => quantile(values, 0.5);
const spread = (values) => `half of them ${quantile(values, 0.25).toFixed(2)} to ${quantile(values, 0.75).toFixed(2)}`;
const perSecond = (ms) => SIZE / 1e6 / (ms / 1000);

async function throughput(a, b, streams) {
  const [ratios, ours, theirs] = [[], [], []];
  const plain = () => timed(a.page, "raw", "pour", SIZE, streams);
  const libp2p = () => timed(a.page, "node", "pour", b.peer, SIZE, streams);
  for (let round = -WARMING; round < Number(ROUNDS); round += 1) {
    const times = [await plain(), await libp2p(), await libp2p(), await plain()];
    if (round < 0) continue;
    ratios.push((times[0] + times[3]) / (times[1] + times[2]));
    theirs.push(times[0], times[3]);
    ours.push(times[1], times[2]);
  }
  console.log(
    `${streams} at once: ${perSecond(median(ours)).toFixed(1)} MB/s, raw ${perSecond(median(theirs)).toFixed(1)} MB/s, ` +
      `ratio ${median(ratios).toFixed(2)} (${spread(ratios)}, ${ratios.length} rounds)`,
  );
}

const jsNode = `(async () => {
  const { startNode } = await import("/js_libp2p.js");
  globalThis.node = await startNode(${JSON.stringify(address)});
})()`;

/** Makes two nodes in new pages of two browsers, and times the one's dial to the other and a first echo. */
async function dial(browsers, make) {
  const contexts = [];
  try {
    const pages = [];
    for (const browser of browsers) {
      contexts.push(await browser.newContext());
      const page = await contexts.at(-1).newPage();
      await page.goto(url);
      await page.evaluate(make);
      pages.push(page);
    }
    const [, invite] = [await reserved(pages[0]), await reserved(pages[1])];
    const peer = await pages[1].evaluate(() => globalThis.node.peer);
    const connected = await timed(pages[0], "node", "connect", invite);
    return [connected, connected + (await timed(pages[0], "node", "echo", peer, 100))];
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
  }
}

/** The address of a page's node, once the relay has reserved a place for it. */
const reserved = (page) =>
  page.evaluate(async (relay) => {
    if (globalThis.node.reserve) return globalThis.node.reserve(relay);
    for (;;) {
      const found = globalThis.node.address();
      if (found) return found;
      await new Promise((done) => setTimeout(done, 20));
    }
  }, address);

async function dials(browsers) {
  const [ours, theirs] = [["ours", rustNode], ["js-libp2p with itself", jsNode]].map(([name, make]) => (
    { name, make, connected: [], echoed: [], failed: 0 }));
  for (let round = 0; round <= Number(DIALS) / 2; round += 1) {
    for (const kind of [theirs, ours, ours, theirs]) {
      const times = await dial(browsers, kind.make).catch((error) => console.error(`dial, ${kind.name}: ${error.message.split("\n")[0]}`));
      kind.failed += Number(!times);
      if (round === 0 || !times) continue;
      const [connected, echoed] = times;
      kind.connected.push(connected);
      kind.echoed.push(echoed);
    }
  }
  for (const [what, times] of [["open", "connected"], ["first echo", "echoed"]]) {
    const [here, there] = [ours, theirs].map((kind) => median(kind[times]));
    console.log(
      `dial to ${what}: ${here.toFixed(0)} ms, js-libp2p ${there.toFixed(0)} ms, ratio ${(here / there).toFixed(2)} ` +
        `(${ours[times].length} and ${theirs[times].length} dials; ${ours.failed} and ${theirs.failed} more failed)`,
    );
  }
}

const [a, b] = [await openTab(url, watchedNode), await openTab(url, watchedNode)];
try {
  await a.call("connect", await b.call("reserve", address));
  await Promise.all([a, b].map(({ page }) => page.evaluate(raw, 8)));
  if (isMeant("streams")) for (const streams of [1, 8]) await throughput(a, b, streams);
  if (isMeant("dials")) await dials([a.browser, b.browser]);
  if (isMeant("memory")) {
    const changes = await change(a, b);
    console.log(`memory after 10,000 streams: ${changes.map(({ note }) => note).join("; ")}`);
  }
} finally {
  relay.kill("SIGKILL");
  await Promise.allSettled([a.browser.close(), b.browser.close()]);
}
