import { expect } from '@playwright/test';

import { test } from '../support/test.ts';
import { agree } from '../support/tab.ts';

test('without a relay connected tabs go on, and when it is back they return by themselves', async ({ joined, relay }) => {
  const [alice, bob] = await joined(2);
  if (!alice || !bob) throw new Error('two tabs were opened');
  await alice.hasPeers(1);
  await bob.hasPeers(1);
  await alice.createWallet();
  const { address: bobs } = await bob.createWallet();

  await relay.kill();
  await alice.startMining();
  await alice.reaches(15);
  const id = await alice.send(bobs, '7');
  await bob.go('wallet');
  const row = bob.page.locator(`[data-testid="tx-row"][data-id="${id}"]`);
  await expect(row).toHaveAttribute('data-state', 'confirmed');
  await alice.stopMining();
  await agree([alice, bob], 15);
  await alice.go('peers');
  await expect(alice.page.getByTestId('relay')).toHaveAttribute('data-connected', 'false');

  await relay.startAgain();
  await expect.poll(() => relay.metric('tabchain_relay_reservations')).toBe(2);
  await expect(alice.page.getByTestId('relay')).toHaveAttribute('data-connected', 'true');
  const [carol] = await joined(1);
  if (!carol) throw new Error('a third tab was opened');
  await carol.hasPeers(2);
  await agree([alice, bob, carol], 15);
});
