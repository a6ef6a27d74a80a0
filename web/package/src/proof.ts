// Checks of proofs. They need no node and no network: only the header that the caller trusts.

import * as wasm from '../wasm/tabchain.js';
import { loadCore } from './core.js';
import { type Failure, TabchainError } from './error.js';
import type { AccountProof, BlockProof, Network, ProvenAccount } from './types.js';

/** What the header's state says of an address. Throws `invalid-proof` if the proof is not of this header and address. */
export function verifyAccountProof(
  { header, proof }: AccountProof,
  address: string,
  network: Network,
): Promise<ProvenAccount> {
  return checked(() => wasm.verifyAccountProof(network, header, proof, address) as ProvenAccount);
}

/** Returns if the block is in the header's chain. Throws `invalid-proof` if the proof is not of this header and block. */
export function verifyBlockProof({ header, hash, proof }: BlockProof): Promise<void> {
  return checked(() => wasm.verifyBlockProof(header, hash, proof));
}

async function checked<T>(check: () => T): Promise<T> {
  await loadCore();
  try {
    return check();
  } catch (failure) {
    throw TabchainError.from(failure as Failure);
  }
}
