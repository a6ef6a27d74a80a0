import { expect } from '@playwright/test';

import { holdBack } from '../support/peer-connections.ts';
import { test } from '../support/test.ts';
import { agree } from '../support/tab.ts';

test('a late tab gets the whole ledger from more than one tab, past the relay', async ({ joined, relay }) => {
  const early = await joined(2);
  const [alice] = early;
  if (!alice) throw new Error('two tabs were opened');
  await alice.hasPeers(1);
  await alice.createWallet();
  await alice.startMining();
  await alice.reaches(20);
  const bytes = await alice.fill(3, 12);
  await alice.stopMining();
  const height = await agree(early, 20);

  // Both are there when it hears of what there is to fetch: the first alone could have given it all before the second was found.
  for (const tab of early) await holdBack(tab.page);
  const [late] = await joined(1);
  if (!late) throw new Error('a third tab was opened');
  await late.hasPeers(2);
  for (const tab of early) await tab.page.evaluate(() => window.letOut());
  await agree([...early, late], height);
  for (const at of [1, 20, height]) {
    expect(await late.hashAt(at)).toBe(await alice.hashAt(at));
  }
  const total = (await alice.status()).supply;
  expect((await late.status()).supply, 'it computed the same coins from the same blocks').toBe(total);

  // The browser's word for it: the bytes came over two connections, and the relay's: not through it.
  await late.hasPaths(2);
  const received = (await late.paths()).map((path) => path.bytesReceived);
  expect(received[0]! + received[1]!, 'the whole ledger').toBeGreaterThan(bytes);
  expect(Math.min(...received), 'each of the two served a share').toBeGreaterThan(bytes / 20);
  const circuits = await relay.metric('tabchain_relay_circuit_bytes_total');
  expect(circuits, 'the relay carried signalling only').toBeLessThan(bytes / 5);
});
