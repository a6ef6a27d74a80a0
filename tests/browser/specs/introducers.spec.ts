import { expect } from '@playwright/test';

import { Relay } from '../support/relay.ts';
import { Tab } from '../support/tab.ts';
import { test } from '../support/test.ts';

test('two tabs that share only a third one find each other when every relay is dead', async ({ browser, relay }) => {
  await using second = await Relay.start();
  const open = async (url: string, beyond?: Relay): Promise<Tab> => {
    const context = await browser.newContext();
    if (beyond) await context.routeWebSocket(beyond.websocket, (socket) => socket.close());
    const tab = await Tab.at(context, url);
    await tab.join();
    return tab;
  };
  const both = new URL(relay.url);
  both.searchParams.append('relay', relay.address);
  both.searchParams.append('relay', second.address);
  const between = await open(both.href);
  await expect.poll(() => second.metric('tabchain_relay_reservations')).toBe(1);

  // Alice's network does not let her reach the second relay.
  const alice = await open(relay.url, second);
  // Whoever dials is connected first: a relay is needed until the other side is too.
  await alice.hasPeers(1);
  await between.hasPeers(1);
  await relay.kill();
  const bob = await open(second.url);
  await bob.hasPeers(1);
  await between.hasPeers(2);
  await second.kill();

  for (const tab of [alice, bob]) {
    await tab.hasPeers(2);
    await tab.hasPaths(2);
  }
  // They need nobody any more, not even the tab that introduced them.
  await between.close();
  await alice.createWallet();
  await alice.startMining();
  await alice.reaches(5);
  await bob.reaches(5);
  await alice.close();
  await bob.close();
});
