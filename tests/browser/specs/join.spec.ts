import { expect } from '@playwright/test';

import { test } from '../support/test.ts';

test('three people press Join, and their tabs are connected to each other directly', async ({ joined, relay }) => {
  const tabs = await joined(3);
  for (const tab of tabs) {
    await tab.hasPeers(2);
    await expect(tab.page.getByTestId('peers-count')).toHaveAttribute('data-peers', '2');

    // The browser's word for it: two connections up, each on a pair of candidates that is no relay's.
    await tab.hasPaths(2);
    for (const path of await tab.paths()) {
      expect([path.local.type, path.remote.type]).not.toContain('relay');
      expect(path.bytesSent).toBeGreaterThan(0);
      expect(path.bytesReceived).toBeGreaterThan(0);
    }

    await tab.go('peers');
    await expect(tab.page.locator('[data-testid="peer"][data-kind="direct"]')).toHaveCount(2);
  }

  // The relay's word for it: once the tabs are introduced nothing passes through it any more.
  await expect.poll(() => relay.metric('tabchain_relay_circuits')).toBe(0);
  await expect.poll(() => relay.metric('tabchain_relay_reservations')).toBe(3);
});

test('nothing is connected, stored or mined before Join is pressed', async ({ browser, relay }) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const sockets: string[] = [];
  page.on('websocket', (socket) => sockets.push(socket.url()));
  await page.goto(relay.url);
  await expect(page.getByTestId('join')).toBeVisible();
  await page.waitForLoadState('networkidle');
  expect(sockets).toEqual([]);
  expect(await page.evaluate(async () => (await indexedDB.databases()).length)).toBe(0);
  expect(page.workers()).toEqual([]);
  await context.close();
});
