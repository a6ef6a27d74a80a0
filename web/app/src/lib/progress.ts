import type { NodeEventMap, SyncState } from 'tabchain';
import { formatCount, formatDuration, plural } from './format';

export type Progress = NodeEventMap['sync']['detail'];

/** The steps of joining, in order, as a newcomer sees them. */
export const STEPS = [
  'Start the node',
  'Find other tabs',
  'Fetch block headers',
  'Fetch balances',
  'Check new blocks',
  'Check the past',
] as const;

/** The same for whoever is near enough to check every block before it is of use. */
export const SHORT_WAY = ['Start the node', 'Find other tabs', 'Fetch block headers', 'Check every block'] as const;

const STEP_OF: Record<SyncState, number> = {
  starting: 0,
  alone: 1,
  connecting: 1,
  headers: 2,
  snapshot: 3,
  blocks: 3,
  synced: 4,
};

/** The steps on this node's way, and the one being worked on; it is past the last when all are done. */
export function way({ state, past }: Progress): { steps: readonly string[]; current: number } {
  if (state === 'snapshot') return { steps: STEPS, current: STEP_OF.snapshot };
  if (!past) return { steps: SHORT_WAY, current: STEP_OF[state] };
  return { steps: STEPS, current: state === 'synced' ? 5 : state === 'blocks' ? 4 : STEP_OF[state] };
}

export const SHORT: Record<SyncState, string> = {
  starting: 'Starting',
  alone: 'Alone',
  connecting: 'Finding tabs',
  headers: 'Syncing',
  snapshot: 'Syncing',
  blocks: 'Syncing',
  synced: 'In sync',
};

/** One or two sentences about where this tab stands. */
export function describe(progress: Progress): string {
  const { state, height, bestHeight, peers, snapshot, past } = progress;
  switch (state) {
    case 'starting':
      return 'Opening this browser’s copy of the ledger.';
    case 'alone':
      return `No other tab found yet. You have the ledger up to block ${formatCount(height)}; this tab connects as soon as another appears.`;
    case 'connecting':
      return 'Looking for other tabs to connect to.';
    case 'headers':
      return `Fetching block headers from ${plural(peers, 'tab')}: the newest seen is ${formatCount(bestHeight)}.`;
    case 'snapshot':
      return `Fetching all balances as they were at block ${count(snapshot?.height)}: part ${count(snapshot?.parts)} of ${count(snapshot?.of)}${pace(progress)}.`;
    case 'blocks':
      return `Checking blocks: ${formatCount(height)} of ${formatCount(bestHeight)}${pace(progress)}.`;
    case 'synced':
      if (past)
        return `Ready to use, in sync with ${plural(peers, 'other node')}. Checking the past: block ${formatCount(past.checked)} of ${formatCount(past.joinedAt)}${pace(progress)}.`;
      return `In sync with ${plural(peers, 'other node')}. Every block up to ${formatCount(height)} was checked by this tab.`;
  }
}

/** What this tab has checked by itself so far, while that is not everything. */
export function verified({ height, past }: Progress): string | undefined {
  if (!past) return undefined;
  const { joinedAt, checked } = past;
  const parts = [`all balances at block ${formatCount(joinedAt)}, against its header`];
  if (height > joinedAt) parts.push(range(joinedAt + 1, height));
  if (checked > 0) parts.push(range(1, checked));
  return `Checked by this tab so far: ${parts.join('; ')}. Blocks ${formatCount(checked + 1)} to ${formatCount(joinedAt)} stand by the work done on them until they are checked too.`;
}

/** What this tab no longer keeps, if it has let go of old blocks. */
export function forgotten({ keepsFrom, past }: { keepsFrom: number; past?: unknown }): string | undefined {
  if (keepsFrom === 0 || past) return undefined;
  return `To save space, this tab keeps blocks in full from ${formatCount(keepsFrom)} on. It has checked the older ones and let them go; other tabs have them.`;
}

/** Whether the node fetches and checks in bulk, in the foreground or behind. */
export function isBusy({ state, past }: Progress): boolean {
  return state === 'headers' || state === 'snapshot' || state === 'blocks' || past !== undefined;
}

/** The part of the present stretch that is done, 0 to 1, where that can be told. */
export function fraction({ state, height, bestHeight, snapshot, past }: Progress): number | undefined {
  if (state === 'snapshot' && snapshot) return part(snapshot.parts, snapshot.of);
  if (state === 'synced') return past ? part(past.checked, past.joinedAt) : 1;
  if (state === 'blocks') return part(height, bestHeight);
  return undefined;
}

/** What the bar measures, for those who hear it. */
export function measure({ state }: Progress): string {
  return state === 'snapshot' ? 'Balances fetched' : state === 'synced' ? 'Past blocks checked' : 'Blocks checked';
}

function part(done: number, of: number): number | undefined {
  return of < 1 ? undefined : Math.min(1, done / of);
}

function range(from: number, to: number): string {
  return from === to ? `block ${formatCount(from)}` : `blocks ${formatCount(from)} to ${formatCount(to)}`;
}

function pace({ secondsLeft, sources }: Progress): string {
  const left = secondsLeft === undefined ? '' : `, about ${formatDuration(secondsLeft)} left`;
  return sources > 0 ? `${left}, from ${plural(sources, 'tab')}` : left;
}

function count(value: number | undefined): string {
  return formatCount(value ?? 0);
}
