// What the package weighs on its way to a tab, held against what was put down in sizes.json. It is one of the package's checks.
//   npm run size -w tabchain              fails if anything has grown
//   npm run size -w tabchain -- --set     puts down what it weighs now

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

/** By so much something may be larger than what was put down: compilers and dependencies are never quite the same. */
const LEEWAY = 1.02;
const PACKAGE = new URL('../', import.meta.url);
const SIZES = new URL('sizes.json', PACKAGE);

/** @typedef {{ bytes: number, brotli: number }} Size */
/** @typedef {Record<string, Size>} Sizes */

const scripts = (await readdir(new URL('dist', PACKAGE))).filter((name) => name.endsWith('.js'));
const sizes = Object.fromEntries(
  await Promise.all([
    measure('node', ['wasm/tabchain_bg.wasm']),
    measure('checker', ['wasm/checker.wasm']),
    measure('miner', ['wasm/miner.wasm']),
    measure('scripts', ['wasm/tabchain.js', ...scripts.sort().map((name) => `dist/${name}`)]),
  ]),
);

if (process.argv.includes('--set')) {
  await writeFile(SIZES, `${JSON.stringify(sizes, null, 2)}\n`);
  for (const [part, { bytes, brotli }] of Object.entries(sizes)) console.log(`${part}: ${bytes} bytes, ${brotli} packed`);
} else {
  /** @type {unknown} */
  const before = JSON.parse(await readFile(SIZES, 'utf8'));
  const grown = growth(sizes, /** @type {Sizes} */ (before));
  if (grown.length > 0) {
    console.error(`The package has grown:\n  ${grown.join('\n  ')}`);
    console.error('Where that is worth it, put the new sizes down: npm run size -w tabchain -- --set');
    process.exitCode = 1;
  }
}

/**
 * The size of a part, whose files count as one: whoever uses the package bundles them.
 * @param {string} part @param {string[]} files @returns {Promise<[string, Size]>}
 */
async function measure(part, files) {
  const whole = Buffer.concat(await Promise.all(files.map((file) => readFile(new URL(file, PACKAGE)))));
  const packed = await promisify(brotliCompress)(whole, {
    params: { [constants.BROTLI_PARAM_SIZE_HINT]: whole.length },
  });
  return [part, { bytes: whole.length, brotli: packed.length }];
}

/**
 * In words, what is larger than it may be.
 * @param {Sizes} now @param {Sizes} before @returns {string[]}
 */
function growth(now, before) {
  return Object.entries(now).flatMap(([part, size]) => {
    const was = before[part] ?? { bytes: 0, brotli: 0 };
    const larger = size.bytes > LEEWAY * was.bytes || size.brotli > LEEWAY * was.brotli;
    return larger ? [`${part}: ${size.bytes} bytes, ${size.brotli} packed (${was.bytes} and ${was.brotli} before)`] : [];
  });
}
