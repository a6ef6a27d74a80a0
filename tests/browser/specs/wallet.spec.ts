import { expect } from '@playwright/test';

import { test } from '../support/test.ts';
import { agree, PASSPHRASE } from '../support/tab.ts';

test('value passes from one person to another', async ({ joined }) => {
  const [alice, bob] = await joined(2);
  if (!alice || !bob) throw new Error('two tabs were opened');
  await alice.hasPeers(1);
  const { words } = await alice.createWallet();
  const { address: bobs } = await bob.createWallet();
  await expect(alice.page.getByTestId('qr')).toHaveAttribute('data-text', /^tabchain:dtab1/);

  await alice.startMining();
  await alice.reaches(15);
  await alice.stopMining();
  await agree([alice, bob], 15);

  const id = await alice.send(bobs, '12.5');
  for (const tab of [alice, bob]) {
    await tab.go('wallet');
    await expect(tab.page.locator(`[data-testid="tx-row"][data-id="${id}"]`)).toHaveAttribute('data-state', 'pending');
  }
  await alice.startMining();
  for (const tab of [alice, bob]) {
    await tab.go('wallet');
    const row = tab.page.locator(`[data-testid="tx-row"][data-id="${id}"]`);
    await expect(row).toHaveAttribute('data-state', 'confirmed');
  }
  await alice.stopMining();
  await expect(bob.page.getByTestId('balance')).toHaveAttribute('data-units', '12500000');

  // A reload locks the wallet; the words bring it back anywhere.
  await alice.reload();
  await alice.go('wallet');
  await alice.page.getByTestId('wallet-unlock-passphrase').fill('wrong passphrase');
  await alice.page.getByTestId('wallet-unlock').click();
  await expect(alice.page.getByTestId('problem')).toHaveAttribute('data-code', 'wrong-passphrase');
  await alice.page.getByTestId('wallet-unlock-passphrase').fill(PASSPHRASE);
  await alice.page.getByTestId('wallet-unlock').click();
  await expect(alice.page.getByTestId('address').first()).toBeVisible();
  expect(words).toHaveLength(12);
});

test('words that were written down restore a wallet; wrong words are refused in words', async ({ joined }) => {
  const [alice, elsewhere] = await joined(2);
  if (!alice || !elsewhere) throw new Error('two tabs were opened');
  const { address, words } = await alice.createWallet();

  const { page } = elsewhere;
  await elsewhere.go('wallet');
  await page.getByTestId('wallet-way-restore').check({ force: true });
  await page.getByTestId('wallet-passphrase').fill(PASSPHRASE);
  await page.getByTestId('wallet-passphrase-again').fill(PASSPHRASE);
  await page.getByTestId('wallet-phrase').fill(words.toReversed().join(' '));
  await page.getByTestId('wallet-restore').click();
  await expect(page.getByTestId('problem').first()).toHaveAttribute('data-code', 'invalid-phrase');
  await page.getByTestId('wallet-phrase').fill(words.join(' '));
  await page.getByTestId('wallet-restore').click();
  await expect.poll(() => elsewhere.address()).toBe(address);
});

test('the disk holds no word and no key in the clear', async ({ joined }) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  const { words } = await alice.createWallet();
  const dump = await alice.page.evaluate(async () => {
    const text: string[] = [JSON.stringify({ ...localStorage })];
    for (const { name } of await indexedDB.databases()) {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(name ?? '');
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(new Error('the database does not open'));
      });
      for (const store of database.objectStoreNames) {
        const values = await new Promise<unknown[]>((resolve, reject) => {
          const request = database.transaction(store).objectStore(store).getAll();
          request.onsuccess = () => resolve(request.result as unknown[]);
          request.onerror = () => reject(new Error('the store does not read'));
        });
        for (const value of values) {
          const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value instanceof Uint8Array ? value : undefined;
          text.push(bytes ? new TextDecoder('latin1').decode(bytes) : JSON.stringify(value));
        }
      }
      database.close();
    }
    return text.join('\n');
  });
  expect(dump.length).toBeGreaterThan(200);
  expect(dump).not.toContain(words.join(' '));
  for (const pair of words.slice(1).map((word, index) => `${words[index]} ${word}`)) {
    expect(dump).not.toContain(pair);
  }
});
