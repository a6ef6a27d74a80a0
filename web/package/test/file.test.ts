import { afterEach, expect, test, vi } from 'vitest';

import { fetched } from '../src/file.js';

afterEach(() => vi.unstubAllGlobals());

test('a file that a bundler put into its own address is not fetched', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('refused by the content policy')));
  const read = async (url: string) => (await fetched(new URL(url))).text();
  expect(await read(`data:text/javascript;base64,${btoa('onmessage = () => 1 + 1, 2')}`)).toBe('onmessage = () => 1 + 1, 2');
  expect(await read(`data:text/javascript,${encodeURIComponent('// 1, 2: “é”')}`)).toBe('// 1, 2: “é”');
  await expect(read('https://page.example/checker.js')).rejects.toThrow('content policy');
});
