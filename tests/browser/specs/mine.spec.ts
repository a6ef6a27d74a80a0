import { expect } from '@playwright/test';

import { test } from '../support/test.ts';
import { agree, Tab } from '../support/tab.ts';

test('blocks mined in one tab reach all tabs directly, and difficulty follows', async ({ joined, relay }) => {
  const [miner, ...others] = await joined(3);
  if (!miner) throw new Error('three tabs were opened');
  await Promise.all([miner, ...others].map((tab) => tab.hasPeers(2)));
  await expect.poll(() => relay.metric('tabchain_relay_circuits')).toBe(0);
  const throughRelay = await relay.metric('tabchain_relay_circuit_bytes_total');

  await miner.createWallet();
  expect(await miner.height(), 'nothing is mined before somebody says so').toBe(0);
  await miner.startMining();
  const rate = miner.page.getByTestId('hash-rate').first();
  await expect.poll(async () => Number(await rate.getAttribute('data-rate'))).toBeGreaterThan(10_000);
  await miner.reaches(30);
  await miner.stopMining();
  const height = await agree([miner, ...others], 30);

  const hash = await miner.hashAt(30);
  for (const tab of others) {
    expect(await tab.hashAt(30)).toBe(hash);
    const received = (await tab.paths()).reduce((sum, path) => sum + path.bytesReceived, 0);
    expect(received, 'at least the headers came over WebRTC').toBeGreaterThan(30 * 180);
  }
  // An attempt that was still on its way may have been signalled meanwhile.
  const sinceThen = (await relay.metric('tabchain_relay_circuit_bytes_total')) - throughRelay;
  expect(sinceThen, 'no blocks passed through the relay').toBeLessThan(others.length * height * 180);

  // Blocks came much faster than every five seconds, so each asks for more work than the first.
  const difficulty = (at: number): Promise<number | undefined> =>
    miner.page.evaluate(async (h) => (await window.tabchain.getBlockAt(h))?.difficulty, at);
  expect(await difficulty(30)).toBeGreaterThan((await difficulty(1)) ?? Infinity);
});

test('a miner that breaks down takes nothing along', async ({ browser, relay }) => {
  const context = await browser.newContext();
  const script = 'onmessage = () => { throw new Error("broken"); };';
  await context.route('**/miner-worker-*.js', (route) => route.fulfill({ body: script, contentType: 'text/javascript' }));
  const alice = await Tab.in(context, relay);
  await alice.join();
  await alice.createWallet();
  await alice.startMining();
  await expect.poll(async () => (await alice.status()).mining).toMatchObject({ active: true, threads: 0 });
  await alice.stopMining();
  await alice.close();
});
