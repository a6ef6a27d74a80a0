import type { ConnectionCounts, ConnectionKind } from 'tabchain';

export const KIND_WORDS: Record<ConnectionKind, { label: string; hint: string }> = {
  direct: { label: 'Direct', hint: 'Browser to browser over WebRTC. Nothing in between sees or carries the data.' },
  relayed: {
    label: 'Relayed',
    hint:
      'No direct path to this node was found, so a relay passes the data on. The data is encrypted: the relay can neither ' +
      'read nor change it. It is slower, and goes on only as far as the relay allows. This tab keeps trying for a direct path.',
  },
  native: { label: 'Native', hint: 'A node that runs as a program, such as a relay that keeps an archive.' },
};

export const FAILURE_WORDS: Record<keyof ConnectionCounts['failures'], string> = {
  unreachable: 'The other was gone, or out of reach',
  unanswered: 'The other did not answer in time',
  noPath: 'No path between the two networks',
  blocked: 'This browser did not allow it',
};

/** How two tabs met, as the ICE candidate of the connection tells. */
export function describeCandidate(candidate: string): string {
  if (/\bhost\b/.test(candidate)) return 'same machine or local network';
  if (/\bsrflx\b/.test(candidate)) return 'through a home router (NAT)';
  if (/\bprflx\b/.test(candidate)) return 'path found while connecting';
  if (/\brelay\b/.test(candidate)) return 'through a TURN server';
  return candidate;
}
