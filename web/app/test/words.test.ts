import { TabchainError } from 'tabchain';
import { describe as group, expect, test } from 'vitest';
import { TabchainError as Made } from '../fixture/errors';
import { confirmationsAt, tierOf } from '../src/lib/confirmations';
import { codeOf, explain } from '../src/lib/errors';
import { describeCandidate } from '../src/lib/kinds';
import { describe, fraction, STEPS, stepOf } from '../src/lib/progress';

group('confirmations', () => {
  test('grow with the tip, without reading the transaction again', () => {
    const status = { state: 'confirmed', blockHash: '00', height: 100, confirmations: 1, position: 0 } as const;
    expect(confirmationsAt(status, 100)).toBe(1);
    expect(confirmationsAt(status, 109)).toBe(10);
    expect(confirmationsAt(status, 90)).toBe(1);
    expect(confirmationsAt({ state: 'pending' }, 109)).toBe(0);
  });

  test('fall into tiers', () => {
    expect([0, 1, 2, 3, 9, 10, 5000].map(tierOf)).toEqual([
      'waiting',
      'fresh',
      'fresh',
      'likely',
      'likely',
      'firm',
      'firm',
    ]);
  });
});

group('progress', () => {
  test('names the blocks and the time that is left', () => {
    const sentence = describe({ state: 'blocks', height: 412, bestHeight: 1284, peers: 3, secondsLeft: 48 });
    expect(sentence).toBe('Checking blocks: 412 of 1284, about 48 seconds left.');
  });

  test('leaves the time out while nobody knows it', () => {
    expect(describe({ state: 'headers', height: 0, bestHeight: 9, peers: 1 })).toBe(
      'Fetching block headers from 1 tab: the newest seen is 9.',
    );
  });

  test('is a fraction only while blocks are checked', () => {
    expect(fraction({ state: 'connecting', height: 0, bestHeight: 0, peers: 0 })).toBeUndefined();
    expect(fraction({ state: 'blocks', height: 5, bestHeight: 10, peers: 1 })).toBe(0.5);
    expect(fraction({ state: 'synced', height: 0, bestHeight: 0, peers: 1 })).toBe(1);
  });

  test('has no step left when synced', () => {
    expect(stepOf('synced')).toBe(STEPS.length);
  });
});

group('errors', () => {
  test('have plain words for their code', () => {
    expect(explain(new Made('wrong-passphrase', 'decrypt failed'))).toBe('That passphrase does not open this wallet.');
    expect(codeOf(new Made('wrong-passphrase', ''))).toBe('wrong-passphrase');
    expect(new Made('internal', '')).toBeInstanceOf(TabchainError);
  });

  test('say what the node said where there are no better words', () => {
    expect(explain(new Made('internal', 'worker went away'))).toBe('Worker went away.');
    expect(explain(new Made('internal', ''))).toBe('Something unexpected went wrong.');
    expect(explain(new Error('boom'))).toBe('boom');
    expect(codeOf(new Error('boom'))).toBeUndefined();
  });
});

test('a candidate tells how two tabs met', () => {
  expect(describeCandidate('candidate:1 1 udp 1 192.0.2.7 9 typ host')).toBe('same machine or local network');
  expect(describeCandidate('srflx')).toBe('through a home router (NAT)');
});
