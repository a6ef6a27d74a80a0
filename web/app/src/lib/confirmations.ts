import type { TransactionStatus } from 'tabchain';

/**
 * There is no moment at which a transfer becomes final; each block on top makes undoing it more costly. The tiers put
 * that into words.
 */
export type Tier = 'waiting' | 'fresh' | 'likely' | 'firm';

const LIKELY = 3;
export const FIRM = 10;

export function tierOf(confirmations: number): Tier {
  if (confirmations < 1) return 'waiting';
  if (confirmations < LIKELY) return 'fresh';
  return confirmations < FIRM ? 'likely' : 'firm';
}

export const TIER_WORDS: Record<Tier, { label: string; hint: string }> = {
  waiting: { label: 'Waiting', hint: 'Sent to the network, not in a block yet.' },
  fresh: { label: 'Just in', hint: 'In a block. The newest blocks are sometimes replaced, so wait for a few more.' },
  likely: { label: 'Likely final', hint: 'A few blocks stand on it; replacing them is unlikely.' },
  firm: {
    label: 'Confirmed',
    hint: 'Many blocks stand on it; replacing them would take more work than honest tabs did.',
  },
};

/** Blocks on a transaction as the tip moves on, so that a row need not be read again for every block. */
export function confirmationsAt(status: TransactionStatus, tipHeight: number): number {
  if (status.state === 'pending') return 0;
  return Math.max(status.confirmations, tipHeight - status.height + 1);
}
