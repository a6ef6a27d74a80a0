// One thread that checks signatures: an order comes in, verdicts go out. What the bytes mean is the business of the wasm.

import type { Order } from './checker.js';

export type ToChecker = { module: WebAssembly.Module } | Order;
export interface FromChecker {
  number: bigint;
  verdicts: Uint8Array<ArrayBuffer>;
  /** How long the checks themselves took, in milliseconds. */
  took: number;
}

interface Exports {
  memory: WebAssembly.Memory;
  checker_room(bytes: number): number;
  checker_check(): number;
  checker_verdicts(): number;
}

let wasm: Exports | undefined;

// Whatever is thrown here reaches the `error` listener on the other side, and there the thread counts as dead.
onmessage = ({ data }: MessageEvent<ToChecker>) => {
  if ('module' in data) wasm = new WebAssembly.Instance(data.module).exports as unknown as Exports;
  else if (wasm) carryOut(wasm, data);
};

function carryOut(wasm: Exports, { number, order }: Order): void {
  const began = performance.now();
  const room = wasm.checker_room(order.length);
  if (room === 0) throw new RangeError(`an order of ${order.length} bytes is too large`);
  new Uint8Array(wasm.memory.buffer).set(order, room);
  const length = wasm.checker_check();
  const from = wasm.checker_verdicts();
  const verdicts = new Uint8Array(wasm.memory.buffer).slice(from, from + length);
  const checked: FromChecker = { number, verdicts, took: performance.now() - began };
  postMessage(checked, { transfer: [verdicts.buffer] });
}
