import { expect } from '@playwright/test';

import { blockDirect } from '../support/peer-connections.ts';
import { Tab, agree } from '../support/tab.ts';
import { test } from '../support/test.ts';

/** What a circuit of this relay may carry: its default. */
const CIRCUIT_BYTES = 8 * 1024 * 1024;
/**
 * A direct path is tried again ever more rarely, in the end after pauses of seven and a half minutes at most: how far that has
 * come when the way is free is up to the machine.
 */
const NEXT_ATTEMPT = { timeout: 8 * 60_000 };

test('a tab that nobody can reach directly takes part through the relay, until a direct path is found', async ({
  browser,
  relay,
}) => {
  const context = await browser.newContext();
  await blockDirect(context);
  const [alice, bob] = await Promise.all([Tab.open(browser, relay), Tab.in(context, relay)]);
  const tabs = [alice, bob];
  await Promise.all(tabs.map((tab) => tab.join()));
  await alice.createWallet();
  await alice.startMining();
  await Promise.all(tabs.map((tab) => tab.hasKinds(['relayed'])));
  // Which of the two gives up first, and so what the other saw, is chance.
  const failures = await Promise.all(tabs.map(async (tab) => (await tab.status()).connections.failures));
  const failed = failures.reduce((sum, { noPath, unanswered }) => sum + noPath + unanswered, 0);
  expect(failed, 'a direct path was looked for first').toBeGreaterThan(0);

  // The browser's word for it: nothing is direct; and the relay's: a circuit is open.
  await Promise.all(tabs.map((tab) => tab.hasPaths(0)));
  expect(await relay.metric('tabchain_relay_circuits')).toBeGreaterThan(0);
  await bob.go('peers');
  await expect(bob.page.getByTestId('peer-relayed')).toContainText('a relay passes the data on');

  const { address: bobs } = await bob.createWallet();
  await alice.reaches(15);
  const id = await alice.send(bobs, '7');
  const row = bob.page.locator(`[data-testid="tx-row"][data-id="${id}"]`);
  await expect(row).toHaveAttribute('data-state', 'confirmed');
  await alice.stopMining();
  await agree(tabs, 15);
  await Promise.all(tabs.map((tab) => tab.hasPaths(0)));
  const carried = await relay.metric('tabchain_relay_circuit_bytes_total');
  expect(carried, 'the blocks passed through the relay').toBeGreaterThan(15 * 180);
  expect(carried, 'within its limits').toBeLessThan(CIRCUIT_BYTES);

  // Bob's network lets him through now; nobody tells the tabs, they try by themselves.
  await bob.page.evaluate(() => (window.directBlocked = false));
  for (const tab of tabs) {
    await tab.hasKinds(['direct'], NEXT_ATTEMPT);
    await tab.hasPaths(1);
  }
  await expect.poll(() => relay.metric('tabchain_relay_circuits')).toBe(0);
  const before = await relay.metric('tabchain_relay_circuit_bytes_total');
  const height = await alice.height();
  await alice.startMining();
  await bob.reaches(height + 5);
  const after = await relay.metric('tabchain_relay_circuit_bytes_total');
  expect(after - before, 'the blocks passed the relay by').toBeLessThan(5 * 180);
  for (const tab of tabs) await tab.close();
});
