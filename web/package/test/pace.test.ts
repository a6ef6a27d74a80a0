import { describe, expect, it } from 'vitest';
import { expectedHashes } from '../src/miner.js';
import { keepingOf, LEAST_KEPT, LEAST_SPAN } from '../src/keeping.js';
import { Progress, stretchOf, type Stretch } from '../src/progress.js';

const blocks = (done: number, goal: number): Stretch => ({ of: 'blocks', done, goal });

describe('progress', () => {
  it('tells the time left from the pace of the last half minute', () => {
    const progress = new Progress();
    expect(progress.secondsLeft(blocks(0, 1_000), 0)).toBeUndefined();
    expect(progress.secondsLeft(blocks(100, 1_000), 10_000)).toBe(90);
    expect(progress.secondsLeft(blocks(700, 1_000), 40_000)).toBe(15);
  });

  it('says nothing while there is no pace, and starts anew after a step back', () => {
    const progress = new Progress();
    progress.secondsLeft(blocks(50, 100), 0);
    expect(progress.secondsLeft(blocks(50, 100), 5_000)).toBeUndefined();
    expect(progress.secondsLeft(blocks(40, 100), 10_000)).toBeUndefined();
  });

  it('does not mix the pace of one stretch into that of the next', () => {
    const progress = new Progress();
    progress.secondsLeft(blocks(0, 100), 0);
    progress.secondsLeft(blocks(100, 100), 2_000);
    expect(progress.secondsLeft({ of: 'past', done: 200, goal: 900 }, 4_000)).toBeUndefined();
    expect(progress.secondsLeft({ of: 'past', done: 400, goal: 900 }, 6_000)).toBe(5);
  });

  it('goes to the tip first and through the past after that', () => {
    const now = { height: 40, bestHeight: 50, sources: 1, peers: 2, past: { joinedAt: 30, checked: 7 } };
    expect(stretchOf({ ...now, state: 'blocks' })).toEqual({ of: 'blocks', done: 40, goal: 50 });
    expect(stretchOf({ ...now, state: 'synced' })).toEqual({ of: 'past', done: 7, goal: 30 });
    expect(stretchOf({ ...now, state: 'headers' })).toBeUndefined();
    const snapshot = { height: 30, parts: 12, of: 256 };
    expect(stretchOf({ ...now, state: 'snapshot', snapshot })).toEqual({ of: 'snapshot', done: 12, goal: 256 });
  });
});

describe('what a node takes on', () => {
  it('is what the options say', () => {
    expect(keepingOf({})).toEqual({});
    expect(keepingOf({ join: 'full', prune: LEAST_KEPT, name: 'other' })).toEqual({ join: 'full', prune: LEAST_KEPT });
  });

  it('is refused where it makes no sense', () => {
    for (const prune of [LEAST_KEPT - 1, 1_000.5, -1, NaN, 2 ** 32])
      expect(() => keepingOf({ prune })).toThrow(/whole number/);
    expect(() => keepingOf({ join: 'half' as 'full' })).toThrow(/join/);
    expect(keepingOf({ snapshotBlocks: LEAST_SPAN })).toEqual({ snapshotBlocks: LEAST_SPAN });
    for (const snapshotBlocks of [0, LEAST_SPAN - 1, 8.5, 2 ** 32])
      expect(() => keepingOf({ snapshotBlocks })).toThrow(/whole number/);
  });
});

describe('expected hashes', () => {
  it('are the inverse of the chance of a hash', () => {
    const target = new Uint8Array(32).fill(0xff);
    expect(expectedHashes(target)).toBe(1);
    target[0] = 0;
    expect(expectedHashes(target)).toBeCloseTo(256);
  });
});
