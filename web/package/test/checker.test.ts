import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Checkers, checkersFor, type Lost } from '../src/checker.js';
import type { FromChecker, ToChecker } from '../src/checker-worker.js';
import file from '../wasm/checker.wasm?url&inline';

const wasm = await (await fetch(file)).arrayBuffer();

/** An order of one list: zeros are a key of small order with a signature of it; with another `s` they are not. */
function order(...valid: boolean[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32 + 2 + 128 * valid.length);
  bytes.set([1, valid.length], 32);
  valid.forEach((valid, index) => (bytes[32 + 2 + 128 * index + 96] = valid ? 0 : 1));
  return bytes;
}

/** Stands for the browser's worker. Its thread is not run; a test says what comes of it. */
class Thread {
  static all: Thread[] = [];
  readonly posted: ToChecker[] = [];
  ended = false;
  onmessage: ((event: { data: FromChecker }) => void) | undefined;
  onerror: ((event: Event) => void) | undefined;

  constructor() {
    Thread.all.push(this);
  }

  postMessage(message: ToChecker): void {
    this.posted.push(message);
  }

  terminate(): void {
    this.ended = true;
  }

  get orders(): bigint[] {
    return this.posted.flatMap((message) => ('number' in message ? [message.number] : []));
  }
}

function checkers(count: number) {
  const checked: bigint[] = [];
  const lost: Lost[] = [];
  const own = new Checkers(count, ({ number }) => checked.push(number), (why) => lost.push(why));
  return { own, checked, lost };
}

beforeEach(() => {
  Thread.all = [];
  vi.useFakeTimers();
  vi.stubGlobal('Worker', Thread);
  vi.stubGlobal('fetch', (url: URL) =>
    Promise.resolve(new Response(url.pathname.endsWith('.wasm') ? wasm : 'script', { status: 200 })),
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('checkers', () => {
  it('are as many as the node can keep busy', () => {
    expect([1, 2, 3, 8].map(checkersFor)).toEqual([1, 2, 2, 2]);
  });

  it('start with the first order, and the one with the least to do gets the next', async () => {
    const { own, checked, lost } = checkers(2);
    await own.prepare();
    expect(Thread.all).toHaveLength(0);
    for (const number of [1n, 2n]) await own.check({ number, order: order(true) });
    const [first, second] = Thread.all;
    second?.onmessage?.({ data: { number: 2n, verdicts: new Uint8Array(2), took: 1 } });
    await own.check({ number: 3n, order: order(true) });
    expect([first?.orders, second?.orders, checked, lost]).toEqual([[1n], [2n, 3n], [2n], []]);
  });

  it('are lost when nothing can be fetched to start them with', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('offline')));
    const { own, lost } = checkers(1);
    await expect(own.prepare()).rejects.toThrow('offline');
    await own.check({ number: 1n, order: order(true) });
    expect(lost).toEqual(['notStarted']);
  });

  it('are lost when what they are started with does not come, and nobody waits for it longer', async () => {
    vi.stubGlobal('fetch', () => new Promise(() => undefined));
    const { own, lost } = checkers(1);
    void own.check({ number: 1n, order: order(true) });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lost).toEqual(['silent']);
  });

  it('are lost when a server has something else in their place', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('not found', { status: 404 })));
    const { own, lost } = checkers(1);
    await own.check({ number: 1n, order: order(true) });
    expect([lost, Thread.all]).toEqual([['notStarted'], []]);
  });

  it('are lost all together, and once, when one breaks down', async () => {
    const { own, lost } = checkers(2);
    for (const number of [1n, 2n]) await own.check({ number, order: order(true) });
    const errors = Thread.all.map(() => new Event('error', { cancelable: true }));
    errors.forEach((error, index) => Thread.all[index]?.onerror?.(error));
    await vi.runAllTimersAsync();
    expect(lost).toEqual(['died']);
    expect(errors.map((error) => error.defaultPrevented)).toEqual([true, true]);
    expect(Thread.all.map((thread) => thread.ended)).toEqual([true, true]);
  });

  it('are lost when one does not answer, but not while they do', async () => {
    const { own, lost } = checkers(1);
    await own.check({ number: 1n, order: order(true) });
    Thread.all[0]?.onmessage?.({ data: { number: 1n, verdicts: new Uint8Array(2), took: 1 } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lost).toEqual([]);
    await own.check({ number: 2n, order: order(true) });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lost).toEqual(['silent']);
  });
});

describe('the script of a checker', () => {
  it('checks with the wasm that the package ships, and takes no bytes for an order that are none', async () => {
    const told: FromChecker[] = [];
    vi.stubGlobal('postMessage', (message: FromChecker) => told.push(message));
    vi.stubGlobal('onmessage', undefined);
    await import('../src/checker-worker.js');
    const hear = (data: ToChecker): void => (globalThis.onmessage as (event: { data: ToChecker }) => void)({ data });
    hear({ module: new WebAssembly.Module(wasm) });
    hear({ number: 1n, order: order(true, true) });
    hear({ number: 2n, order: order(true, false, true) });
    hear({ number: 3n, order: new Uint8Array(3) });
    // One list: valid, or invalid at a place.
    expect(told.map(({ number, verdicts }) => [number, ...verdicts])).toEqual([[1n, 1, 0], [2n, 1, 1, 1], [3n]]);
    expect(() => hear({ number: 4n, order: new Uint8Array(5 << 20) })).toThrow(RangeError);
  });
});
