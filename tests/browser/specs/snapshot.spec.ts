import { expect } from '@playwright/test';

import { holdBack } from '../support/peer-connections.ts';
import { test } from '../support/test.ts';
import { agree, Tab } from '../support/tab.ts';

/** A network in which snapshots are closer together than usual, so that a short chain has some. */
const LINK = '?network=dev&snapshots=8';

test('a late tab takes the balances first, says so, and then checks the past down to the first block', async ({ browser, relay }) => {
  const open = async (): Promise<Tab> => Tab.at(await browser.newContext(), relay.url + LINK);
  const early = [await open(), await open()];
  for (const tab of early) await tab.join();
  const [alice, bob] = early;
  if (!alice || !bob) throw new Error('two tabs were opened');
  await alice.hasPeers(1);
  const { address } = await alice.createWallet();
  await alice.startMining();
  await alice.reaches(30);
  await alice.stopMining();
  const height = await agree(early, 30);

  // Nobody tells the late one of a chain before its page is there to say so.
  for (const tab of early) await holdBack(tab.page);
  const late = await open();
  // What the page says is gone in moments, with so short a past: so it is written down as it is said.
  await late.page.evaluate(() => {
    const said = new Set<string>();
    Object.assign(window, { said });
    const listen = (): void => {
      const text = document.querySelector('[data-testid="sync-panel"]')?.textContent;
      if (text) said.add(text.replace(/\s+/g, ' '));
    };
    new MutationObserver(listen).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await late.join();
  for (const tab of early) await tab.page.evaluate(() => window.letOut());
  await agree([...early, late], height);
  const joined = /all balances at block (\d+), against its header/;
  const said = (): Promise<string[]> => late.page.evaluate(() => [...(window as unknown as { said: Set<string> }).said]);
  await expect.poll(async () => (await said()).some((text) => joined.test(text)), 'it said where it joined').toBe(true);
  const told = (await said()).map((text) => joined.exec(text)?.[1]).find((at) => at !== undefined);
  expect(Number(told), 'at a block that is a snapshot').toBeGreaterThanOrEqual(8);
  expect(Number(told) % 8).toBe(0);
  expect(height - Number(told), 'and deep enough').toBeGreaterThanOrEqual(8);

  // Then it has checked everything, and has what the others have.
  await expect(late.page.getByTestId('sync-sentence')).toContainText('was checked by this tab');
  await expect(late.page.getByTestId('sync-verified')).toHaveCount(0);
  for (const at of [1, 2, Number(told), height]) expect(await late.hashAt(at)).toBe(await alice.hashAt(at));
  const balance = (tab: Tab): Promise<bigint> =>
    tab.page.evaluate(async (of) => (await window.tabchain.getAccount(of)).balance, address);
  expect(await balance(late)).toBe(await balance(alice));

  // Its own copy answers: all others are gone.
  await relay.kill();
  for (const tab of early) await tab.close();
  await late.go('explorer');
  await late.page.getByTestId('search').fill('1');
  await late.page.getByTestId('search-go').click();
  await expect(late.page.getByTestId('block')).toHaveAttribute('data-hash', (await late.hashAt(1)) ?? '');
  await late.close();
});
