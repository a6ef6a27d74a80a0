// Draws the page over the fixture ledger, in a real browser and under the relay's content policy, and saves pictures:
//   npm run screens -w app [-- name ...]
// They land in target/screens. Anything that the browser or axe (accessibility) complains of fails the run.

import { createServer } from 'node:http';
import { mkdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

const PAGE = new URL('../../../target/page-fixture/', import.meta.url);
const SCREENS = fileURLToPath(new URL('../../../target/screens/', import.meta.url));
const POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self' ws: wss:; " +
  "worker-src 'self' blob:; img-src 'self' data: blob:";
/** @type {Record<string, string>} */
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {Window & typeof globalThis & { axe: typeof axe }} WithAxe */
/** @typedef {{ stage?: string, hash?: string, join?: boolean, act?: (page: Page) => Promise<void> }} Shot */

/** @param {Page} page @param {string} id */
const by = (page, id) => page.getByTestId(id);

/** @param {Page} page */
async function fillSend(page) {
  await by(page, 'send-to').fill('dtab1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq');
  await by(page, 'send-amount').fill('12.5');
  await by(page, 'send-memo').fill('two coffees');
}

/** @param {Page} page */
async function createWallet(page) {
  await by(page, 'wallet-passphrase').fill('correct horse battery');
  await by(page, 'wallet-passphrase-again').fill('correct horse battery');
  await by(page, 'wallet-create').click();
  await by(page, 'phrase').waitFor();
}

/** @type {Record<string, Shot>} */
const SHOTS = {
  landing: { join: false },
  joining: { stage: 'starting' },
  failed: { stage: 'fail' },
  syncing: { stage: 'syncing' },
  alone: { stage: 'alone' },
  home: { stage: 'mining' },
  warnings: { stage: 'attached,warnings' },
  peers: { stage: 'wallet', hash: '#/peers' },
  mine: { stage: 'mining', hash: '#/mine' },
  'mine-first': { stage: 'synced', hash: '#/mine' },
  'wallet-new': { stage: 'synced', hash: '#/wallet' },
  'wallet-phrase': { stage: 'synced', hash: '#/wallet', act: createWallet },
  'wallet-confirm': {
    stage: 'synced',
    hash: '#/wallet',
    act: async (page) => {
      await createWallet(page);
      await by(page, 'phrase-written').click();
    },
  },
  wallet: { stage: 'wallet', hash: '#/wallet' },
  'wallet-locked': { stage: 'locked', hash: '#/wallet' },
  'wallet-review': {
    stage: 'wallet',
    hash: '#/wallet',
    act: async (page) => {
      await fillSend(page);
      await by(page, 'send-review').click();
    },
  },
  'wallet-sent': {
    stage: 'wallet',
    hash: '#/wallet',
    act: async (page) => {
      await fillSend(page);
      await by(page, 'send-review').click();
      await by(page, 'send-confirm').click();
      await by(page, 'sent').waitFor();
    },
  },
  'wallet-wrong': {
    stage: 'wallet',
    hash: '#/wallet',
    act: async (page) => {
      await by(page, 'send-to').fill('dtab1nonsense');
      await by(page, 'send-amount').fill('a lot');
      await by(page, 'send-review').click();
    },
  },
  'wallet-refused': {
    stage: 'wallet',
    hash: '#/wallet',
    act: async (page) => {
      await fillSend(page);
      await by(page, 'send-amount').fill('99999');
      await by(page, 'send-review').click();
      await by(page, 'send-confirm').click();
      await by(page, 'problem').waitFor();
    },
  },
  explorer: { stage: 'wallet', hash: '#/explorer' },
  block: { stage: 'wallet', hash: '#/block/1260' },
  missing: { stage: 'wallet', hash: '#/block/99999' },
  transaction: {
    stage: 'wallet',
    hash: '#/block/1260',
    act: async (page) => {
      await by(page, 'tx-link').last().click();
      await by(page, 'transaction').waitFor();
    },
  },
  address: {
    stage: 'wallet',
    hash: '#/block/1260',
    act: async (page) => {
      await page.getByTestId('block-miner').getByRole('link').click();
      await by(page, 'address-page').waitFor();
    },
  },
  about: { stage: 'wallet', hash: '#/about' },
};

const SIZES = /** @type {const} */ ([
  { name: 'wide', colorScheme: 'light', viewport: { width: 1280, height: 860 } },
  { name: 'wide-dark', colorScheme: 'dark', viewport: { width: 1280, height: 860 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  { name: 'phone-dark', colorScheme: 'dark', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
]);

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://page').pathname;
  const file = new URL(`.${path === '/' ? '/index.html' : path}`, PAGE);
  readFile(file).then(
    (bytes) => {
      response.writeHead(200, {
        'content-type': TYPES[extname(file.pathname)] ?? 'application/octet-stream',
        'content-security-policy': POLICY,
      });
      response.end(bytes);
    },
    () => response.writeHead(404).end(),
  );
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
const address = server.address();
if (address === null || typeof address === 'string') throw new Error('the server has no port');
const origin = `http://127.0.0.1:${address.port}/`;

await mkdir(SCREENS, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.TABCHAIN_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
});

const wanted = process.argv.slice(2);
const sizes = SIZES.filter(({ name }) => !wanted.some((one) => one.startsWith('@')) || wanted.includes(`@${name}`));
const names = wanted.filter((one) => !one.startsWith('@'));
/** @type {string[]} */
const complaints = [];

for (const { name: size, ...options } of sizes) {
  for (const [name, shot] of Object.entries(SHOTS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const context = await browser.newContext({ ...options, deviceScaleFactor: 1 });
    const page = await context.newPage();
    page.setDefaultTimeout(5000);
    const complain = (/** @type {string} */ what) => complaints.push(`${size} ${name}: ${what}`);
    page.on('console', (message) => message.type() === 'error' && complain(message.text()));
    page.on('pageerror', (error) => complain(error.message));
    if (shot.join !== false) await page.addInitScript(() => localStorage.setItem('tabchain.joined', 'yes'));
    await page.goto(`${origin}?fixture=${shot.stage ?? ''}${shot.hash ?? ''}`);
    await page.waitForTimeout(900);
    try {
      await shot.act?.(page);
    } catch (error) {
      complain(String(error));
    }
    await page.waitForTimeout(300);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    if (overflow > 0) complain(`${overflow} pixels wider than the window`);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => /** @type {WithAxe} */ (window).axe.run());
    for (const { id, nodes } of violations)
      complain(
        `${id}: ${nodes
          .map(({ html }) => html)
          .join(' | ')
          .slice(0, 400)}`,
      );
    await page.screenshot({ path: `${SCREENS}${name}.${size}.png`, fullPage: true });
    await context.close();
  }
}

await browser.close();
server.close();
for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
