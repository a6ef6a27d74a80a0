import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium, expect, type BrowserContext } from '@playwright/test';

import { chromiumOptions } from '../support/chromium.ts';
import { test } from '../support/test.ts';
import { agree, Tab } from '../support/tab.ts';

test('a reloaded tab resumes at its tip without fetching what it has', async ({ joined, relay }) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  await alice.createWallet();
  await alice.startMining();
  await alice.reaches(20);
  await alice.stopMining();
  const before = await alice.status();
  await alice.hasWritten(before.tipHash);

  // With nobody to ask, all it can show is what it kept.
  await alice.reload();
  const after = await alice.status();
  expect(after.height).toBe(before.height);
  expect(after.tipHash).toBe(before.tipHash);
  expect(after.peerId, 'and it is the same node to others').toBe(before.peerId);
  const circuits = await relay.metric('tabchain_relay_circuit_requests_total');
  expect(circuits, 'and nobody was asked for anything').toBe(0);
});

test('a browser killed while it mines, and one killed while it syncs, open at a valid tip', async ({ joined, relay }) => {
  const [other] = await joined(1);
  if (!other) throw new Error('a tab was opened');
  const profile = await mkdtemp(join(tmpdir(), 'tabchain-profile-'));
  const launch = async (): Promise<{ tab: Tab; kill: () => Promise<void> }> => {
    const args = [...(chromiumOptions.args ?? []), '--remote-debugging-port=0'];
    const context = await chromium.launchPersistentContext(profile, { ...chromiumOptions, args });
    const tab = await Tab.in(context, relay);
    return { tab, kill: () => killBrowser(context) };
  };

  const mining = await launch();
  await mining.tab.join();
  await mining.tab.createWallet();
  await mining.tab.startMining();
  await mining.tab.reaches(25);
  await mining.kill();

  const again = await launch();
  await again.tab.opened();
  const tip = await again.tab.status();
  expect(tip.height, 'at most the last blocks are lost').toBeGreaterThan(0);
  await again.tab.hasPeers(1);
  await agree([again.tab, other], tip.height);
  await again.kill();

  // The other tab goes on; the killed one comes back in the middle of catching up, and is killed there.
  await other.createWallet();
  await other.startMining();
  await other.reaches(tip.height + 20);
  const syncing = await launch();
  await syncing.tab.opened();
  await syncing.kill();
  const last = await launch();
  await last.tab.opened();
  await last.tab.hasPeers(1);
  await other.stopMining();
  await agree([last.tab, other], tip.height + 20);
  await last.tab.context.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

/** Kills a whole browser at once, with no time for last words, and waits until none of its processes holds the profile's files any more. */
async function killBrowser(context: BrowserContext): Promise<void> {
  const session = await context.browser()?.newBrowserCDPSession();
  if (!session) throw new Error('a profile has a browser of its own');
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  for (const { id } of processInfo) {
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // It has gone with another one.
    }
  }
  // One that has ended has no command line any more, though it may have to be waited for by its parent.
  const commands = () => Promise.all(processInfo.map(({ id }) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  await expect.poll(async () => (await commands()).filter((command) => command !== '')).toEqual([]);
  await context.close().catch(() => undefined);
}
