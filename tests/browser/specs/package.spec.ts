import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { type Browser, expect } from '@playwright/test';

import { Host } from '../support/host.ts';
import { test } from '../support/test.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../../..');

/** Somebody's own project, far from this checkout, with the package installed as npm would publish it. */
let project: string;

test.beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'tabchain-project-'));
  const packed = await run('npm', ['pack', '--pack-destination', project], { cwd: join(root, 'web/package') });
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', packed.stdout.trim()], { cwd: project });
});

test.afterAll(() => rm(project, { recursive: true }));

/** The first example of a README in a language, as it stands there. */
async function example(readme: string, language: string): Promise<string> {
  const text = await readFile(join(root, readme), 'utf8');
  const found = new RegExp('^```' + language + '\\n(.*?)^```', 'ms').exec(text)?.[1];
  if (found === undefined) throw new Error(`${readme} has no example in ${language}`);
  return found;
}

/** Writes the page of the README, with a relay of its own and a line more, so that there are blocks to tell of. */
async function writePage(relay: string, head = ''): Promise<void> {
  const shown = await example('README.md', 'js');
  expect(shown).toContain("'http://127.0.0.1:8080'");
  await writeFile(
    join(project, 'main.js'),
    `${shown.replace("'http://127.0.0.1:8080'", `'${relay}'`)}\nawait node.startMining({ threads: 1 });\n`,
  );
  const page = `<!doctype html><meta charset="utf-8"><title>A page of my own</title>${head}<script type="module" src="./main.js"></script>`;
  await writeFile(join(project, 'index.html'), page);
}

/** Opens the page and waits until it has said all that the example says. */
async function look(browser: Browser, url: string): Promise<void> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const said: string[] = [];
  page.on('console', (message) => message.type() === 'log' && said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  await page.goto(url);
  await expect.poll(() => said[0]).toMatch(/^dtab1[0-9a-z]{38} 0 TAB$/);
  await expect.poll(() => said[1]).toMatch(/^block 1 [0-9a-f]{64}$/);
  await context.close();
}

test('the example runs from any static host, without a bundler', async ({ browser, relay }) => {
  const map = { imports: { tabchain: './tabchain/dist/index.js' } };
  await writePage(relay.url, `<script type="importmap">${JSON.stringify(map)}</script>`);
  const folder = join(project, 'plain');
  await mkdir(folder);
  for (const file of ['index.html', 'main.js']) await cp(join(project, file), join(folder, file));
  await cp(join(project, 'node_modules/tabchain'), join(folder, 'tabchain'), { recursive: true });
  await using host = await Host.of(folder);
  await look(browser, host.url);
});

test('Vite bundles the example as it is, and a strict content policy lets it run', async ({ browser, relay }) => {
  await writePage(relay.url);
  await run('node', [join(root, 'web/node_modules/vite/bin/vite.js'), 'build'], { cwd: project });
  const sources = `connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:*`;
  const policy = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; ${sources}`;
  await using host = await Host.of(join(project, 'dist'), policy);
  await look(browser, host.url);
});

test('the examples have the types that they should, and the types need nothing new', async () => {
  await writeFile(join(project, 'first.ts'), await example('README.md', 'js'));
  await writeFile(join(project, 'second.ts'), await example('web/package/README.md', 'ts'));
  const compiler = join(root, 'tests/browser/node_modules/typescript/bin/tsc');
  for (const module of ['esnext', 'nodenext']) {
    const resolution = module === 'esnext' ? 'bundler' : module;
    const flags = ['--noEmit', '--strict', '--module', module, '--moduleResolution', resolution];
    const library = ['--target', 'es2022', '--lib', 'es2022,dom'];
    await run('node', [compiler, ...flags, ...library, 'first.ts', 'second.ts'], { cwd: project }).catch(
      ({ stdout }: { stdout: string }) => expect(stdout).toBe(''),
    );
  }
});
