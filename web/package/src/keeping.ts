import { TabchainError } from './error.js';
import type { OpenOptions } from './types.js';

/** What a node takes on of the ledger. */
export type Keeping = Pick<OpenOptions, 'join' | 'prune' | 'snapshotBlocks'>;

/** Fewer bodies than this would not outlast an afternoon's reorganisation. */
export const LEAST_KEPT = 288;

/** Snapshots closer together than this would be no deeper than blocks that are taken back now and then. */
export const LEAST_SPAN = 8;

const WAYS: ReadonlySet<string> = new Set(['snapshot', 'full']);

/** What the options say of it, checked. */
export function keepingOf({ join, prune, snapshotBlocks }: OpenOptions): Keeping {
  if (join !== undefined && !WAYS.has(join))
    throw new TabchainError('invalid-argument', 'join is "snapshot" or "full"');
  if (prune !== undefined && !isCount(prune, LEAST_KEPT))
    throw new TabchainError('invalid-argument', `prune is a whole number of at least ${LEAST_KEPT} blocks`);
  if (snapshotBlocks !== undefined && !isCount(snapshotBlocks, LEAST_SPAN))
    throw new TabchainError('invalid-argument', `snapshotBlocks is a whole number of at least ${LEAST_SPAN} blocks`);
  return {
    ...(join && { join }),
    ...(prune !== undefined && { prune }),
    ...(snapshotBlocks !== undefined && { snapshotBlocks }),
  };
}

function isCount(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least && value < 2 ** 32;
}
