import type { SyncState } from 'tabchain';
import { formatCount, formatDuration, plural } from './format';

export interface Progress {
  state: SyncState;
  height: number;
  bestHeight: number;
  peers: number;
  secondsLeft?: number | undefined;
}

/** The steps of joining, in order, as a newcomer sees them. */
export const STEPS = ['Start the node', 'Find other tabs', 'Fetch block headers', 'Check every block'] as const;

const STEP_OF: Record<SyncState, number> = { starting: 0, alone: 1, connecting: 1, headers: 2, blocks: 3, synced: 4 };

/** The step being worked on; `STEPS.length` when all are done. */
export function stepOf(state: SyncState): number {
  return STEP_OF[state];
}

export const SHORT: Record<SyncState, string> = {
  starting: 'Starting',
  alone: 'Alone',
  connecting: 'Finding tabs',
  headers: 'Syncing',
  blocks: 'Syncing',
  synced: 'In sync',
};

/** One sentence about where this tab stands. */
export function describe(progress: Progress): string {
  const { state, height, bestHeight, peers, secondsLeft } = progress;
  const left = secondsLeft === undefined ? '' : `, about ${formatDuration(secondsLeft)} left`;
  switch (state) {
    case 'starting':
      return 'Opening this browser’s copy of the ledger.';
    case 'alone':
      return `No other tab found yet. You have the ledger up to block ${formatCount(height)}; this tab connects as soon as another appears.`;
    case 'connecting':
      return 'Looking for other tabs to connect to.';
    case 'headers':
      return `Fetching block headers from ${plural(peers, 'tab')}: the newest seen is ${formatCount(bestHeight)}${left}.`;
    case 'blocks':
      return `Checking blocks: ${formatCount(height)} of ${formatCount(bestHeight)}${left}.`;
    case 'synced':
      return `In sync with ${plural(peers, 'other node')}. Every block up to ${formatCount(height)} was checked by this tab.`;
  }
}

/** The part of the blocks that is checked, 0 to 1, where that can be told. */
export function fraction(progress: Progress): number | undefined {
  if (progress.state === 'synced') return 1;
  if (progress.state !== 'blocks' || progress.bestHeight < 1) return undefined;
  return Math.min(1, progress.height / progress.bestHeight);
}
