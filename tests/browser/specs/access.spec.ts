import AxeBuilder from '@axe-core/playwright';
import { expect } from '@playwright/test';

import { test } from '../support/test.ts';
import { Tab } from '../support/tab.ts';

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every view passes the accessibility checks (${colorScheme})`, async ({ browser, relay }) => {
    const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce', viewport: { width: 390, height: 844 } });
    const tab = await Tab.in(context, relay);
    /** Checks a view at rest: what is still fading in has not its colours yet. */
    const check = async (view: string): Promise<void> => {
      await tab.page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== 'running'));
      const { violations } = await new AxeBuilder({ page: tab.page }).analyze();
      expect(violations.map(({ id, nodes }) => ({ view, id, at: nodes.map((node) => node.target) }))).toEqual([]);
      const overflow = await tab.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, `${view} fits a phone`).toBeLessThanOrEqual(0);
    };
    await check('landing');
    await tab.join();
    for (const view of ['home', 'explorer', 'mine', 'wallet', 'peers'] as const) {
      await tab.go(view);
      if (view === 'home') await expect(tab.page.getByTestId('strip-block')).toBeVisible();
      await check(view);
    }
    await tab.createWallet();
    await check('wallet with an address');
    await tab.close();
  });
}
