import type { TransactionStatus } from 'tabchain';

/**
 * There is no moment at which a transfer becomes final; each block on top makes undoing it more costly. The tiers put
 * that into words, and begin where the protocol's wallet conventions say (section 3).
 */
export type Tier = 'waiting' | 'seen' | 'likely' | 'settled';

const LIKELY = 6;
const SETTLED = 60;

export function tierOf(confirmations: number): Tier {
  if (confirmations < 1) return 'waiting';
  if (confirmations < LIKELY) return 'seen';
  return confirmations < SETTLED ? 'likely' : 'settled';
}

/** How many confirmations begin the next tier, if there is one. */
export function nextTierAt(tier: Tier): number | undefined {
  return { waiting: 1, seen: LIKELY, likely: SETTLED, settled: undefined }[tier];
}

export const TIER_WORDS: Record<Tier, { label: string; hint: string }> = {
  waiting: { label: 'Waiting', hint: 'Sent to the network, not in a block yet.' },
  seen: { label: 'Just in', hint: 'In a block. The newest blocks are sometimes replaced, so wait for a few more.' },
  likely: { label: 'Likely stays', hint: 'Some blocks stand on it; good for everyday payments.' },
  settled: {
    label: 'Settled',
    hint: 'Many blocks stand on it; replacing them would take more work than all honest tabs did since.',
  },
};

/** Blocks on a transaction as the tip moves on, so that a row need not be read again for every block. */
export function confirmationsAt(status: TransactionStatus, tipHeight: number): number {
  if (status.state === 'pending') return 0;
  return Math.max(status.confirmations, tipHeight - status.height + 1);
}
