// How long a node that holds the long chain takes from a reload to its tip, and where that time goes.

import { readFile } from 'node:fs/promises';
import { join as path } from 'node:path';

import { test } from '@playwright/test';

import { Relay } from '../support/relay.ts';
import { reload, type Facts, type Reached } from './late.ts';
import { loaded } from './loaded.ts';
import { RowServer } from './rows.ts';
import { reportReloads } from './table.ts';

const folder = process.env['TABCHAIN_MEASURE'] ?? path(import.meta.dirname, '../../../target/measure');
const chain = process.env['TABCHAIN_CHAIN'] ?? 'long';
const ROUNDS = 5;

test('a node that holds the whole chain is reloaded', async ({ browser }) => {
  const facts = JSON.parse(await readFile(path(folder, `${chain}.json`), 'utf8')) as Facts;
  await using relay = await Relay.start();
  await using rows = await RowServer.start(path(folder, `${chain}.rows`));
  const tab = await loaded(browser, relay, rows, facts);
  const rounds: Reached[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await reload(tab, relay, facts.tip));
  reportReloads(facts, rounds);
  await tab.close();
});
