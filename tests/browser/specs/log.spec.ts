import { expect } from '@playwright/test';

import { Tab } from '../support/tab.ts';
import { test } from '../support/test.ts';

test('the console tells what the network does to those who ask for it, and nothing to others', async ({
  browser,
  relay,
}) => {
  const open = async (query: string): Promise<{ tab: Tab; told: string[] }> => {
    const context = await browser.newContext();
    const told: string[] = [];
    context.on('console', (message) => {
      if (message.text().startsWith('tabchain_net')) told.push(message.text());
    });
    const tab = await Tab.at(context, `${relay.url}${query}`);
    await tab.join();
    return { tab, told };
  };
  const [curious, other] = await Promise.all([open('?log=debug'), open('')]);
  await curious.tab.hasPeers(1);
  await other.tab.hasPeers(1);
  await expect.poll(() => curious.told).toContainEqual(expect.stringMatching(/^tabchain_net::swarm dialling relay relay=/));
  expect(other.told).toEqual([]);
  await curious.tab.close();
  await other.tab.close();
});
