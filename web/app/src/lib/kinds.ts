import type { ConnectionKind } from 'tabchain';

export const KIND_WORDS: Record<ConnectionKind, { label: string; hint: string }> = {
  direct: { label: 'Direct', hint: 'Browser to browser over WebRTC. Nothing in between sees or carries the data.' },
  relayed: {
    label: 'Relayed',
    hint: 'A direct path has not been found yet, so a relay passes the encrypted data on. The tab keeps trying.',
  },
  native: { label: 'Native', hint: 'A node that runs as a program, such as a relay that keeps an archive.' },
};

/** How two tabs met, as the ICE candidate of the connection tells. */
export function describeCandidate(candidate: string): string {
  if (/\bhost\b/.test(candidate)) return 'same machine or local network';
  if (/\bsrflx\b/.test(candidate)) return 'through a home router (NAT)';
  if (/\bprflx\b/.test(candidate)) return 'path found while connecting';
  if (/\brelay\b/.test(candidate)) return 'through a TURN server';
  return candidate;
}
