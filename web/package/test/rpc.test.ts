import { afterEach, describe, expect, it } from 'vitest';
import { TabchainError, unlessAborted } from '../src/error.js';
import { Caller, Gone, Server } from '../src/rpc.js';

const open: MessagePort[] = [];

function pair(carryOut: (request: unknown) => Promise<unknown>, told: (news: unknown) => void = () => undefined) {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  port1.start();
  port2.start();
  return { caller: new Caller(port1, told), server: new Server(port2, carryOut) };
}

afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

describe('questions and answers', () => {
  it('match, whatever the order of the answers', async () => {
    const release: (() => void)[] = [];
    const { caller } = pair((request) => new Promise((resolve) => release.push(() => resolve(request))));
    const answers = Promise.all([caller.ask('first'), caller.ask({ amount: 5n, at: new Date(7) })]);
    while (release.length < 2) await new Promise((resolve) => setTimeout(resolve));
    for (const answer of release.reverse()) answer();
    expect(await answers).toEqual(['first', { amount: 5n, at: new Date(7) }]);
  });

  it('carry errors with their code and details', async () => {
    const { caller } = pair(() => Promise.reject(new TabchainError('insufficient-funds', 'too little', { needed: 3n })));
    const error = await caller.ask('pay').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TabchainError);
    expect(error).toMatchObject({ code: 'insufficient-funds', message: 'too little', details: { needed: 3n } });
  });

  it('carry what the wasm throws: a plain object with a code', async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the wasm throws plain objects
    const { caller } = pair(() => Promise.reject({ code: 'no-wallet', message: 'there is no wallet' }));
    await expect(caller.ask('x')).rejects.toMatchObject({ name: 'TabchainError', code: 'no-wallet' });
  });

  it('call anything else internal', async () => {
    const { caller } = pair(() => Promise.reject(new RangeError('out of bounds')));
    await expect(caller.ask('x')).rejects.toMatchObject({ code: 'internal', message: 'out of bounds' });
  });

  it('tell news', async () => {
    const news = await new Promise((resolve) => pair(() => Promise.resolve(), resolve).server.tell({ type: 'head' }));
    expect(news).toEqual({ type: 'head' });
  });

  it('end: what waits is answered, and so is what comes later', async () => {
    const { caller } = pair(() => new Promise(() => undefined));
    const waiting = caller.ask('never answered');
    caller.end();
    await expect(waiting).rejects.toBeInstanceOf(Gone);
    await expect(caller.ask('too late')).rejects.toBeInstanceOf(Gone);
  });
});

describe('unlessAborted', () => {
  it('gives the work or the abort, whichever is first', async () => {
    const stop = new AbortController();
    await expect(unlessAborted(Promise.resolve(1), stop.signal)).resolves.toBe(1);
    const never = unlessAborted(new Promise(() => undefined), stop.signal);
    stop.abort('enough');
    await expect(never).rejects.toMatchObject({ code: 'aborted', cause: 'enough' });
    await expect(unlessAborted(new Promise(() => undefined), stop.signal)).rejects.toMatchObject({ code: 'aborted' });
  });
});
