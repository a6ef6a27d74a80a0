import { type Browser, type BrowserContext, expect, type Page } from '@playwright/test';

import { type Path, paths, watchPeerConnections } from './peer-connections.ts';
import type { Relay } from './relay.ts';

export const PASSPHRASE = 'correct horse battery';

/** The views of the navigation, and what each of them alone shows. */
const VIEWS = {
  home: '[data-testid="sync-panel"]',
  explorer: 'h1:text-is("Explorer")',
  mine: 'h1:text-is("Mine")',
  wallet: 'h1:text-is("Wallet")',
  peers: 'h1:text-is("Peers")',
} as const;

/** The part of the package's API that tests ask through `window.tabchain`. */
interface NodeInPage {
  status(): Promise<{
    height: number;
    tipHash: string;
    sync: string;
    peers: number;
    peerId: string;
    supply: bigint;
    mining: { active: boolean; threads: number };
    connections: { attempts: number; direct: number; relayed: number; failures: { noPath: number; unanswered: number } };
  }>;
  peers(): Promise<{ id: string; kind: string; height: number }[]>;
  getBlockAt(height: number): Promise<{ hash: string; transactions: number; difficulty: number } | null>;
  getAccount(address: string): Promise<{ balance: bigint; nonce: bigint }>;
  getMempool(options?: { limit?: number }): Promise<unknown[]>;
  workload(): Promise<{ checkingElsewhere: number; signatures: number }>;
  readonly wallet: {
    addAccount(): Promise<{ accounts: { index: number; address: string }[] }>;
    sendMany(options: { outputs: { to: string; amount: bigint }[]; from?: number }): Promise<{ id: string }>;
  };
}

declare global {
  interface Window {
    tabchain: NodeInPage;
  }
}

