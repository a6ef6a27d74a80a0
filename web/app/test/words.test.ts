import { TabchainError } from 'tabchain';
import { describe as group, expect, test } from 'vitest';
import { TabchainError as Made } from '../fixture/errors';
import { confirmationsAt, tierOf } from '../src/lib/confirmations';
import { codeOf, explain } from '../src/lib/errors';
import { describeCandidate } from '../src/lib/kinds';
import { KEPT_BLOCKS, offersRoom, roomOffer } from '../src/lib/room';
import { describe, forgotten, fraction, measure, SHORT_WAY, STEPS, verified, way } from '../src/lib/progress';

group('confirmations', () => {
  test('grow with the tip, without reading the transaction again', () => {
    const status = { state: 'confirmed', blockHash: '00', height: 100, confirmations: 1, position: 0 } as const;
    expect(confirmationsAt(status, 100)).toBe(1);
    expect(confirmationsAt(status, 109)).toBe(10);
    expect(confirmationsAt(status, 90)).toBe(1);
    expect(confirmationsAt({ state: 'pending' }, 109)).toBe(0);
  });

  test('fall into tiers', () => {
    expect([0, 1, 5, 6, 59, 60, 5000].map(tierOf)).toEqual([
      'waiting',
      'seen',
      'seen',
      'likely',
      'likely',
      'settled',
      'settled',
    ]);
  });
});

group('progress', () => {
  const now = { height: 0, bestHeight: 9, peers: 1, sources: 0 };

  test('names the blocks, the time that is left, and who gives', () => {
    const blocks = { state: 'blocks', height: 412, bestHeight: 1284, peers: 3, sources: 2, secondsLeft: 48 } as const;
    expect(describe(blocks)).toBe('Checking blocks: 412 of 1284, about 48 seconds left, from 2 tabs.');
    expect(measure(blocks)).toBe('Blocks checked');
  });

  test('leaves the time out while nobody knows it', () => {
    expect(describe({ ...now, state: 'headers' })).toBe('Fetching block headers from 1 tab: the newest seen is 9.');
  });

  test('says what of a snapshot has come', () => {
    const progress = { ...now, state: 'snapshot', sources: 3, snapshot: { height: 8192, parts: 12, of: 256 } } as const;
    expect(describe(progress)).toBe('Fetching all balances as they were at block 8192: part 12 of 256, from 3 tabs.');
    expect(fraction(progress)).toBeCloseTo(12 / 256);
    expect(way(progress)).toEqual({ steps: STEPS, current: 3 });
    expect(measure(progress)).toBe('Balances fetched');
  });

  test('tells apart what this tab has checked and what stands by its work alone', () => {
    const past = { joinedAt: 8192, checked: 2000 };
    const progress = { ...now, state: 'synced', height: 9210, peers: 3, sources: 3, past, secondsLeft: 40 } as const;
    expect(describe(progress)).toBe(
      'Ready to use, in sync with 3 other nodes. Checking the past: block 2000 of 8192, about 40 seconds left, from 3 tabs.',
    );
    expect(verified(progress)).toBe(
      'Checked by this tab so far: all balances at block 8192, against its header; blocks 8193 to 9210; blocks 1 to 2000. ' +
        'Blocks 2001 to 8192 stand by the work done on them until they are checked too.',
    );
    expect(fraction(progress)).toBeCloseTo(2000 / 8192);
    expect(way(progress)).toEqual({ steps: STEPS, current: 5 });
    expect(verified({ ...progress, past: { joinedAt: 8192, checked: 0 } })).not.toContain('1 to 0');
  });

  test('claims everything only when everything was checked', () => {
    const progress = { ...now, state: 'synced', height: 9 } as const;
    expect(describe(progress)).toContain('Every block up to 9 was checked by this tab.');
    expect(verified(progress)).toBeUndefined();
    expect(way(progress)).toEqual({ steps: SHORT_WAY, current: SHORT_WAY.length });
  });

  test('says what was let go of', () => {
    expect(forgotten({ keepsFrom: 0 })).toBeUndefined();
    expect(forgotten({ keepsFrom: 900 })).toContain('from 900 on');
    expect(forgotten({ keepsFrom: 900, past: { joinedAt: 899, checked: 3 } })).toBeUndefined();
  });

  test('is a fraction only where that can be told', () => {
    expect(fraction({ ...now, state: 'connecting', bestHeight: 0 })).toBeUndefined();
    expect(fraction({ ...now, state: 'blocks', height: 5, bestHeight: 10 })).toBe(0.5);
    expect(fraction({ ...now, state: 'synced' })).toBe(1);
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

group('room', () => {
  const GIGABYTE = 1024 ** 3;
  const plenty = { height: 50_000, keepsFrom: 0, storageBytes: GIGABYTE / 8, storageQuota: 2 * GIGABYTE };
  const short = { ...plenty, storageBytes: 1.9 * GIGABYTE };

  test('is offered when it is short or gone, and not before', () => {
    expect(offersRoom(plenty, false)).toBe(false);
    expect(offersRoom(short, false)).toBe(true);
    expect(offersRoom({ ...plenty, storageQuota: GIGABYTE / 5 }, false)).toBe(true);
    expect(offersRoom(plenty, true), 'the browser said no').toBe(true);
  });

  test('is not offered where there is nothing to let go, or the browser says nothing', () => {
    expect(offersRoom({ ...short, keepsFrom: 39_920 }, true)).toBe(false);
    expect(offersRoom({ ...short, height: KEPT_BLOCKS }, true)).toBe(false);
    expect(offersRoom({ height: 50_000, keepsFrom: 0 }, false)).toBe(false);
  });

  test('says what goes and what stays', () => {
    expect(roomOffer(short)).toMatch(/keeps .* of at most .* for this page\. .* keep the last 10.080 in full/);
    expect(roomOffer(short)).toContain('your wallet and every block header stay');
    expect(roomOffer({ height: 1, keepsFrom: 0 })).toContain('hardly any room');
  });
});
