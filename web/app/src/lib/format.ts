// Numbers as people read them. Everything here is pure.

const NARROW_SPACE = '\u202f';

/** "1234567.5" becomes "1 234 567.5": only the whole part is grouped. */
export function groupDigits(decimal: string): string {
  const [whole = '', fraction] = decimal.split('.');
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE) : whole;
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

export function formatCount(count: number): string {
  return groupDigits(String(Math.round(count)));
}

/** "1 block", "2 blocks". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let rest = Math.max(0, value);
  let index = 0;
  while (rest >= step * 0.9995 && index < units.length - 1) {
    rest /= step;
    index += 1;
  }
  const digits = index === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[index] ?? ''}`;
}

export function formatHashRate(hashesPerSecond: number): string {
  return scaled(hashesPerSecond, 1000, ['H/s', 'kH/s', 'MH/s', 'GH/s', 'TH/s', 'PH/s', 'EH/s']);
}

export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

/** A rough length of time: "8 seconds", "5 minutes", "3 hours", "12 days". */
export function formatDuration(seconds: number): string {
  const rest = Math.max(0, seconds);
  if (rest < 1) return 'under a second';
  if (rest < 90) return plural(Math.round(rest), 'second');
  if (rest < 90 * 60) return plural(Math.round(rest / 60), 'minute');
  if (rest < 36 * 3600) return plural(Math.round(rest / 3600), 'hour');
  if (rest < 730 * 86_400) return plural(Math.round(rest / 86_400), 'day');
  return plural(Math.round(rest / (365.25 * 86_400)), 'year');
}

/** How long ago, short enough for a column: "now", "12 s", "5 min", "3 h", "2 d". */
export function formatAge(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function formatTime(time: Date): string {
  return time.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

export function formatDifficulty(difficulty: number): string {
  if (difficulty >= 1e15) return difficulty.toExponential(2);
  return difficulty >= 100 ? formatCount(difficulty) : String(Number(difficulty.toPrecision(3)));
}

/** What a block holds, in two words. */
export function describeContents(block: { height: number; transactions: number }): string {
  if (block.height === 0) return 'the first';
  return block.transactions === 0 ? 'reward only' : plural(block.transactions, 'transaction');
}

/** The two ends of a long identifier. Leading zeros of a block hash say nothing, so the tail is the longer part. */
export function shorten(text: string, head = 6, tail = 6): string {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`;
}

/** A colour angle that stays with an address, so that one miner's blocks are recognised at a glance. */
export function hueOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) % 360;
}

/** Bytes as UTF-8 text where they are readable text, else as hexadecimal. */
export function readable(bytes: Uint8Array): { text: string; form: 'text' | 'hex' } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!/\p{Cc}/u.test(text.replace(/[\n\r\t]/g, ''))) return { text, form: 'text' };
  } catch {
    // Not text: shown as hexadecimal below.
  }
  return { text: Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''), form: 'hex' };
}

export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
