import { describe, expect, test } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatDuration,
  formatHashRate,
  groupDigits,
  hueOf,
  plural,
  readable,
  shorten,
} from '../src/lib/format';

const SPACE = '\u202f';

describe('digits', () => {
  test('are grouped in the whole part only', () => {
    expect(groupDigits('1234567.123456')).toBe(`1${SPACE}234${SPACE}567.123456`);
    expect(groupDigits('1234')).toBe('1234');
    expect(groupDigits('0.5')).toBe('0.5');
  });

  test('agree with their noun', () => {
    expect(plural(1, 'block')).toBe('1 block');
    expect(plural(0, 'block')).toBe('0 blocks');
    expect(plural(12345, 'block')).toBe(`12${SPACE}345 blocks`);
  });
});

describe('quantities', () => {
  test('hash rates step by thousands', () => {
    expect(formatHashRate(0)).toBe('0 H/s');
    expect(formatHashRate(999)).toBe('999 H/s');
    expect(formatHashRate(999.9)).toBe('1.00 kH/s');
    expect(formatHashRate(3_712_000)).toBe('3.71 MH/s');
    expect(formatHashRate(1e30)).toBe('1000000000000 EH/s');
  });

  test('bytes step by 1024', () => {
    expect(formatBytes(180)).toBe('180 B');
    expect(formatBytes(1024)).toBe('1.00 KiB');
    expect(formatBytes(256 * 1024)).toBe('256 KiB');
  });

  test('lengths of time are rough', () => {
    expect(formatDuration(0.2)).toBe('under a second');
    expect(formatDuration(1)).toBe('1 second');
    expect(formatDuration(89)).toBe('89 seconds');
    expect(formatDuration(90)).toBe('2 minutes');
    expect(formatDuration(7200)).toBe('2 hours');
    expect(formatDuration(86_400 * 3)).toBe('3 days');
    expect(formatDuration(86_400 * 3000)).toBe('8 years');
  });

  test('an age is never negative, whatever the clocks say', () => {
    expect(formatAge(-5000)).toBe('now');
    expect(formatAge(59_999)).toBe('59 s');
    expect(formatAge(60_000)).toBe('1 min');
    expect(formatAge(90_000_000)).toBe('1 d');
  });
});

describe('identifiers', () => {
  test('are shortened only when that saves something', () => {
    expect(shorten('abcdefghijklm', 6, 6)).toBe('abcdefghijklm');
    expect(shorten('abcdefghijklmn', 6, 6)).toBe('abcdef…ijklmn');
  });

  test('an address keeps its colour', () => {
    expect(hueOf('dtab1qqq')).toBe(hueOf('dtab1qqq'));
    expect(hueOf('dtab1qqq')).toBeGreaterThanOrEqual(0);
    expect(hueOf('dtab1qqq')).toBeLessThan(360);
  });
});

describe('data', () => {
  test('is shown as text where it is text', () => {
    expect(readable(new TextEncoder().encode('grüß dich\n'))).toEqual({ text: 'grüß dich\n', form: 'text' });
  });

  test('is shown as hexadecimal where it is not', () => {
    expect(readable(new Uint8Array([0xff, 0x00, 0x0a]))).toEqual({ text: 'ff000a', form: 'hex' });
    expect(readable(new Uint8Array([0x41, 0x00]))).toEqual({ text: '4100', form: 'hex' });
  });
});
