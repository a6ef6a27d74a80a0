// What the package shows. Amounts are bigint base units, 1 TAB = 1_000_000n; hashes are hex; addresses are bech32m.

export type Network = 'dev' | 'test';

export interface OpenOptions {
  /** Default: what the relay's bootstrap.json says, else `dev`. */
  network?: Network;
  /** Pages of relays, whose `/bootstrap.json` is read, or multiaddresses. Default: the page's own origin. */
  relays?: string[];
  /** STUN and TURN servers. Default: the relays' own STUN. */
  iceServers?: RTCIceServer[];
  /** Tells on the console what the network does, for whoever looks for a fault. Default: nothing is told. */
  log?: LogLevel;
  /** The name under which this browser keeps the ledger and the wallet. Default: `tabchain-${network}`. */
  name?: string;
  /**
   * How to come to a chain that is far ahead. `snapshot` (the default): take the balances at a block deep in the chain,
   * check them against its header, be of use within seconds, and check all earlier blocks in the background. `full`: check
   * every block from the first, and only then be of use.
   */
  join?: 'snapshot' | 'full';
  /**
   * How many blocks lie between two snapshots of all balances that this node keeps for others, at least 8. A snapshot is joined by
   * when as many blocks have been built on it: with fewer, a newcomer is of use on a shorter chain, and it takes less work to show it
   * a false one until the past is checked. Default: 1,024. Meant for trying things out.
   */
  snapshotBlocks?: number;
  /**
   * Keep only so many of the last blocks in full, at least 288, where storage is short. Every block is checked all the same, and
   * all headers and balances are kept. Default: keep all. What is gone comes back only with a fresh database.
   */
  prune?: number;
  /** Stops the opening. */
  signal?: AbortSignal;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** What a node is busy with. `alone`: nobody to talk to, and nobody known to dial. */
export type SyncState = 'starting' | 'alone' | 'connecting' | 'headers' | 'snapshot' | 'blocks' | 'synced';
/**
 * `direct`: WebRTC between two browsers. `relayed`: through a relay, within its limits, since no direct connection came
 * about; it is tried again and again. `native`: a socket to a program.
 */
export type ConnectionKind = 'direct' | 'relayed' | 'native';
/** `attached`: another tab of this browser runs the node, and this one uses it. */
export type NodeRole = 'node' | 'attached';

export interface Status {
  network: Network;
  genesisHash: string;
  peerId: string;
  role: NodeRole;
  height: number;
  tipHash: string;
  tipTime: Date;
  /** Height of the best header: what a node that is behind works towards. */
  bestHeight: number;
  sync: SyncState;
  /** While it fetches the balances at a block deep in the chain, to be of use before it has every block. */
  snapshot?: SnapshotProgress;
  /** While it checks the blocks below where it joined; it is of use meanwhile. */
  past?: PastProgress;
  /** Peers that are being asked for blocks, or for parts of a snapshot. */
  sources: number;
  /** From this height on every block is kept in full; 0 if all are. */
  keepsFrom: number;
  peers: number;
  relays: RelayInfo[];
  connections: ConnectionCounts;
  /** How many times harder the tip was to find than the easiest block of this chain. */
  difficulty: number;
  /** Hashes a second of all miners, estimated from the last blocks. */
  networkHashRate: number;
  /** Pending transactions. */
  mempool: number;
  /** All balances together. */
  supply: bigint;
  mining: MiningStatus;
  /** What this origin keeps in the browser, as far as the browser tells. */
  storageBytes?: number;
  /** How much it may keep there at most, as far as the browser tells. */
  storageQuota?: number;
}

export interface SnapshotProgress {
  /** The height of its block. */
  height: number;
  /** Parts that have come. Each was checked by itself against the block's header. */
  parts: number;
  of: number;
}

export interface PastProgress {
  /** The block whose balances were taken from others, and checked against its header. */
  joinedAt: number;
  /** Every block up to and with this height was checked by this node. */
  checked: number;
}

export interface RelayInfo {
  address: string;
  /** Whether it keeps a place for this node, so that others can reach it. */
  connected: boolean;
}

/** What became of this node's connections to peers since it was opened. */
export interface ConnectionCounts {
  /** Direct connections that it began to make. */
  attempts: number;
  /** Peers that were connected directly, whoever began. */
  direct: number;
  /** Peers that were connected through a relay, whoever began. */
  relayed: number;
  failures: {
    /** The peer was gone, or its relay was. */
    unreachable: number;
    /** The peer did not answer in time. */
    unanswered: number;
    /** The browsers found no path between them: most often a strict router or a firewall. */
    noPath: number;
    /** This browser refused to take part. */
    blocked: number;
  };
}

export interface PeerInfo {
  id: string;
  kind: ConnectionKind;
  outbound: boolean;
  /** The height of the newest block that it told of; what it heard from this node first, it need not tell. */
  height: number;
  /** What it calls its software. Written by a stranger. */
  agent: string;
  connectedAt: Date;
  address?: string;
  /** From `RTCPeerConnection.getStats()`, as are the three below: only where there is a direct connection. */
  bytesSent?: number;
  bytesReceived?: number;
  /** `host`, `srflx`, `prflx` or `relay` (TURN). */
  localCandidate?: string;
  remoteCandidate?: string;
}

export interface BlockSummary {
  hash: string;
  height: number;
  time: Date;
  miner: string;
  transactions: number;
  size: number;
  /** New supply, which the miner gets once it is mature. */
  reward: bigint;
  /** All fees, which the miner got at once. */
  fees: bigint;
  difficulty: number;
}

export interface Block extends BlockSummary {
  parent: string;
  version: number;
  nonce: bigint;
  target: string;
  txRoot: string;
  stateRoot: string;
  historyRoot: string;
  /** Blocks of the active chain from this one to the tip; 0 when it is not on it. */
  confirmations: number;
  transactionList: Transaction[];
}

export type TransactionStatus =
  | { state: 'pending' }
  | { state: 'confirmed'; blockHash: string; height: number; confirmations: number; position: number };

export interface Output {
  to: string;
  amount: bigint;
}

interface TransactionBase {
  id: string;
  sender: string;
  nonce: bigint;
  fee: bigint;
  /** The last height that may hold it. */
  validUntil: number;
  size: number;
  /** The time of its block; of a pending one, when this node first saw it. */
  time?: Date;
  status: TransactionStatus;
}

export type Transaction = TransactionBase &
  (
    | { kind: 'transfer'; outputs: Output[]; memo: string }
    | { kind: 'anchor'; topic: string; data: Uint8Array }
  );

/** What an account holds, proven by a header. */
export interface AccountProof {
  /** 180 bytes. */
  header: Uint8Array;
  proof: Uint8Array;
}

/** That a block is in the chain of a later header. */
export interface BlockProof {
  /** 180 bytes. */
  header: Uint8Array;
  hash: string;
  proof: Uint8Array;
}

/** What a header says that an account holds. Whether that header is in the chain is for the caller to know. */
export interface ProvenAccount {
  balance: bigint;
  nonce: bigint;
  blockHash: string;
  height: number;
}

export interface Account {
  address: string;
  balance: bigint;
  /** How many transactions it has sent that are confirmed. */
  nonce: bigint;
  pendingOut: bigint;
  pendingIn: bigint;
  /** Rewards that it will get. */
  maturing: bigint;
}

export interface MiningStatus {
  active: boolean;
  threads: number;
  /** Hashes a second of this browser. */
  hashRate: number;
  /** Blocks found since the node was opened. */
  blocksFound: number;
  to?: string;
  /** How long one block takes at this rate, on average. */
  secondsPerBlock?: number;
}

/** Where the time of a node's worker went, in milliseconds since it was opened; it does one of the five at any moment. */
export interface Workload {
  /** Waiting for peers, for people, or for nothing at all. */
  waiting: number;
  /** Waiting for the browser's storage. */
  storing: number;
  /** Checking signatures itself: a handful at a time. */
  checking: number;
  /** Reading and writing messages. */
  translating: number;
  /** All else: rules, balances, the state's root. */
  thinking: number;
  /** What its checkers of signatures worked meanwhile, all of them together. */
  checkingElsewhere: number;
  /** How many signatures were checked. */
  signatures: number;
  /** Transactions with the browser's storage, the changed rows in them, and their bytes. */
  commits: number;
  changes: number;
  bytes: number;
}

export interface WalletState {
  exists: boolean;
  unlocked: boolean;
  accounts: { index: number; address: string }[];
}

export interface SendOptions {
  to: string;
  amount: bigint;
  /** A public note, at most 64 bytes. */
  memo?: string;
  /** Default: the least that nodes pass on. */
  fee?: bigint;
  /** Which account pays. Default: the first. */
  from?: number;
  signal?: AbortSignal;
}

export type SendManyOptions = Omit<SendOptions, 'to' | 'amount'> & { outputs: Output[] };
export type AnchorOptions = Omit<SendOptions, 'to' | 'amount' | 'memo'> & { topic: string; data: Uint8Array };

/** `relay-lost`: no relay is connected any more; peers stay. `rebuilding`: stored data was damaged and is made anew.
 * `false-past`: a block below where the node joined broke a rule; the chain above it was left. */
export type WarningCode = 'stale-tip' | 'storage-full' | 'relay-lost' | 'clock' | 'rebuilding' | 'false-past';
