import { expect } from '@playwright/test';

import { Strangers } from '../support/strangers.ts';
import { Tab } from '../support/tab.ts';
import { test } from '../support/test.ts';

/** So many strangers are there at a time, each for as long as the tab listens to it. */
const CROWD = 3;

test('strangers who flood a tab with false signatures are sent away, and the page and its node go on', async ({
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
  await bob.hasPending(1);
  const strangers = await Strangers.met(browser, relay, bob);

  // A person goes through the page meanwhile: it is the strangers' turn and the person's, again and again.
  await strangers.flood(CROWD);
  for (const view of ['explorer', 'mine', 'peers', 'home'] as const) {
    const before = await strangers.given();
    await bob.go(view);
    await expect.poll(() => strangers.given()).toBeGreaterThan(before);
  }
  await expect.poll(() => sentAway, 'the tab says so, of all who come and come again').toBeGreaterThanOrEqual(3 * CROWD);
  await alice.startMining();
  await bob.reaches((await alice.height()) + 2);
  expect(await strangers.given(), 'more than a few each').toBeGreaterThan(100 * 3 * CROWD);

  await strangers.close();
  await bob.hasKinds(['direct']);
  await bob.close();
});
