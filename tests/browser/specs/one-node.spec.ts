import { expect } from '@playwright/test';

import { test } from '../support/test.ts';
import { Tab } from '../support/tab.ts';

test('a second tab of the same browser uses the first one\'s node, and takes over when it closes', async ({ browser, relay }) => {
  const context = await browser.newContext();
  const first = await Tab.in(context, relay);
  await first.join();
  const { peerId } = await first.status();

  const second = await Tab.in(context, relay);
  await second.opened();
  await expect(second.page.getByTestId('banner-attached')).toBeVisible();
  expect((await second.status()).peerId).toBe(peerId);

  await first.page.close();
  await expect(second.page.getByTestId('banner-attached')).toBeHidden();
  await expect.poll(async () => (await second.status()).peerId).toBe(peerId);
  await context.close();
});
