// `cargo xtask bench sync`: a late tab takes a long chain from two tabs and from four, with the real relay and page.

import { readFile } from 'node:fs/promises';
import { join as path } from 'node:path';

import { test } from '@playwright/test';

import { Relay } from '../support/relay.ts';
import { Tab } from '../support/tab.ts';
import { join, reload, type Facts, type Reached } from './late.ts';
import { atOnce, dataChannels, indexedDb, processorTime, signatures } from './limits.ts';
import { loaded } from './loaded.ts';
import { RowServer } from './rows.ts';
import { report, reportReloads } from './table.ts';

const folder = process.env['TABCHAIN_MEASURE'] ?? path(import.meta.dirname, '../../../target/measure');
const chain = process.env['TABCHAIN_CHAIN'] ?? 'long';

test('a late tab takes the whole chain from two tabs and from four', async ({ browser }) => {
  const facts = JSON.parse(await readFile(path(folder, `${chain}.json`), 'utf8')) as Facts;
  await using relay = await Relay.start();
  await using rows = await RowServer.start(path(folder, `${chain}.rows`));
  const tabs: Tab[] = [];
  for (const count of [2, 4]) {
    while (tabs.length < count) tabs.push(await loaded(browser, relay, rows, facts));
    console.log(`${count} tabs serve ${facts.blocks} blocks; a late one joins`);
    const late = await Tab.at(await browser.newContext(), `${relay.url}?join=full`);
    const senders = tabs.map((tab) => tab.page);
    const network = await dataChannels(late.page, senders);
    const before = await processorTime(browser);
    const reached = await join(late, facts.tip);
    const processor = (await processorTime(browser)) - before;
    const { commits, changes, bytes, signatures: checked } = reached.workload;
    const [rowsAtOnce, rowBytes] = [Math.ceil(changes / commits), Math.ceil(bytes / changes)];
    const limits = {
      network,
      storage: await indexedDb(late.page, rowsAtOnce, rowBytes),
      signatures: await signatures(late.page, 'one'),
      signaturesOfAll: await signatures(late.page, 'all'),
      atOnce: await atOnce(late.page, senders, {
        bytes: facts.bytes,
        rows: changes,
        rowBytes,
        rowsAtOnce,
        signatures: checked,
      }),
    };
    report(facts, { tabs: count, reached, processor, limits });
    // It serves nobody: it holds snapshots, and the next one is to take every block.
    if (count < 4) await late.close();
    else tabs.push(late);
  }
  const last = tabs.pop();
  for (const tab of tabs) await tab.close();
  if (!last) throw new Error('a late tab was opened');
  const reloads: Reached[] = [];
  for (let round = 0; round < 3; round++) reloads.push(await reload(last, relay, facts.tip));
  reportReloads(facts, reloads);
  await last.close();
});
