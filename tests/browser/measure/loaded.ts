import type { Browser } from '@playwright/test';

import type { Relay } from '../support/relay.ts';
import { Tab } from '../support/tab.ts';
import { serving, type Facts } from './late.ts';
import { blankPage, loadRows, type RowServer } from './rows.ts';

/** A tab that holds the whole chain and serves it. */
export async function loaded(browser: Browser, relay: Relay, rows: RowServer, facts: Facts): Promise<Tab> {
  const context = await browser.newContext({ bypassCSP: true });
  const blank = await context.newPage();
  await blankPage(blank, relay);
  await loadRows(blank, rows.url);
  await blank.close();
  return serving(await Tab.in(context, relay), facts);
}
