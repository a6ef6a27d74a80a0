import type { Account, Node, WalletState } from 'tabchain';
import { coalesce } from './coalesce';

const CLOSED: WalletState = { exists: false, unlocked: false, accounts: [] };

/** The wallet as the page shows it: what the node says of it, and the account that is looked at. */
export class LiveWallet {
  #state = $state.raw<WalletState>(CLOSED);
  #accounts = $state.raw<readonly Account[]>([]);
  /** Position of the account that is shown, in `state.accounts`. */
  selected = $state(0);

  readonly #node: Node;
  /** Asks for the balances again; many calls in a row are one reading. */
  readonly refresh: () => void;

  readonly addresses: readonly string[] = $derived(this.#state.accounts.map((account) => account.address));
  readonly address: string | undefined = $derived(this.addresses[this.selected] ?? this.addresses[0]);

  constructor(node: Node) {
    this.#node = node;
    this.refresh = coalesce(() => this.#read(), () => 250);
  }

  get state(): WalletState {
    return this.#state;
  }

  set state(state: WalletState) {
    this.#state = state;
    if (this.selected >= state.accounts.length) this.selected = 0;
    this.refresh();
  }

  account(address: string | undefined): Account | undefined {
    return this.#accounts.find((account) => account.address === address);
  }

  /** The balance of all accounts together; undefined until it is known, or where there is no wallet. */
  get balance(): bigint | undefined {
    if (this.#accounts.length === 0) return undefined;
    return this.#accounts.reduce((total, account) => total + account.balance, 0n);
  }

  async #read(): Promise<void> {
    try {
      this.#accounts = await Promise.all(this.addresses.map((address) => this.#node.getAccount(address)));
    } catch {
      // The node is going down and says so itself; the last known balances stay.
    }
  }
}
