import type { Transaction } from 'tabchain';
import { expect, test } from 'vitest';
import { effect, refresh } from '../src/lib/history';

function transfer(id: string, sender: string, to: [string, bigint][], height?: number, position = 0): Transaction {
  return {
    kind: 'transfer',
    id,
    sender,
    nonce: 0n,
    fee: 10n,
    validUntil: 99,
    size: 150,
    memo: '',
    outputs: to.map(([address, amount]) => ({ to: address, amount })),
    status:
      height === undefined
        ? { state: 'pending' }
        : { state: 'confirmed', blockHash: `b${height}`, height, confirmations: 1, position },
  };
}

const ids = (list: Transaction[]) => list.map(({ id }) => id);

test('older pages stay below the newest one when it is read again', () => {
  const known = [transfer('c', 'x', [], 3), transfer('b', 'x', [], 2), transfer('a', 'x', [], 1)];
  const top = [transfer('d', 'x', [], 4), transfer('c', 'x', [], 3)];
  expect(ids(refresh(known, top, false))).toEqual(['d', 'c', 'b', 'a']);
});

test('what was undone or dropped does not stay', () => {
  const known = [
    transfer('waiting', 'x', []),
    transfer('undone', 'x', [], 5),
    transfer('c', 'x', [], 3),
    transfer('a', 'x', [], 1),
  ];
  const top = [transfer('d', 'x', [], 4), transfer('c', 'x', [], 3)];
  expect(ids(refresh(known, top, false))).toEqual(['d', 'c', 'a']);
});

test('a page that is the whole history replaces all that was known', () => {
  expect(ids(refresh([transfer('a', 'x', [], 1)], [], true))).toEqual([]);
});

test('a gap between the newest page and what was known starts the list afresh', () => {
  const known = [transfer('b', 'x', [], 2), transfer('a', 'x', [], 1)];
  expect(ids(refresh(known, [transfer('z', 'x', [], 30), transfer('y', 'x', [], 29)], false))).toEqual(['z', 'y']);
});

test('a transaction is told from its holder’s side', () => {
  const payment = transfer('p', 'me', [
    ['you', 5n],
    ['me', 2n],
  ]);
  expect(effect(payment, ['me'])).toEqual({ direction: 'out', amount: 5n });
  expect(effect(payment, ['you'])).toEqual({ direction: 'in', amount: 5n });
  expect(effect(payment, ['me', 'you'])).toEqual({ direction: 'self', amount: 7n });
});
