import { expect } from '@playwright/test';

import { Tab } from '../support/tab.ts';
import { test } from '../support/test.ts';

const LITTLE = 10 << 20;

test('a tab that is alone is told within a minute that the browser leaves it less room', async ({ browser, relay }) => {
  const context = await browser.newContext();
  // What is done every minute is done every second here, and nothing else is any faster.
  await context.addInitScript(() => {
    const original = window.setInterval.bind(window);
    window.setInterval = ((act: () => void, pause: number) => original(act, pause === 60_000 ? 1_000 : pause)) as typeof setInterval;
  });
  const alone = await Tab.in(context, relay);
  await alone.join();
  await relay.kill();
  await expect.poll(async () => (await alone.status()).sync).toBe('alone');
  await alone.page.evaluate((quota) => {
    const told: number[] = [];
    const node = window.tabchain as unknown as EventTarget;
    node.addEventListener('status', (event) => told.push((event as CustomEvent<{ storageQuota: number }>).detail.storageQuota));
    // Made up: Chromium says that there is as much room as ever, whatever its tools tell it to keep to.
    navigator.storage.estimate = () => Promise.resolve({ usage: 1, quota });
    Object.assign(window, { told });
  }, LITTLE);
  const told = (): Promise<number[]> => alone.page.evaluate(() => (window as unknown as { told: number[] }).told);
  await expect.poll(async () => (await told()).at(-1)).toBe(LITTLE);
  await alone.close();
});
