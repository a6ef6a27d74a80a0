import { expect, type Browser, type BrowserContext, type Page } from '@playwright/test';

import type { Relay } from '../support/relay.ts';
import { agree, Tab } from '../support/tab.ts';
import { test } from '../support/test.ts';

/** So many payments are in one block: as many signatures as are worth sending to a checker. */
const PAYMENTS = 64;

/** A way in which a page may have to do without a checker, and what its node says then. */
interface Failure {
  what: string;
  says: string;
  meddle(context: BrowserContext): Promise<unknown>;
}

const FAILURES: Failure[] = [
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
  await alice.hasPending(0);
  await alice.stopMining();

  const whole = await late(browser, relay, alice);
  expect(whole.elsewhere, 'there is work for a checker').toBeGreaterThan(0);
  for (const failure of FAILURES) {
    const without = await late(browser, relay, alice, failure);
    expect(without.elsewhere, `a checker ${failure.what}`).toBe(0);
    expect(without.signatures).toBeGreaterThanOrEqual(PAYMENTS);
  }
});

/** A late tab goes its way to the tip, block by block, and says what it should; returns what it did. */
async function late(
  browser: Browser,
  relay: Relay,
  early: Tab,
  failure?: Failure,
): Promise<{ elsewhere: number; signatures: number }> {
  const context = await browser.newContext();
  const said: string[] = [];
  context.on('console', (message) => {
    if (message.text().startsWith('tabchain_driver::checks')) said.push(message.text());
  });
  await failure?.meddle(context);
  const tab = await Tab.at(context, `${relay.url}?join=full&log=warn`);
  await tab.join();
  await agree([early, tab], 13);
  const { checkingElsewhere: elsewhere, signatures } = await tab.page.evaluate(() => window.tabchain.workload());
  // A worker's console comes by a way of its own, and may be later than what its node answers.
  const words = failure ? [expect.stringContaining(failure.says)] : [];
  await expect.poll(() => said, failure && `a checker ${failure.what}`).toEqual(words);
  await tab.close();
  return { elsewhere, signatures };
}

async function payOften(page: Page): Promise<void> {
  await page.evaluate(async (payments) => {
    const { accounts } = await window.tabchain.wallet.addAccount();
    const to = accounts.at(-1)?.address ?? '';
    for (let i = 0; i < payments; i++) await window.tabchain.wallet.sendMany({ outputs: [{ to, amount: 1n }] });
  }, PAYMENTS);
}
