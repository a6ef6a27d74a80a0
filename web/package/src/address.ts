// Whether text is an address, known before any wasm is there. Bech32m (BIP-350) by hand rather than by a library: so the
// package has no dependencies, and its files run from any static server as they are.

import type { Network } from './types.js';

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const BECH32M = 0x2bc830a3;
/** Twenty bytes in symbols of five bits: no bits left over, so no second text of the same address. */
const SYMBOLS = 32;
const CHECKSUM = 6;

const PREFIXES: Record<Network, string> = { dev: 'dtab', test: 'ttab' };

/** Whether `text` is an address: of `network`, or of any. */
export function isAddress(text: string, network?: Network): boolean {
  const prefix = decode(text);
  return prefix !== undefined && (network ? [PREFIXES[network]] : Object.values(PREFIXES)).includes(prefix);
}

/** The prefix of a bech32m text that holds twenty bytes. */
function decode(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return undefined;
  const end = lower.lastIndexOf('1');
  const prefix = lower.slice(0, Math.max(end, 0));
  const symbols = Array.from(lower.slice(end + 1), (letter) => ALPHABET.indexOf(letter));
  if (prefix === '' || symbols.length !== SYMBOLS + CHECKSUM || symbols.includes(-1)) return undefined;
  return checksum([...expand(prefix), ...symbols]) === BECH32M ? prefix : undefined;
}

function expand(prefix: string): number[] {
  const codes = Array.from(prefix, (letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

function checksum(values: number[]): number {
  return values.reduce((state, value) => {
    const top = state >>> 25;
    const next = ((state & 0x1ffffff) << 5) ^ value;
    return GENERATOR.reduce((mixed, generator, bit) => ((top >> bit) & 1 ? mixed ^ generator : mixed), next);
  }, 1);
}
