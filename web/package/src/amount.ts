import { TabchainError } from './error.js';

const DECIMALS = 6;
const ONE_TAB = 1_000_000n;
const MAX = (1n << 53n) - 1n;

/** Base units in TAB, without zeros at the end: `1.5`, `0.000001`, `3`. */
export function formatAmount(units: bigint): string {
  const sign = units < 0n ? '-' : '';
  const size = units < 0n ? -units : units;
  const part = (size % ONE_TAB).toString().padStart(DECIMALS, '0').replace(/0+$/, '');
  return `${sign}${size / ONE_TAB}${part && '.'}${part}`;
}

/** Reads TAB: `1.5`, `.5`, `3`. Signs, exponents and separators are refused. */
export function parseAmount(text: string): bigint {
  const [, whole = '', part = ''] = /^(\d*)(?:\.(\d+))?$/.exec(text) ?? invalid('digits with at most one decimal point');
  if (whole === '' && part === '') invalid('digits with at most one decimal point');
  if (part.length > DECIMALS) invalid('at most six digits after the point');
  const units = BigInt(whole + part.padEnd(DECIMALS, '0'));
  return units <= MAX ? units : invalid('less than 9007199254.740992');
}

/** An amount as callers give it, who may not be held back by types. */
export function checkAmount(units: bigint): bigint {
  if (typeof units !== 'bigint') return invalid('a bigint of base units, such as 1_500_000n for 1.5 TAB');
  if (units < 0n) return invalid('not negative');
  return units <= MAX ? units : invalid('at most 9007199254740991 base units');
}

function invalid(rule: string): never {
  throw new TabchainError('invalid-amount', `an amount is ${rule}`);
}
