import { expect } from '@playwright/test';

import { test } from '../support/test.ts';

test('a status that the browser holds up is not older than what was told before it', async ({ joined }) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  const { page } = alice;
  await alice.createWallet();
  // How much room there is the browser says only when it is let go.
  await page.evaluate(() => {
    const told: [string, boolean][] = [];
    const node = window.tabchain as unknown as EventTarget;
    node.addEventListener('status', (event) => {
      told.push(['status', (event as CustomEvent<{ mining: { active: boolean } }>).detail.mining.active]);
    });
    node.addEventListener('mining', (event) => {
      told.push(['mining', (event as CustomEvent<{ active: boolean }>).detail.active]);
    });
    const room = new Promise<StorageEstimate>((resolve) => Object.assign(window, { letGo: () => resolve({ usage: 1, quota: 2 }) }));
    navigator.storage.estimate = () => {
      Object.assign(window, { asked: true });
      return room;
    };
    Object.assign(window, { told });
  });
  const told = (): Promise<[string, boolean][]> =>
    page.evaluate(() => (window as unknown as { told: [string, boolean][] }).told);
  // A status is due after that. The browser's word of a moment ago holds for a while, then it is asked again.
  const holdsUp = (): Promise<boolean> => page.evaluate(() => window.dispatchEvent(new Event('online')) && 'asked' in window);
  await expect.poll(holdsUp).toBe(true);

  await alice.startMining();
  await expect.poll(told).toContainEqual(['mining', true]);
  const before = (await told()).length;
  await page.evaluate(() => (window as unknown as { letGo(): void }).letGo());
  await expect.poll(async () => (await told()).slice(before)).toContainEqual(['status', expect.any(Boolean)]);
  expect((await told()).slice(before)).not.toContainEqual(['status', false]);
  await alice.stopMining();
});
