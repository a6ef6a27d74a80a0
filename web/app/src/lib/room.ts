import type { Status } from 'tabchain';
import { formatBytes, formatCount } from './format';

/** How many of the last blocks a tab keeps in full once it was told to let go of older ones: about a week of the test network. */
export const KEPT_BLOCKS = 10_080;

/** Storage is short when so small a part of it is left, or so few bytes. */
const LEAST_PART = 0.1;
const LEAST_BYTES = 128 * 1024 * 1024;

type Room = Pick<Status, 'height' | 'keepsFrom' | 'storageBytes' | 'storageQuota'>;

/** Whether to offer that old blocks are let go: room is short, and there are some to let go that are kept. */
export function offersRoom({ height, keepsFrom, storageBytes, storageQuota }: Room, full: boolean): boolean {
  const left = storageQuota !== undefined && storageBytes !== undefined ? storageQuota - storageBytes : undefined;
  const short = left !== undefined && (left < LEAST_BYTES || left < LEAST_PART * (storageQuota ?? 0));
  return (short || full) && keepsFrom === 0 && height > KEPT_BLOCKS;
}

/** What is offered, in words. */
export function roomOffer({ storageBytes, storageQuota }: Room): string {
  const used =
    storageBytes !== undefined && storageQuota !== undefined
      ? `This browser keeps ${formatBytes(storageBytes)} of at most ${formatBytes(storageQuota)} for this page. `
      : 'This browser has hardly any room left for this page. ';
  return (
    used +
    `To make room, this tab can let go of old blocks and keep the last ${formatCount(KEPT_BLOCKS)} in full. ` +
    'It has checked the old ones; all balances, your wallet and every block header stay, and other tabs keep the rest.'
  );
}
