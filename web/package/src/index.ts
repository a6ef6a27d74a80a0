// `await using` is newer than the library of types that most pages are built with.
/// <reference lib="esnext.disposable" preserve="true" />

export { Node } from './node.js';
export type { Wallet } from './wallet.js';
export type { NodeEventMap } from './events.js';
export { TabchainError, type ErrorCode } from './error.js';
export { formatAmount, parseAmount } from './amount.js';
export { isAddress } from './address.js';
export { verifyAccountProof, verifyBlockProof } from './proof.js';
export { paymentUri, parsePaymentUri, type Payment } from './uri.js';
export type {
  Account,
  AccountProof,
  AnchorOptions,
  Block,
  BlockProof,
  BlockSummary,
  ConnectionCounts,
  ConnectionKind,
  LogLevel,
  MiningStatus,
  Network,
  NodeRole,
  OpenOptions,
  Output,
  PeerInfo,
  ProvenAccount,
  RelayInfo,
  SendManyOptions,
  SendOptions,
  Status,
  SyncState,
  Transaction,
  TransactionStatus,
  WalletState,
  WarningCode,
  Workload,
} from './types.js';
