import type { TabchainError } from './error.js';
import type { SyncProgress } from './service.js';
import type { MiningStatus, NodeRole, PeerInfo, Status, Transaction, WalletState, WarningCode } from './types.js';

/** What a `Node` tells. */
export interface NodeEventMap {
  /** The tip moved. `adopted`: oldest first; `reverted`: newest first. */
  head: CustomEvent<{ hash: string; height: number; adopted: string[]; reverted: string[] }>;
  /** At most a few times a second. */
  status: CustomEvent<Status>;
  peer: CustomEvent<{ change: 'up' | 'down' | 'changed'; peer: PeerInfo }>;
  sync: CustomEvent<SyncProgress>;
  /** Pending, confirmed, or pending again. */
  transaction: CustomEvent<Transaction>;
  /** A pending transaction is gone: expired, replaced, or pushed out. */
  dropped: CustomEvent<{ id: string }>;
  mining: CustomEvent<MiningStatus>;
  wallet: CustomEvent<WalletState>;
  warning: CustomEvent<{ code: WarningCode; message: string }>;
  role: CustomEvent<{ role: NodeRole }>;
  /** The node stopped; it can be opened again. */
  fatal: CustomEvent<TabchainError>;
}
