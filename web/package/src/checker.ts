// The checkers of signatures: plain workers around a small wasm, beside the one of the node, which is free meanwhile.

import type { FromChecker, ToChecker } from './checker-worker.js';
import { partsOf, type Parts } from './parts.js';

/** Why checkers are of no more use. */
export type Lost = 'notStarted' | 'died' | 'silent';

/** How long a checker may take for an order, in milliseconds, be it to start: a hundred times what it takes on a busy machine. */
const PATIENCE = 20_000;

export interface Order {
  number: bigint;
  /** Belongs to the checkers from now on. */
  order: Uint8Array<ArrayBuffer>;
}

interface Thread {
  worker: Worker;
  /** The orders it has, each with the timer of its patience. */
  orders: Map<bigint, ReturnType<typeof setTimeout>>;
}

/**
 * How many checkers a machine has use for: two, if there is more than one core. The node beside them has about half of their
 * work to do, so that with one of them a second core would often be idle; more of them would wait for the node.
 */
export function checkersFor(cores: number): number {
  return cores > 1 ? 2 : 1;
}

export class Checkers {
  readonly count: number;
  readonly #onChecked: (checked: FromChecker) => void;
  readonly #onLost: (why: Lost) => void;
  readonly #parts = partsOf(
    new URL('../wasm/checker.wasm', import.meta.url),
    new URL('./checker-worker.js', import.meta.url),
  );
  #threads: Promise<Thread[]> | undefined;
  #lost = false;

  constructor(count: number, onChecked: (checked: FromChecker) => void, onLost: (why: Lost) => void) {
    this.count = count;
    this.#onChecked = onChecked;
    this.#onLost = onLost;
  }

  /** Fetches what threads are made of, while there is still somebody to fetch it from. Starts nothing. */
  prepare(): Promise<Parts> {
    return this.#parts();
  }

  /** Has an order carried out; the threads are started by the first. */
  async check({ number, order }: Order): Promise<void> {
    const patience = setTimeout(() => this.#lose('silent'), PATIENCE);
    this.#threads ??= this.prepare().then((parts) => Array.from({ length: this.count }, () => this.#start(parts)));
    let threads: Thread[];
    try {
      threads = await this.#threads;
    } catch {
      clearTimeout(patience);
      this.#lose('notStarted');
      return;
    }
    const thread = threads.reduce((least, thread) => (thread.orders.size < least.orders.size ? thread : least));
    thread.orders.set(number, patience);
    post(thread.worker, { number, order }, [order.buffer]);
  }

  #start({ module, script }: Parts): Thread {
    const worker = new Worker(script, { type: 'module' });
    const thread: Thread = { worker, orders: new Map() };
    worker.onmessage = ({ data }: MessageEvent<FromChecker>) => {
      clearTimeout(thread.orders.get(data.number));
      thread.orders.delete(data.number);
      this.#onChecked(data);
    };
    const died = (event: Event) => {
      // Left alone it would count as an error of the node's own worker too, and end the node.
      event.preventDefault();
      this.#lose('died');
    };
    worker.onerror = worker.onmessageerror = died;
    post(worker, { module });
    return thread;
  }

  /** One that fails takes the others along: whoever waits for them checks by itself, everything and from now on. */
  #lose(why: Lost): void {
    if (this.#lost) return;
    this.#lost = true;
    const end = ({ worker, orders }: Thread) => {
      worker.terminate();
      for (const timer of orders.values()) clearTimeout(timer);
    };
    void this.#threads?.then((threads) => threads.forEach(end)).catch(() => undefined);
    this.#onLost(why);
  }
}

function post(worker: Worker, message: ToChecker, transfer: Transferable[] = []): void {
  worker.postMessage(message, transfer);
}
