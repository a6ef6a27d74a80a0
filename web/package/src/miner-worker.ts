// One thread that searches nonces, in slices short enough to hear of a new job at once.

import type { Job } from './miner.js';

export type ToMiner = { module: WebAssembly.Module; index: number } | { job: Job | undefined };
export type FromMiner = { job: bigint; nonce: bigint } | { at: number; rate: number };

interface Exports {
  set_word(index: number, word: number): void;
  prepare(): void;
  search(start: bigint, count: number): bigint;
}

const SLICE = 50;
const REPORT = 500;
const NOT_FOUND = 2n ** 64n - 1n;

// The thread's number in the high byte, then random bits: no two threads, here or elsewhere, search the same nonces.
let next = 0n;
let wasm: Exports | undefined;
let job: Job | undefined;
let count = 10_000;
let hashes = 0;
let since = performance.now();
let scheduled = false;

// A channel to itself: a turn for messages after each slice, without the pause that timers have.
const turn = new MessageChannel();
turn.port1.onmessage = slice;

onmessage = ({ data }: MessageEvent<ToMiner>) => {
  if ('module' in data) {
    start(data.module, data.index);
    return;
  }
  if (!job) [hashes, since] = [0, performance.now()];
  job = data.job;
  if (!job) return;
  load(job);
  if (!scheduled) schedule();
};

function start(module: WebAssembly.Module, index: number): void {
  wasm = new WebAssembly.Instance(module).exports as unknown as Exports;
  const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  next = (BigInt(index) << 56n) | (BigInt(random) << 24n);
}

function load({ header, target }: Job): void {
  [header, target].forEach((bytes, part) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const first = part === 0 ? 0 : header.length / 4;
    for (let word = 0; word < bytes.length / 4; word++) wasm?.set_word(first + word, view.getUint32(4 * word));
  });
  wasm?.prepare();
}

function schedule(pause = 0): void {
  scheduled = true;
  if (pause > 0) setTimeout(slice, pause);
  else turn.port2.postMessage(null);
}

function slice(): void {
  scheduled = false;
  if (!wasm || !job) return;
  const began = performance.now();
  const nonce = BigInt.asUintN(64, wasm.search(next, count));
  const found = nonce !== NOT_FOUND;
  const tried = found ? Number(nonce - next) + 1 : count;
  next = BigInt.asUintN(64, next + BigInt(tried));
  if (found) tell({ job: job.job, nonce });
  report(tried, began);
  // After a find the node has a new job soon. Until then the search goes on, but no faster than it can look at finds.
  schedule(found ? SLICE : 0);
}

function report(tried: number, began: number): void {
  const now = performance.now();
  const spent = Math.max(now - began, 0.1);
  if (tried === count) count = Math.round(Math.min(Math.max((count * SLICE) / spent, count / 2, 1_000), count * 2, 2 ** 31));
  hashes += tried;
  if (now - since < REPORT) return;
  tell({ at: now, rate: (hashes * 1_000) / (now - since) });
  [hashes, since] = [0, now];
}

function tell(message: FromMiner): void {
  postMessage(message);
}
