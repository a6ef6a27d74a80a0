import { expect } from '@playwright/test';

import { test } from '../support/test.ts';

test('bad input is answered in words, and what was typed stays', async ({ joined }) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  const { page } = alice;
  const { address } = await alice.createWallet();

  const attempt = async (to: string, amount: string, code: string): Promise<void> => {
    await page.getByTestId('send-to').fill(to);
    await page.getByTestId('send-amount').fill(amount);
    await page.getByTestId('send-review').click();
    const confirm = page.getByTestId('send-confirm');
    const problem = page.getByTestId('problem').first();
    await expect(confirm.or(problem)).toBeVisible();
    if (await confirm.isVisible()) {
      await confirm.click();
    }
    await expect(problem).toHaveAttribute('data-code', code);
    await expect(page.getByTestId('send-to')).toHaveValue(to);
    await expect(page.getByTestId('send-amount')).toHaveValue(amount);
  };
  await attempt('nonsense', '1', 'invalid-address');
  await attempt(`${address.slice(0, -1)}q`, '1', 'invalid-address');
  await attempt(address, '-1', 'invalid-amount');
  await attempt(address, '1e400', 'invalid-amount');
  await attempt(address, '0.0000001', 'invalid-amount');
  await attempt(address, '1', 'insufficient-funds');
});

test('the package refuses what is not an amount, an address or a hash, with a code', async ({ joined }) => {
  const [alice] = await joined(1);
  if (!alice) throw new Error('a tab was opened');
  const codes = await alice.page.evaluate(async () => {
    const node = window.tabchain as unknown as Record<string, (...args: unknown[]) => Promise<unknown>> & {
      wallet: Record<string, (...args: unknown[]) => Promise<unknown>>;
    };
    const code = async (call: () => Promise<unknown> | undefined): Promise<string> => {
      try {
        await call();
        return 'accepted';
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      }
    };
    return {
      hash: await code(() => node['getBlock']?.('xyz')),
      height: await code(() => node['getBlockAt']?.(-1)),
      fraction: await code(() => node['getBlockAt']?.(1.5)),
      address: await code(() => node['getAccount']?.('dtab1nonsense')),
      bytes: await code(() => node['sendTransaction']?.(new Uint8Array([1, 2, 3]))),
      float: await code(() => node.wallet['send']?.({ to: 'dtab1nonsense', amount: 1.5 })),
      locked: await code(() => node.wallet['unlock']?.('no wallet yet')),
    };
  });
  expect(codes).toEqual({
    hash: 'invalid-argument',
    height: 'invalid-argument',
    fraction: 'invalid-argument',
    address: 'invalid-address',
    bytes: 'invalid-argument',
    float: 'invalid-amount',
    locked: 'no-wallet',
  });
});
