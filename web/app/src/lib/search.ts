import type { Network, Node } from 'tabchain';
import { isAddress } from 'tabchain';
import { href, isHeight } from './routes';

export type Query =
  | { kind: 'height'; height: number }
  | { kind: 'hash'; hash: string }
  | { kind: 'address'; address: string }
  | { kind: 'nothing' };

/** What a searched text can be. Block hashes and transaction ids look alike; only the ledger tells them apart. */
export function classify(text: string, network: Network): Query {
  const trimmed = text
    .trim()
    .replace(/^tabchain:/i, '')
    .replace(/\?.*$/, '');
  const digits = trimmed.replace(/[\s,_#]/g, '');
  if (isHeight(digits)) return { kind: 'height', height: Number(digits) };
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return { kind: 'hash', hash: trimmed.toLowerCase() };
  if (isAddress(trimmed, network)) return { kind: 'address', address: trimmed.toLowerCase() };
  return { kind: 'nothing' };
}

/** The route that shows what was searched, or null when this copy of the ledger has nothing of the kind. */
export async function find(node: Node, text: string): Promise<string | null> {
  const query = classify(text, node.network);
  switch (query.kind) {
    case 'height':
      return (await node.getBlockAt(query.height)) ? href.block(query.height) : null;
    case 'hash':
      if (await node.getBlock(query.hash)) return href.block(query.hash);
      return (await node.getTransaction(query.hash)) ? href.transaction(query.hash) : null;
    case 'address':
      return href.address(query.address);
    case 'nothing':
      return null;
  }
}
