// What a tab can ask of the tab that runs the node (which may be itself), and what it is told.

import type { Request } from '../wasm/tabchain.js';
import type {
  Account,
  AccountProof,
  Block,
  BlockProof,
  BlockSummary,
  MiningStatus,
  PastProgress,
  PeerInfo,
  SnapshotProgress,
  Status,
  SyncState,
  Transaction,
  WalletState,
  WarningCode,
  Workload,
} from './types.js';

/** Every request and what it is answered with. */
export interface Replies {
  status: Omit<Status, 'role'>;
  peers: PeerInfo[];
  block: Block | null;
  blockAt: Block | null;
  latestBlocks: BlockSummary[];
  transaction: Transaction | null;
  transactionsOf: Transaction[];
  account: Account;
  accountProof: AccountProof;
  blockProof: BlockProof | null;
  mempool: Transaction[];
  workload: Workload;
  sendTransaction: Transaction;
  startMining: undefined;
  stopMining: undefined;
  walletState: WalletState;
  walletCreate: string;
  walletRestore: WalletState;
  walletUnlock: WalletState;
  walletLock: WalletState;
  walletAddAccount: WalletState;
  walletSend: Transaction;
  walletAnchor: Transaction;
  walletExport: Uint8Array;
  walletImport: WalletState;
  walletForget: WalletState;
}

export type Kind = keyof Replies;
/** The node's own requests; mining also says how many threads, which is the miner's business, and the workload is the driver's. */
export type Ask =
  | Exclude<Request, { type: 'startMining' | 'close' }>
  | { type: 'workload' }
  | { type: 'startMining'; to: string; threads: number };
export type AskOf<K extends Kind> = Extract<Ask, { type: K }>;

/** What the tabs that use a node are told, by the names of the package's events. */
export type Told =
  | { type: 'head'; detail: { hash: string; height: number; adopted: string[]; reverted: string[] } }
  | { type: 'status'; detail: Omit<Status, 'role'> }
  | { type: 'peer'; detail: { change: 'up' | 'down' | 'changed'; peer: PeerInfo } }
  | { type: 'sync'; detail: SyncProgress }
  | { type: 'transaction'; detail: Transaction }
  | { type: 'dropped'; detail: { id: string } }
  | { type: 'mining'; detail: MiningStatus }
  | { type: 'wallet'; detail: WalletState }
  | { type: 'warning'; detail: { code: WarningCode; message: string } };

export interface SyncProgress {
  state: SyncState;
  height: number;
  bestHeight: number;
  snapshot?: SnapshotProgress;
  past?: PastProgress;
  sources: number;
  peers: number;
  secondsLeft?: number;
}

export interface Service {
  ask<K extends Kind>(request: AskOf<K>): Promise<Replies[K]>;
}

const QUESTIONS: ReadonlySet<Kind> = new Set<Kind>([
  'status',
  'peers',
  'block',
  'blockAt',
  'latestBlocks',
  'transaction',
  'transactionsOf',
  'account',
  'accountProof',
  'blockProof',
  'mempool',
  'workload',
  'walletState',
]);

/** Whether asking twice changes nothing: such a request is asked again when the tab that was to answer is gone. */
export function isQuestion(request: { type: Kind }): boolean {
  return QUESTIONS.has(request.type);
}
