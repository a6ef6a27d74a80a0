import { expect } from '@playwright/test';

import { test } from '../support/test.ts';
import { agree } from '../support/tab.ts';

test('the explorer shows blocks, transactions and addresses from the tab\'s own copy', async ({ joined, relay }) => {
  const [alice, bob] = await joined(2);
  if (!alice || !bob) throw new Error('two tabs were opened');
  await alice.hasPeers(1);
  const { address: alices } = await alice.createWallet();
  const { address: bobs } = await bob.createWallet();
  await alice.startMining();
  await alice.reaches(15);
  const id = await alice.send(bobs, '3');
  await alice.go('wallet');
  const row = alice.page.locator(`[data-testid="tx-row"][data-id="${id}"]`);
  await expect(row).toHaveAttribute('data-state', 'confirmed');
  await alice.stopMining();
  await agree([alice, bob], 15);

  // Bob's copy alone answers: the relay is dead and Alice has left.
  await relay.kill();
  await alice.page.close();
  const { page } = bob;
  await bob.go('explorer');
  await expect(page.getByTestId('block-row').first()).toBeVisible();

  await page.getByTestId('search').fill(id);
  await page.getByTestId('search-go').click();
  await expect(page.getByTestId('transaction')).toHaveAttribute('data-id', id);
  await expect(page.getByTestId('transaction')).toHaveAttribute('data-state', 'confirmed');

  await page.getByTestId('tx-block').getByRole('link').or(page.locator('a[data-testid="tx-block"]')).first().click();
  await expect(page.getByTestId('block')).toHaveAttribute('data-hash', /^[0-9a-f]{64}$/);
  await expect(page.locator(`[data-testid="tx-row"][data-id="${id}"]`)).toBeVisible();

  await bob.go('explorer');
  await page.getByTestId('search').fill(alices);
  await page.getByTestId('search-go').click();
  await expect(page.getByTestId('address-page')).toHaveAttribute('data-address', alices);
  await expect(page.locator(`[data-testid="tx-row"][data-id="${id}"]`)).toBeVisible();

  await bob.go('explorer');
  await page.getByTestId('search').fill('f'.repeat(64));
  await page.getByTestId('search-go').click();
  await expect(page.getByTestId('missing').or(page.getByTestId('search-result')).first()).toBeVisible();
});
