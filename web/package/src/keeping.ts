import { TabchainError } from './error.js';
import type { OpenOptions } from './types.js';

/** What a node takes on of the ledger. */
export type Keeping = Pick<OpenOptions, 'join' | 'prune'>;

/** Fewer bodies than this would not outlast an afternoon's reorganisation. */
export const LEAST_KEPT = 288;

const WAYS: ReadonlySet<string> = new Set(['snapshot', 'full']);

/** What the options say of it, checked. */
export function keepingOf({ join, prune }: OpenOptions): Keeping {
  if (join !== undefined && !WAYS.has(join))
    throw new TabchainError('invalid-argument', 'join is "snapshot" or "full"');
  if (prune !== undefined && !(Number.isInteger(prune) && prune >= LEAST_KEPT && prune < 2 ** 32))
    throw new TabchainError('invalid-argument', `prune is a whole number of at least ${LEAST_KEPT} blocks`);
  return { ...(join && { join }), ...(prune !== undefined && { prune }) };
}
