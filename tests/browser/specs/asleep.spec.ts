import { expect } from '@playwright/test';

import { agree } from '../support/tab.ts';
import { test } from '../support/test.ts';

test('a tab that was frozen is back at the tip when it wakes, though the relay has been restarted', async ({
  joined,
  relay,
}) => {
  const [alice, bob] = await joined(2);
  if (!alice || !bob) throw new Error('two tabs were opened');
  await alice.hasPeers(1);
  await bob.hasPeers(1);
  await alice.createWallet();

  const devtools = await bob.context.newCDPSession(bob.page);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  await relay.kill();
  await alice.startMining();
  await alice.reaches(10);
  await relay.startAgain();
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });

  await bob.reaches(10);
  await bob.hasPeers(1);
  await expect.poll(() => relay.metric('tabchain_relay_reservations')).toBe(2);
  await alice.stopMining();
  await agree([alice, bob], 10);
});

test('a tab that changes networks loses everybody and finds them again', async ({ joined, relay }) => {
  const [alice, bob] = await joined(2);
  if (!alice || !bob) throw new Error('two tabs were opened');
  await alice.hasPeers(1);
  await bob.hasPeers(1);
  await alice.createWallet();

  // The old network takes all connections with it, and for a while there is no other.
  await bob.context.setOffline(true);
  await relay.kill();
  await bob.page.evaluate(() => {
    for (const connection of window.peerConnections) connection.close();
  });
  await bob.hasKinds([]);
  await alice.startMining();
  await alice.reaches(10);
  await relay.startAgain();
  expect(await bob.height(), 'nothing reached it').toBeLessThan(10);
  await bob.context.setOffline(false);

  await bob.hasPeers(1);
  await bob.reaches(10);
  await expect.poll(() => relay.metric('tabchain_relay_reservations')).toBe(2);
  await alice.stopMining();
  await agree([alice, bob], 10);
});
