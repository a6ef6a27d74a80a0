import { test as base } from '@playwright/test';

import { Relay } from './relay.ts';
import { Tab } from './tab.ts';

interface Fixtures {
  relay: Relay;
  /** Opens and joins tabs, each in a browser profile of its own; they are closed, and checked for errors, at the end. */
  joined: (count: number) => Promise<Tab[]>;
}

export const test = base.extend<Fixtures>({
  relay: async ({}, use) => {
    await using relay = await Relay.start();
    await use(relay);
  },
  joined: async ({ browser, relay }, use) => {
    const tabs: Tab[] = [];
    await use(async (count) => {
      const more = await Promise.all(Array.from({ length: count }, () => Tab.joined(browser, relay)));
      tabs.push(...more);
      return more;
    });
    for (const tab of tabs) {
      await tab.close();
    }
  },
});
