// How fast a stream is beside a raw data channel between the same two pages, how soon a dial is open beside one of
// js-libp2p, and what ten thousand streams leave in memory. `cargo xtask bench webrtc` builds what it needs and runs it:
// what harness.mjs says, with optimised bindings and the bundle of ../js_libp2p among them.
//
// A round is raw, ours, ours, raw, so that what drifts on the machine meets both alike, and likewise for dials. The raw channels
// are on the connection that carries the streams, thus share its windows and its path: a pour begins with the window that the one
// before has left, however short it is. Messages are as long on both, and a writer waits by the same two marks. Single pours
// differ by a lot all the same, since a packet lost in a full socket buffer halves the window; so there are many short rounds, as
// many bytes in all for one stream as for eight. Rounds before them that count for nothing warm up the compilers and the windows.
// Two figures are given, neither of which leaves a round out: the median of the rounds' ratios with the quartiles, and the ratio of
// all the time that raw pours took to all that ours took. What a stream costs both browsers in processor time, all their processes
// taken together, depends less on luck, and is said beside it; and how much else ran on the machine, which should be nothing.
// `npm run bench -- streams dials memory` measures what is named, and all when nothing is.

import { cpus } from "node:os";
import { openTab, rustNode, serve, startRelay } from "./harness.mjs";
import { change } from "./memory.mjs";

const { ROUNDS = "120", MIB = "2", DIALS = "10" } = process.env;
/** What is poured into one stream. */
const SIZE = Number(MIB) << 20;
/** Rounds that count for nothing. */
const WARMING = 4;
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

const sum = (values) => values.reduce((all, value) => all + value, 0);

/** Processor time that these browsers have used, all their processes together, and that the machine has, in seconds. */
async function used(sessions) {
  const said = await Promise.all(sessions.map((session) => session.send("SystemInfo.getProcessInfo")));
  const browsers = sum(said.flatMap(({ processInfo }) => processInfo).map(({ cpuTime }) => cpuTime));
  const machine = sum(cpus().flatMap(({ times: { user, nice, sys, irq } }) => [user, nice, sys, irq])) / 1000;
  return { browsers, machine };
}

async function throughput(a, b, streams) {
  const sessions = await Promise.all([a, b].map(({ browser }) => browser.newBrowserCDPSession()));
  const size = SIZE * streams;
  const rounds = Math.ceil(Number(ROUNDS) / streams);
  const pour = async (object, ...args) => {
    const before = await used(sessions);
    const time = await timed(a.page, object, "pour", ...args, size, streams);
    const after = await used(sessions);
    const spent = after.browsers - before.browsers;
    return { time, spent, others: after.machine - before.machine - spent };
  };
  const ratios = [];
  const poured = { raw: [], ours: [] };
  for (let round = -WARMING; round < rounds; round += 1) {
    const first = await pour("raw");
    const ours = [await pour("node", b.peer), await pour("node", b.peer)];
    const raw = [first, await pour("raw")];
    if (round < 0) continue;
    ratios.push(sum(raw.map(({ time }) => time)) / sum(ours.map(({ time }) => time)));
    poured.raw.push(...raw);
    poured.ours.push(...ours);
  }
  const all = (whose, what) => sum(poured[whose].map((each) => each[what]));
  const middle = (whose) => (size / 1e3 / median(poured[whose].map(({ time }) => time))).toFixed(1);
  const cost = (whose) => ((1e9 * all(whose, "spent")) / (poured[whose].length * size)).toFixed(0);
  const others = (all("raw", "others") + all("ours", "others")) / ((all("raw", "time") + all("ours", "time")) / 1000);
  console.log(
    `${streams} at once: ratio ${median(ratios).toFixed(2)} (${spread(ratios)}, ${ratios.length} rounds), ` +
      `${(all("raw", "time") / all("ours", "time")).toFixed(2)} of all the time; ${middle("ours")} MB/s, raw ${middle("raw")} MB/s`,
  );
  console.log(
    `${streams} at once: processor time ${cost("ours")} ms a megabyte, raw ${cost("raw")}, ` +
      `ratio ${(all("raw", "spent") / all("ours", "spent")).toFixed(2)}; all else took ${others.toFixed(2)} of ${cpus().length} processors`,
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