/** One page, used as a person uses it; facts that a person cannot see come from its node and its browser. */
export class Tab {
  readonly problems: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly url: string,
  ) {
    page.on('pageerror', (error) => this.problems.push(error.stack ?? String(error)));
  }

  /** Opens the relay's page in a browser profile of its own. */
  static async open(browser: Browser, relay: Relay): Promise<Tab> {
    return Tab.in(await browser.newContext(), relay);
  }

  static in(context: BrowserContext, relay: Relay): Promise<Tab> {
    return Tab.at(context, relay.url);
  }

  static async at(context: BrowserContext, url: string): Promise<Tab> {
    await watchPeerConnections(context);
    const tab = new Tab(context, await context.newPage(), url);
    await tab.page.goto(url);
    return tab;
  }

  /** Opens the page and presses the one button. */
  static async joined(browser: Browser, relay: Relay): Promise<Tab> {
    const tab = await Tab.open(browser, relay);
    await tab.join();
    return tab;
  }

  async join(): Promise<void> {
    await this.page.getByTestId('join').click();
    await this.opened();
  }

  /** The node is open: its facts are on the page. */
  async opened(): Promise<void> {
    await expect(this.page.getByTestId('height')).toHaveAttribute('data-height', /^\d+$/);
    await this.page.waitForFunction(() => 'tabchain' in window);
  }

  async reload(): Promise<void> {
    await this.page.goto(this.url);
    await this.page.reload();
    await this.opened();
  }

  /** Goes to a view by the navigation, and is there: what it has instead of the last one is on the page. */
  async go(view: keyof typeof VIEWS): Promise<void> {
    await this.page.getByTestId(`nav-${view}`).first().click();
    await expect(this.page.locator(VIEWS[view])).toBeVisible();
  }

  async height(): Promise<number> {
    return (await this.status()).height;
  }

  status(): ReturnType<NodeInPage['status']> {
    return this.page.evaluate(() => window.tabchain.status());
  }

  hashAt(height: number): Promise<string | undefined> {
    return this.page.evaluate(async (at) => (await window.tabchain.getBlockAt(at))?.hash, height);
  }

  peers(): ReturnType<NodeInPage['peers']> {
    return this.page.evaluate(() => window.tabchain.peers());
  }

  /** What the browser itself says of this tab's direct connections. */
  paths(): Promise<Path[]> {
    return paths(this.page);
  }

  /** Waits until this tab's node has peers reached in these ways, and no others. */
  async hasKinds(kinds: string[], options: { timeout?: number } = {}): Promise<void> {
    await expect.poll(async () => (await this.peers()).map((peer) => peer.kind).sort(), options).toEqual(kinds);
  }

  /** Waits until this tab's node is connected directly to so many others. */
  async hasPeers(count: number): Promise<void> {
    const direct = async (): Promise<number> => (await this.peers()).filter((peer) => peer.kind === 'direct').length;
    await expect.poll(direct).toBeGreaterThanOrEqual(count);
  }

  /**
   * Waits until the browser says that so many connections, and no others, are up on a pair of candidates.
   * It calls a pair `in-progress` while it moves to a better one, though the data channels are open already.
   */
  async hasPaths(count: number): Promise<void> {
    const states = async (): Promise<string[]> => (await this.paths()).map((path) => path.state);
    await expect.poll(states).toEqual(Array<string>(count).fill('succeeded'));
  }

  /** Waits until this block is the tip on the disk too: it is written down a moment after it is told. */
  async hasWritten(tip: string): Promise<void> {
    const written = (): Promise<string> =>
      this.page.evaluate(async () => {
        const done = <T>(request: IDBRequest<T>): Promise<T> =>
          new Promise((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(new Error('the database does not answer'));
          });
        const database = await done(indexedDB.open('tabchain-dev'));
        const row = await done(database.transaction('meta').objectStore('meta').get(new TextEncoder().encode('tip')));
        database.close();
        const bytes = new Uint8Array(row as ArrayBuffer);
        return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
      });
    await expect.poll(written).toBe(tip);
  }

  /** Waits until so many transactions wait in this tab's memory pool. */
  async hasPending(count: number): Promise<void> {
    await expect.poll(() => this.page.evaluate(async () => (await window.tabchain.getMempool()).length)).toBe(count);
  }

  /** Waits for this height. Blocks come ever more slowly, every five seconds in the end, and later where others need the processor. */
  async reaches(height: number): Promise<void> {
    await expect.poll(() => this.height(), { timeout: 600_000 }).toBeGreaterThanOrEqual(height);
  }

  /** Makes a wallet as a person would, and returns its address and its words. */
  async createWallet(): Promise<{ address: string; words: string[] }> {
    const { page } = this;
    await this.go('wallet');
    await page.getByTestId('wallet-way-create').check({ force: true });
    await page.getByTestId('wallet-passphrase').fill(PASSPHRASE);
    await page.getByTestId('wallet-passphrase-again').fill(PASSPHRASE);
    await page.getByTestId('wallet-create').click();
    await expect(page.getByTestId('phrase')).toBeVisible();
    const words = (await page.getByTestId('phrase-word').allTextContents()).map((word) => word.replace(/[^a-z]/g, ''));
    await page.getByTestId('phrase-written').click();
    for (const id of ['confirm-word-1', 'confirm-word-2']) {
      const position = Number(await page.getByTestId(id).getAttribute('data-position'));
      await page.getByTestId(id).fill(words[position - 1] ?? '');
    }
    await page.getByTestId('phrase-confirm').click();
    return { address: await this.address(), words };
  }

  async address(): Promise<string> {
    await this.go('wallet');
    const address = this.page.getByTestId('address').first();
    await expect(address).toHaveText(/dtab1/);
    return (await address.innerText()).replace(/\s/g, '');
  }

  async startMining(): Promise<void> {
    await this.go('mine');
    await this.page.getByTestId('mine-start').click();
    await expect(this.page.getByTestId('mine-stop')).toBeVisible();
  }

  async stopMining(): Promise<void> {
    await this.go('mine');
    await this.page.getByTestId('mine-stop').click();
    await expect(this.page.getByTestId('mine-start')).toBeVisible();
  }

  /** Sends as a person would, and returns the transaction's id. */
  async send(to: string, amount: string): Promise<string> {
    const { page } = this;
    await this.go('wallet');
    await page.getByTestId('send-to').fill(to);
    await page.getByTestId('send-amount').fill(amount);
    await page.getByTestId('send-review').click();
    await page.getByTestId('send-confirm').click();
    const sent = page.getByTestId('sent');
    await expect(sent).toHaveAttribute('data-id', /^[0-9a-f]{64}$/);
    return (await sent.getAttribute('data-id')) ?? '';
  }

  /** Fills blocks with payments to many, about 60 KB an account and block, and returns how many bytes that were. */
  async fill(accounts: number, blocks: number): Promise<number> {
    const outputs = 256;
    const payments = 10;
    const addresses = await this.page.evaluate(async (wanted) => {
      let state = await window.tabchain.wallet.addAccount();
      while (state.accounts.length < wanted) state = await window.tabchain.wallet.addAccount();
      const addresses = state.accounts.map(({ address }) => address);
      await window.tabchain.wallet.sendMany({ outputs: addresses.slice(1).map((to) => ({ to, amount: 20_000_000n })) });
      return addresses;
    }, accounts);
    await this.hasPending(0);
    for (let block = 0; block < blocks; block++) {
      await this.page.evaluate(
        async ([addresses, payments, outputs]) => {
          for (let from = 0; from < addresses.length; from++) {
            const to = addresses[(from + 1) % addresses.length] ?? '';
            const many = Array.from({ length: outputs }, () => ({ to, amount: 1n }));
            for (let i = 0; i < payments; i++) await window.tabchain.wallet.sendMany({ outputs: many, from });
          }
        },
        [addresses, payments, outputs] as const,
      );
      await this.hasPending(0);
    }
    return addresses.length * blocks * payments * outputs * 21;
  }

  async close(): Promise<void> {
    await this.context.close();
    expect(this.problems, 'uncaught errors on the page').toEqual([]);
  }
}

/** Waits until all tabs stand on one tip at or above a height. */
export async function agree(tabs: Tab[], height = 0): Promise<number> {
  const tips = async (): Promise<string[]> => {
    const all = await Promise.all(tabs.map((tab) => tab.status()));
    const low = all.some((status) => status.height < height);
    return low ? ['too low'] : [...new Set(all.map((status) => status.tipHash))];
  };
  await expect.poll(tips).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  const [first] = tabs;
  return first ? first.height() : 0;
}
