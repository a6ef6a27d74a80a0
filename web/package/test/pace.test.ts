import { describe, expect, it } from 'vitest';
import { expectedHashes } from '../src/miner.js';
import { Progress } from '../src/progress.js';

describe('progress', () => {
  it('tells the time left from the pace of the last half minute', () => {
    const progress = new Progress();
    expect(progress.secondsLeft(0, 1_000, 0)).toBeUndefined();
    expect(progress.secondsLeft(100, 1_000, 10_000)).toBe(90);
    expect(progress.secondsLeft(700, 1_000, 40_000)).toBe(15);
  });

  it('says nothing while there is no pace, and starts anew after a step back', () => {
    const progress = new Progress();
    progress.secondsLeft(50, 100, 0);
    expect(progress.secondsLeft(50, 100, 5_000)).toBeUndefined();
    expect(progress.secondsLeft(40, 100, 10_000)).toBeUndefined();
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
