import type { Transaction } from 'tabchain';

export type Direction = 'in' | 'out' | 'self';

/** What a transaction means for the holder of `mine`: which way value went, and how much without the fee. */
export function effect(transaction: Transaction, mine: readonly string[]): { direction: Direction; amount: bigint } {
  const outputs = transaction.kind === 'transfer' ? transaction.outputs : [];
  const sum = (keep: boolean) =>
    outputs.reduce((total, output) => (mine.includes(output.to) === keep ? total + output.amount : total), 0n);
  if (!mine.includes(transaction.sender)) return { direction: 'in', amount: sum(true) };
  const away = sum(false);
  return away > 0n || outputs.length === 0
    ? { direction: 'out', amount: away }
    : { direction: 'self', amount: sum(true) };
}

/**
 * What is known after the newest page was read again. What is older than that page stays; what is newer and not in it was
 * dropped or undone. Where the page no longer meets what was known there is a gap, so the rest has to be read anew.
 */
export function refresh(known: readonly Transaction[], top: readonly Transaction[], whole: boolean): Transaction[] {
  const last = top.at(-1);
  const meets = known.some((one) => top.some((other) => other.id === one.id));
  if (whole || !last || !meets) return [...top];
  const older = known.filter((one) => one.status.state === 'confirmed' && newestFirst(last, one) < 0);
  return [...top, ...older.filter((one) => !top.some((other) => other.id === one.id))];
}

function newestFirst(a: Transaction, b: Transaction): number {
  if (a.status.state === 'pending' || b.status.state === 'pending') {
    if (a.status.state === b.status.state) return Number(b.nonce - a.nonce);
    return a.status.state === 'pending' ? -1 : 1;
  }
  return b.status.height - a.status.height || b.status.position - a.status.position;
}
