import { beforeEach, expect, test } from 'vitest';
import type { SendDraft } from '../src/lib/drafts.svelte';
import { check, takePaymentUri } from '../src/lib/send';
import { pickTwo, tidyPhrase } from '../src/lib/phrase';
import { classify } from '../src/lib/search';
import { optionsFrom } from '../src/lib/options';

const ADDRESS = `dtab1${'q'.repeat(38)}`;
let draft: SendDraft;

beforeEach(() => {
  draft = { to: ADDRESS, amount: '1.5', memo: '', fee: '0.001' };
});

test('a good draft becomes a payment', () => {
  expect(check(draft, 'dev')).toEqual({ payment: { to: ADDRESS, amount: 1_500_000n, memo: '', fee: 1000n } });
});

test('a decimal comma is understood', () => {
  draft.amount = '0,5';
  expect(check(draft, 'dev')).toMatchObject({ payment: { amount: 500_000n } });
});

test('every field has its own problem, and nothing of the draft is changed', () => {
  draft = { to: 'nobody', amount: 'a lot', memo: 'ü'.repeat(33), fee: '-1' };
  const before = { ...draft };
  const checked = check(draft, 'dev');
  expect('problems' in checked && Object.keys(checked.problems).sort()).toEqual(['amount', 'fee', 'memo', 'to']);
  expect(draft).toEqual(before);
});

test('an address of another network is a problem', () => {
  expect(check(draft, 'test')).toMatchObject({ problems: { to: { code: 'invalid-address' } } });
});

test('nothing can’t be sent', () => {
  draft.amount = '';
  expect(check(draft, 'dev')).toMatchObject({ problems: { amount: { code: 'invalid-amount' } } });
});

test('a payment link fills the form, and keeps what it doesn’t say', () => {
  draft.memo = 'mine';
  expect(takePaymentUri(draft, ` tabchain:${ADDRESS}?amount=2.25`)).toBe(true);
  expect(draft).toEqual({ to: ADDRESS, amount: '2.25', memo: 'mine', fee: '0.001' });
  expect(takePaymentUri(draft, ADDRESS)).toBe(false);
});

test('a broken payment link is an error', () => {
  expect(() => takePaymentUri(draft, `tabchain:${ADDRESS}?amount=lots`)).toThrow();
});

test('two different words are asked back, in order', () => {
  for (let first = 0; first < 12; first += 1)
    for (let second = 0; second < 11; second += 1) {
      const picks = [first, second];
      const [low, high] = pickTwo(12, () => picks.shift() ?? 0);
      expect(low).toBeLessThan(high);
      expect(high).toBeLessThan(12);
    }
});

test('a phrase is forgiven its spacing, case and numbers', () => {
  expect(tidyPhrase(' 1. Orbit\n2. lemon,  FABRIC ')).toBe('orbit lemon fabric');
});

test('a search is recognised by its form', () => {
  expect(classify(' 1 284 ', 'dev')).toEqual({ kind: 'height', height: 1284 });
  expect(classify('AB'.repeat(32), 'dev')).toEqual({ kind: 'hash', hash: 'ab'.repeat(32) });
  expect(classify(`tabchain:${ADDRESS}?amount=1`, 'dev')).toEqual({ kind: 'address', address: ADDRESS });
  expect(classify('99999999999', 'dev')).toEqual({ kind: 'nothing' });
  expect(classify('', 'dev')).toEqual({ kind: 'nothing' });
});

test('a link may say whom to ask, and nothing it says can break the page', () => {
  expect(optionsFrom('?relay=https://a.example&relay=https://b.example&network=test')).toEqual({
    relays: ['https://a.example', 'https://b.example'],
    network: 'test',
  });
  expect(optionsFrom('?join=full&network=dev&snapshots=16')).toEqual({ join: 'full', network: 'dev', snapshotBlocks: 16 });
  expect(optionsFrom('?relay=&network=main&name=&x=1')).toEqual({});
  for (const snapshots of ['', '7', '-16', '8.5', '1e99', 'many'])
    expect(optionsFrom(`?join=half&network=dev&snapshots=${snapshots}`)).toEqual({ network: 'dev' });
});

test('a link makes nobody take balances from nearer the tip than usual, except on the network for trying things out', () => {
  expect(optionsFrom('?snapshots=16')).toEqual({});
  expect(optionsFrom('?network=test&snapshots=16')).toEqual({ network: 'test' });
  expect(optionsFrom('?network=main&snapshots=16')).toEqual({});
});
