// How soon a late tab is of use that takes the balances at a deep block first, and how long it then checks the past.

import { readFile } from 'node:fs/promises';
import { join as path } from 'node:path';

import { test } from '@playwright/test';

import { Relay } from '../support/relay.ts';
import { Tab } from '../support/tab.ts';
import { joinBySnapshot, type Facts } from './late.ts';
import { loaded } from './loaded.ts';
import { RowServer } from './rows.ts';
import { reportSnapshot } from './table.ts';

const folder = process.env['TABCHAIN_MEASURE'] ?? path(import.meta.dirname, '../../../target/measure');
const chain = process.env['TABCHAIN_CHAIN'] ?? 'long';
const SERVING = 2;

test('a late tab joins by snapshot', async ({ browser }) => {
  const facts = JSON.parse(await readFile(path(folder, `${chain}.json`), 'utf8')) as Facts;
  await using relay = await Relay.start();
  await using rows = await RowServer.start(path(folder, `${chain}.rows`));
  const tabs: Tab[] = [];
  while (tabs.length < SERVING) tabs.push(await loaded(browser, relay, rows, facts));
  const late = await Tab.open(browser, relay);
  // A person has looked at the page for a moment, and meanwhile the program has come.
  await late.page.waitForLoadState('networkidle');
  reportSnapshot(facts, SERVING, await joinBySnapshot(late, facts.tip));
  for (const tab of [late, ...tabs]) await tab.close();
});
