// The miners of a browser: plain workers around a tiny wasm, each searching nonces of its own.

import { TabchainError } from './error.js';
import type { FromMiner, ToMiner } from './miner-worker.js';
import { partsOf, type Parts } from './parts.js';
import type { MiningStatus } from './types.js';

export const MAX_THREADS = 64;
/** Rates are averaged over so many milliseconds. */
const MEMORY = 4_000;

export interface Job {
  job: bigint;
  header: Uint8Array;
  target: Uint8Array;
}

interface Thread {
  worker: Worker;
  rates: { at: number; rate: number }[];
}

export class Miner {
  readonly #onSolved: (job: bigint, nonce: bigint) => void;
  readonly #onRate: () => void;
  readonly #parts = partsOf(
    new URL('../wasm/miner.wasm', import.meta.url),
    new URL('./miner-worker.js', import.meta.url),
  );
  #threads: Thread[] = [];
  #job: Job | undefined;

  constructor(onSolved: (job: bigint, nonce: bigint) => void, onRate: () => void) {
    this.#onSolved = onSolved;
    this.#onRate = onRate;
  }

  /** Fetches what threads are made of, while there is still somebody to fetch it from. Starts nothing. */
  async prepare(): Promise<Parts> {
    try {
      return await this.#parts();
    } catch (cause) {
      if (!(cause instanceof WebAssembly.CompileError)) throw cause;
      throw new TabchainError('unsupported-browser', 'mining needs WebAssembly SIMD', undefined, { cause });
    }
  }

  /** Has so many threads from now on; they are made at the first call, so nothing is mined before it. */
  async use(threads: number): Promise<void> {
    const parts = await this.prepare();
    while (this.#threads.length > threads) this.#threads.pop()?.worker.terminate();
    while (this.#threads.length < threads) this.#threads.push(this.#startThread(parts, this.#threads.length));
  }

  /** Searches a nonce for this job, and for nothing else any more. */
  work(job: Job): void {
    this.#job = job;
    for (const { worker } of this.#threads) post(worker, { job });
  }

  rest(): void {
    this.#job = undefined;
    for (const thread of this.#threads) {
      thread.rates = [];
      post(thread.worker, { job: undefined });
    }
  }

  get status(): Pick<MiningStatus, 'active' | 'threads' | 'hashRate' | 'secondsPerBlock'> {
    const active = this.#job !== undefined;
    const hashRate = active ? this.#threads.reduce((sum, thread) => sum + average(thread.rates), 0) : 0;
    const known = this.#job && hashRate > 0;
    return {
      active,
      threads: active ? this.#threads.length : 0,
      hashRate,
      ...(known && this.#job && { secondsPerBlock: expectedHashes(this.#job.target) / hashRate }),
    };
  }

  #startThread({ module, script }: Parts, index: number): Thread {
    const worker = new Worker(script, { type: 'module' });
    const thread: Thread = { worker, rates: [] };
    worker.onmessage = ({ data }: MessageEvent<FromMiner>) => {
      if ('nonce' in data) {
        this.#onSolved(data.job, data.nonce);
      } else {
        thread.rates = [...thread.rates.filter(({ at }) => at > data.at - MEMORY), data];
        this.#onRate();
      }
    };
    worker.onerror = (event) => {
      // Left alone it would count as an error of the node's own worker too, and end the node. The other threads go on.
      event.preventDefault();
      worker.terminate();
      this.#threads = this.#threads.filter((other) => other !== thread);
      this.#onRate();
    };
    post(worker, { module, index });
    if (this.#job) post(worker, { job: this.#job });
    return thread;
  }
}

/** How many hashes one block takes on average. */
export function expectedHashes(target: Uint8Array): number {
  const value = target.reduce((sum, byte) => sum * 256 + byte, 0);
  return 2 ** 256 / (value + 1);
}

function average(rates: Thread['rates']): number {
  return rates.length === 0 ? 0 : rates.reduce((sum, { rate }) => sum + rate, 0) / rates.length;
}

function post(worker: Worker, message: ToMiner): void {
  worker.postMessage(message);
}
