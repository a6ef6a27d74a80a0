import { expect, type Browser, type BrowserContext, type Page } from '@playwright/test';

import type { Relay } from '../support/relay.ts';
import { agree, Tab } from '../support/tab.ts';
import { test } from '../support/test.ts';

/** So many payments are in one block: as many signatures as are worth sending to a checker. */
const PAYMENTS = 64;

/** Ways in which a page may have to do without a checker. */
const FAILURES: { what: string; says: string; meddle(context: BrowserContext): Promise<unknown> }[] = [
  {
    what: 'whose script is blocked',
    says: 'it could not be started',
    meddle: (context) => context.route('**/checker-worker-*.js', (route) => route.abort('blockedbyclient')),
  },
  {
    what: 'whose script is gone',
    says: 'it could not be started',
    meddle: (context) => context.route('**/checker-worker-*.js', (route) => route.fulfill({ status: 404, body: 'gone' })),
  },
  {
    what: 'whose program is no wasm',
    says: 'it could not be started',
    meddle: (context) => context.route('**/checker-*.wasm', (route) => route.fulfill({ body: 'no wasm' })),
  },
  {
    what: 'that breaks down over its work',
    says: 'it broke down',
    meddle: (context) =>
      context.route('**/checker-worker-*.js', (route) =>
        route.fulfill({ body: 'onmessage = ({ data }) => { if ("order" in data) throw new Error("broken"); };' }),
      ),
  },
];

test('a node whose checker fails checks signatures by itself, and stands where the others do', async ({
  browser,
  joined,
  relay,
}) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  await alice.createWallet();
  await alice.startMining();
  await alice.reaches(12);
  await alice.stopMining();
  await payOften(alice.page);
  await alice.startMining();
  await expect.poll(() => alice.page.evaluate(async () => (await window.tabchain.getMempool()).length)).toBe(0);
  await alice.stopMining();

  const whole = await late(browser, relay, alice);
  expect(whole.elsewhere, 'there is work for a checker').toBeGreaterThan(0);
  expect(whole.said).toEqual([]);
  for (const { what, says, meddle } of FAILURES) {
    const without = await late(browser, relay, alice, meddle);
    expect(without.said, `a checker ${what}`).toEqual([expect.stringContaining(says)]);
    expect(without.elsewhere, `a checker ${what}`).toBe(0);
    expect(without.signatures).toBeGreaterThanOrEqual(PAYMENTS);
  }
});

/** What a late tab says and does on its way to the tip, block by block. */
async function late(
  browser: Browser,
  relay: Relay,
  early: Tab,
  meddle?: (context: BrowserContext) => Promise<unknown>,
): Promise<{ said: string[]; elsewhere: number; signatures: number }> {
  const context = await browser.newContext();
  const said: string[] = [];
  context.on('console', (message) => {
    if (message.text().startsWith('tabchain_driver::checks')) said.push(message.text());
  });
  await meddle?.(context);
  const tab = await Tab.at(context, `${relay.url}?join=full&log=warn`);
  await tab.join();
  await agree([early, tab], 13);
  const { checkingElsewhere: elsewhere, signatures } = await tab.page.evaluate(() => window.tabchain.workload());
  await tab.close();
  return { said, elsewhere, signatures };
}

async function payOften(page: Page): Promise<void> {
  await page.evaluate(async (payments) => {
    const { accounts } = await window.tabchain.wallet.addAccount();
    const to = accounts.at(-1)?.address ?? '';
    for (let i = 0; i < payments; i++) await window.tabchain.wallet.sendMany({ outputs: [{ to, amount: 1n }] });
  }, PAYMENTS);
}
