import { checkAmount } from './amount.js';
import { unlessAborted } from './error.js';
import type { Session } from './session.js';
import { keepStored } from './storage.js';
import type { AnchorOptions, SendManyOptions, SendOptions, Transaction, WalletState } from './types.js';

/** The wallet that this browser keeps, encrypted, beside the ledger. */
export type Wallet = Pick<NodeWallet, keyof NodeWallet>;

export class NodeWallet {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  state(): Promise<WalletState> {
    return this.#session.ask({ type: 'walletState' });
  }

  /** Makes a wallet and opens it. Its phrase is told this once, and never again. */
  async create(options: { passphrase: string; words?: 12 | 24 }): Promise<{ phrase: string }> {
    keepStored();
    const { passphrase, words = 12 } = options;
    return { phrase: await this.#session.ask({ type: 'walletCreate', passphrase, words }) };
  }

  restore({ phrase, passphrase }: { phrase: string; passphrase: string }): Promise<WalletState> {
    keepStored();
    return this.#session.ask({ type: 'walletRestore', phrase, passphrase });
  }

  unlock(passphrase: string): Promise<WalletState> {
    return this.#session.ask({ type: 'walletUnlock', passphrase });
  }

  async lock(): Promise<void> {
    await this.#session.ask({ type: 'walletLock' });
  }

  addAccount(): Promise<WalletState> {
    return this.#session.ask({ type: 'walletAddAccount' });
  }

  /** Pays. Resolves when the transaction is in the memory pool. */
  send({ to, amount, ...options }: SendOptions): Promise<Transaction> {
    return this.sendMany({ ...options, outputs: [{ to, amount }] });
  }

  async sendMany({ outputs, memo = '', fee, from = 0, signal }: SendManyOptions): Promise<Transaction> {
    for (const { amount } of outputs) checkAmount(amount);
    if (fee !== undefined) checkAmount(fee);
    return unlessAborted(this.#session.ask({ type: 'walletSend', outputs, memo, fee, from }), signal);
  }

  /** Writes a little data into the ledger, under a topic. */
  async anchor({ topic, data, fee, from = 0, signal }: AnchorOptions): Promise<Transaction> {
    if (fee !== undefined) checkAmount(fee);
    return unlessAborted(this.#session.ask({ type: 'walletAnchor', topic, data, fee, from }), signal);
  }

  /** The encrypted wallet, for safe keeping. */
  export(): Promise<Uint8Array> {
    return this.#session.ask({ type: 'walletExport' });
  }

  import({ backup, passphrase }: { backup: Uint8Array; passphrase: string }): Promise<WalletState> {
    keepStored();
    return this.#session.ask({ type: 'walletImport', backup, passphrase });
  }

  /** Erases the wallet. Only its phrase or a backup brings it back. */
  async forget(): Promise<void> {
    await this.#session.ask({ type: 'walletForget' });
  }
}
