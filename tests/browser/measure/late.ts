// One late tab, watched while it takes the whole chain in.

import { expect, type Browser } from '@playwright/test';

import type { Relay } from '../support/relay.ts';
import { Tab } from '../support/tab.ts';

/** What is known of the chain beforehand. */
export interface Facts {
  blocks: number;
  transactions: number;
  bytes: number;
  tip: string;
}

/** Where the time of a node's worker went, in milliseconds, as the package tells it. */
export interface Workload {
  waiting: number;
  storing: number;
  checking: number;
  translating: number;
  thinking: number;
  checkingElsewhere: number;
  signatures: number;
  commits: number;
  changes: number;
  bytes: number;
}

interface NodeInPage extends EventTarget {
  status(): Promise<{ height: number; tipHash: string; sync: string }>;
  workload(): Promise<Workload>;
}

/** What a page's own clock says, in milliseconds. */
export interface Reached {
  /** From the press of the button, or from the navigation, until the node could be asked. */
  open: number;
  /** The same until it stood at the tip. */
  tip: number;
  workload: Workload;
}

/** What a node tells of its way. */
interface Sync {
  state: string;
  snapshot?: unknown;
  past?: { joinedAt: number; checked: number };
}

/** A node that took the balances at a deep block first, in milliseconds from the press of the button. */
export interface Joined {
  /** Until the page had a node to listen to. */
  open: number;
  /** Until it had met a peer. */
  met: number;
  /** Until it stood at that block, with all balances. */
  balances: number;
  /** Until it knew the heaviest chain and began to fetch the balances. */
  chosen: number;
  /** Until it stood at the tip, and said that it checks the past. */
  usable: number;
  /** What its worker had done by then. */
  workload: Workload;
  /** Until it had checked every block. */
  complete: number;
  joinedAt: number;
}

/** Presses the one button, and waits until everything is there. */
export async function joinBySnapshot(tab: Tab, tip: string): Promise<Joined> {
  await tab.page.evaluate(() => performance.mark('begin'));
  await tab.page.getByTestId('join').click();
  return tab.page.evaluate(async (tip) => {
    const begin = performance.getEntriesByName('begin')[0]?.startTime ?? 0;
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
    while (!('tabchain' in window)) await pause();
    const node = (window as unknown as { tabchain: NodeInPage }).tabchain;
    const since = (): number => performance.now() - begin;
    // It is told, not asked again and again: that would cost it time.
    const reached = (what: (sync: Sync, hash: string) => boolean): Promise<number> =>
      new Promise((resolve) => {
        let [sync, hash]: [Sync | undefined, string] = [undefined, ''];
        const look = (): void => {
          if (sync && what(sync, hash)) resolve(since());
        };
        node.addEventListener('sync', (event) => {
          sync = (event as CustomEvent<Sync>).detail;
          look();
        });
        node.addEventListener('head', (event) => {
          hash = (event as CustomEvent<{ hash: string }>).detail.hash;
          look();
        });
      });
    let joinedAt = 0;
    const company = new Promise<number>((resolve) => {
      node.addEventListener('peer', () => resolve(since()), { once: true });
    });
    const fetching = reached(({ snapshot, past }) => snapshot !== undefined || past !== undefined);
    const joined = reached(({ past }) => past !== undefined && (joinedAt = past.joinedAt) > 0);
    const atTip = reached(({ state }, hash) => state === 'synced' && hash === tip);
    const whole = reached(({ state, past }, hash) => state === 'synced' && hash === tip && !past);
    const opened = since();
    const work = atTip.then(() => node.workload());
    const reports = Promise.all([company, fetching, joined, atTip, whole]);
    const [met, chosen, balances, usable, complete] = await reports;
    return { open: opened, met, chosen, balances, usable, workload: await work, complete, joinedAt };
  }, tip);
}

/** Presses the one button and waits for the tip. */
export async function join(tab: Tab, tip: string): Promise<Reached> {
  await tab.page.evaluate(() => performance.mark('begin'));
  await tab.page.getByTestId('join').click();
  return reach(tab, tip);
}

/** Opens the page anew, as a person who reloads it. */
export async function reload(tab: Tab, relay: Relay, tip: string): Promise<Reached> {
  await tab.page.goto(relay.url);
  await tab.page.reload({ waitUntil: 'commit' });
  return reach(tab, tip);
}

/** Waits, by the page's clock, until the node stands at the tip: asked once, and then told, which costs it nothing. */
function reach(tab: Tab, tip: string): Promise<Reached> {
  return tab.page.evaluate(async (tip) => {
    const begin = performance.getEntriesByName('begin')[0]?.startTime ?? 0;
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
    while (!('tabchain' in window)) await pause();
    const node = (window as unknown as { tabchain: NodeInPage }).tabchain;
    await node.status();
    const open = performance.now() - begin;
    const arrived = new Promise<void>((resolve) => {
      node.addEventListener('head', (event) => {
        if ((event as CustomEvent<{ hash: string }>).detail.hash === tip) resolve();
      });
    });
    if ((await node.status()).tipHash !== tip) await arrived;
    return { open, tip: performance.now() - begin, workload: await node.workload() };
  }, tip);
}

/** A tab on a profile that holds the whole chain already: it opens, checks what it always checks, and serves. */
export async function serving(tab: Tab, facts: Facts): Promise<Tab> {
  await tab.join();
  await expect.poll(async () => (await tab.status()).tipHash, { timeout: 120_000 }).toBe(facts.tip);
  return tab;
}

/** A tab that has opened the page and nothing else. */
export function fresh(browser: Browser, relay: Relay): Promise<Tab> {
  return Tab.open(browser, relay);
}
