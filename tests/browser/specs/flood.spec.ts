import { expect, type Page } from '@playwright/test';

import { Strangers } from '../support/strangers.ts';
import { Tab } from '../support/tab.ts';
import { test } from '../support/test.ts';

/** So many strangers are there at a time, each for as long as the tab listens to it. */
const CROWD = 3;

declare global {
  interface Window {
    /** How long each task of this page's thread took that the browser calls long: 50 milliseconds and more. */
    longTasks: number[];
  }
}

test('strangers who flood a tab with false signatures are sent away, and the page stays smooth', async ({
  browser,
  joined,
  relay,
}) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  const { address } = await alice.createWallet();
  await alice.startMining();
  await alice.reaches(12);
  await alice.stopMining();
  await alice.send(address, '1');

  const context = await browser.newContext();
  let sentAway = 0;
  context.on('console', (message) => {
    if (/^tabchain_driver.* sent away .*misbehaviour/.test(message.text())) sentAway += 1;
  });
  const bob = await Tab.at(context, `${relay.url}?log=debug`);
  await bob.join();
  await bob.reaches(12);
  const strangers = await Strangers.met(browser, relay, bob);
  await watchLongTasks(bob.page);

  await strangers.flood(CROWD);
  await expect.poll(() => sentAway, 'the tab says so, of all who come and come again').toBeGreaterThanOrEqual(3 * CROWD);
  await alice.startMining();
  await bob.reaches((await alice.height()) + 2);
  const given = await strangers.given();
  const longTasks = await bob.page.evaluate(() => window.longTasks);
  expect(longTasks, `while ${given} false signatures came`).toEqual([]);
  expect(given, 'more than a few each').toBeGreaterThan(100 * 3 * CROWD);

  await strangers.close();
  await bob.hasKinds(['direct']);
  await bob.close();
});

/** From now on the page notes its long tasks. That the browser tells of them at all is seen first, by one made for it. */
async function watchLongTasks(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await new Promise<void>((told) => {
      new PerformanceObserver((list) => {
        window.longTasks.push(...list.getEntries().map(({ duration }) => duration));
        told();
      }).observe({ type: 'longtask' });
      window.longTasks = [];
      setTimeout(() => {
        for (const begin = performance.now(); performance.now() - begin < 60; );
      });
    });
    window.longTasks = [];
  });
}
