import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';

import { expect } from '@playwright/test';

import { test } from '../support/test.ts';

const web = resolve(import.meta.dirname, '../../../web/package');
const types: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };

test('whoever has a header can check an account and an old block, with no node', async ({ browser, joined }) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  const { address } = await alice.createWallet();
  await alice.startMining();
  await alice.reaches(15);
  await alice.stopMining();
  const proven = await alice.page.evaluate(async (address) => {
    const node = window.tabchain as unknown as {
      getAccountProof(address: string): Promise<{ header: Uint8Array; proof: Uint8Array }>;
      getBlockProof(height: number): Promise<{ header: Uint8Array; hash: string; proof: Uint8Array } | null>;
    };
    const [account, block] = await Promise.all([node.getAccountProof(address), node.getBlockProof(3)]);
    const balance = (await window.tabchain.getAccount(address)).balance;
    return {
      account: { header: [...account.header], proof: [...account.proof] },
      block: block && { ...block, header: [...block.header], proof: [...block.proof] },
      balance,
    };
  }, address);
  const hash = await alice.hashAt(3);

  // A page that has the package and nothing else: no relay, no node, no ledger.
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = path === '/' ? undefined : resolve(web, `.${path}`);
    const body = file ? readFile(file) : Promise.resolve('<!doctype html><title>checks</title>');
    body.then(
      (bytes) => response.writeHead(200, { 'content-type': types[extname(path)] ?? 'text/html' }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const bound = server.address();
  if (!bound || typeof bound === 'string') throw new Error('the server listens');
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${bound.port}/`);
  const verdicts = await page.evaluate(
    async ({ account, block, address }) => {
      const tabchain = (await import(`${location.origin}/dist/index.js`)) as {
        verifyAccountProof(proof: unknown, address: string, network: string): Promise<{ balance: bigint }>;
        verifyBlockProof(proof: unknown): Promise<void>;
      };
      const outcome = async (check: Promise<unknown>): Promise<unknown> => {
        try {
          return (await check) ?? 'holds';
        } catch (error) {
          return (error as { code?: string }).code ?? String(error);
        }
      };
      const bytes = (list: number[]): Uint8Array => new Uint8Array(list);
      const whole = { header: bytes(account.header), proof: bytes(account.proof) };
      const changed = { ...whole, header: bytes(account.header.map((byte, at) => (at === 100 ? byte ^ 1 : byte))) };
      const below = block && { ...block, header: bytes(block.header), proof: bytes(block.proof) };
      return {
        account: await outcome(tabchain.verifyAccountProof(whole, address, 'dev').then(({ balance }) => balance)),
        changed: await outcome(tabchain.verifyAccountProof(changed, address, 'dev')),
        cut: await outcome(tabchain.verifyAccountProof({ ...whole, header: whole.header.slice(1) }, address, 'dev')),
        block: await outcome(tabchain.verifyBlockProof(below)),
        other: await outcome(tabchain.verifyBlockProof({ ...below, hash: 'ab'.repeat(32) })),
      };
    },
    { ...proven, address },
  );
  expect(proven.block?.hash).toBe(hash);
  expect(verdicts).toEqual({
    account: proven.balance,
    changed: 'invalid-proof',
    cut: 'invalid-argument',
    block: 'holds',
    other: 'invalid-proof',
  });
  expect(proven.balance).toBeGreaterThan(0n);
  await context.close();
  server.close();
});
