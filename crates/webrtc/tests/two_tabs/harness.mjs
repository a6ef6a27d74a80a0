// What both scripts need: a web server for the bindings, the relay, and tabs in browsers of their own.
//
// Expects the example to be built:
//   cargo build -p libp2p-webrtc-browser --example relay
//   cargo build -p libp2p-webrtc-browser --example two_tabs --target wasm32-unknown-unknown
//   wasm-bindgen --target web --out-dir <dir> <the wasm file>
// Environment: RELAY (its binary), BINDINGS (that dir), CHROMIUM (default /usr/bin/chromium).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

const { RELAY, BINDINGS, CHROMIUM = "/usr/bin/chromium" } = process.env;
assert(RELAY && BINDINGS, "set RELAY and BINDINGS");

/** How long something may take that must happen, in milliseconds: what is slow here is a busy machine. */
const LIMIT = 60_000;

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--allow-loopback-in-peer-connection",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/** Serves the bindings, an empty page, and more files by their URL. Returns the page's URL. */
export async function serve(files = {}) {
  const server = createServer(async (request, response) => {
    if (request.url === "/") {
      response.setHeader("content-type", "text/html").end('<!doctype html><link rel="icon" href="data:,"><title>two tabs</title>');
      return;
    }
    const kind = request.url.endsWith(".wasm") ? "application/wasm" : "text/javascript";
    try {
      const body = await readFile(files[request.url] ?? join(BINDINGS, request.url));
      response.setHeader("content-type", kind).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  server.unref();
  return `http://127.0.0.1:${server.address().port}/`;
}

export const startRelay = () => startProgram(RELAY, []);

/** Starts a relay that prints its address. */
export async function startProgram(program, args) {
  const relay = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(relay.stdout)) return { relay, address: line };
  throw new Error("the relay said nothing");
}

/** Opens the page in a browser of its own and makes `globalThis.node` there. */
export async function openTab(url, make) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const page = await (await browser.newContext()).newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(url);
  await page.evaluate(make);
  const call = (method, ...args) =>
    page.evaluate(([name, values]) => globalThis.node[name](...values), [method, args]);
  return { browser, page, call, problems, peer: await page.evaluate(() => globalThis.node.peer) };
}

/** A tab with a node of ours, in a browser that puppeteer has launched. */
export async function tabIn(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  await page.evaluate(`(${rustNode})()`);
  const call = (method, ...args) => page.evaluate((name, values) => globalThis.node[name](...values), method, args);
  return { browser, page, call, peer: await page.evaluate(() => globalThis.node.peer) };
}

/** Launches a browser by puppeteer, however long that takes a machine that is busy. */
export const launch = (options) => puppeteer.launch({ headless: true, timeout: LIMIT, ...options });

/** What puppeteer adds by itself so that tabs in the background run as others do. */
const UNTHROTTLED = [
  "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
];

/**
 * A tab of ours in a Chromium that treats what is in the background as people's does: timers there come once a second. `hide`
 * puts another tab before it, and what that returns takes the other away again. Playwright shows a page at all times.
 */
export async function openCovered(url) {
  const browser = await launch({ executablePath: CHROMIUM, args: FLAGS, ignoreDefaultArgs: UNTHROTTLED });
  const tab = await tabIn(browser, url);
  const becomes = (state) => until(`a ${state} page`, () => tab.page.evaluate((is) => document.visibilityState === is, state));
  const hide = async () => {
    const other = await browser.newPage();
    await other.bringToFront();
    await becomes("hidden");
    return async () => {
      await tab.page.bringToFront();
      await becomes("visible");
      await other.close();
    };
  };
  return { ...tab, hide };
}

/** Makes a node of ours in the page. */
export async function rustNode() {
  const bindings = await import("/two_tabs.js");
  globalThis.wasmMemory = (await bindings.default()).memory;
  globalThis.node = new bindings.Node();
}

/** Stops the process of a tab, as sleep does, and lets it go on with what is returned. */
export const freeze = (tab) => stopped(tab, (command) => command.includes("--type=renderer"));

/** Stops those processes of a browser whose command line is meant, until what is returned is called. */
async function stopped({ browser }, isMeant) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const meant = processInfo.map(({ id }) => id).filter((id) => isMeant(readFileSync(`/proc/${id}/cmdline`, "utf8")));
  assert(meant.length > 0, "there is such a process");
  meant.forEach((id) => process.kill(id, "SIGSTOP"));
  return () => meant.forEach((id) => process.kill(id, "SIGCONT"));
}

/** Takes the network from a tab, as a lost Wi-Fi does: stops the process that holds its sockets. What is returned gives it back. */
export const cutOff = (tab) => stopped(tab, (command) => command.includes("network.mojom.NetworkService"));

/** Kills the page of a tab, as a crash does. */
export function kill({ page }) {
  page.goto("chrome://crash").catch(() => {});
}

/** Ends a relay. */
export async function killed(relay) {
  relay.kill("SIGKILL");
  await new Promise((done) => relay.once("exit", done));
}

/** Waits until something holds that must come to hold. Returns how long that took. */
export async function until(what, holds, limit = LIMIT) {
  const start = Date.now();
  while (!(await holds())) {
    if (Date.now() - start > limit) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
  return Date.now() - start;
}

export async function step(name, run) {
  const start = Date.now();
  const note = await run().catch((error) => {
    console.log(`failed  ${name} (${Date.now() - start} ms): ${String(error).split("\n", 1)[0]}`);
    throw error;
  });
  console.log(`ok  ${name} (${Date.now() - start} ms)${note ? `: ${note}` : ""}`);
}
