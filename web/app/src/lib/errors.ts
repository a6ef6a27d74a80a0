import { TabchainError, type ErrorCode } from 'tabchain';

const WORDS: Partial<Record<ErrorCode, string>> = {
  'invalid-address': 'This is not an address of this network. Check that it was copied whole.',
  'invalid-amount': 'This is not an amount. Write it like 12 or 0.5, with at most six decimals.',
  'invalid-phrase':
    'These words are not a recovery phrase. Check the spelling and the order; it must be 12 or 24 words from the standard list.',
  'wrong-passphrase': 'That passphrase does not open this wallet.',
  'wallet-locked': 'The wallet is locked. Unlock it with your passphrase first.',
  'wallet-exists': 'There is already a wallet in this browser. Forget it first, after making a backup.',
  'no-wallet': 'There is no wallet in this browser yet.',
  'insufficient-funds': 'Not enough to spend: the amount and the fee together are more than what is spendable now.',
  'fee-too-low': 'The fee is too low for other nodes to pass this on. Raise it a little.',
  'nonce-conflict': 'Another transaction of yours took this place. Look at your history, then try again.',
  expired: 'This transaction waited too long and is no longer valid. Send it again.',
  rejected: 'The network’s rules do not allow this transaction.',
  'not-found': 'That is not in this tab’s copy of the ledger.',
  closed: 'The node has been stopped.',
  aborted: 'Stopped before it was done.',
  storage: 'The browser refused to store data. Private windows and full disks can cause this.',
  'newer-schema':
    'The data stored in this browser was written by a newer version of this page. Reload to get that version.',
  'unsupported-browser':
    'This browser lacks something a node needs (WebRTC, WebAssembly or IndexedDB). A current Chrome, Edge, Firefox or Safari has them all.',
  'no-relay': 'No relay could be reached to introduce this tab to others. Check your connection.',
};

/** What is wrong with one field of a form. */
export interface FieldProblem {
  code: ErrorCode;
  words: string;
}

/** What happened, in plain words for the place where it happened. */
export function explain(error: unknown): string {
  if (!(error instanceof TabchainError)) return error instanceof Error ? error.message : String(error);
  const words = WORDS[error.code];
  if (words === undefined) return error.message === '' ? 'Something unexpected went wrong.' : sentence(error.message);
  return error.code === 'rejected' && error.message !== '' ? `${words} (${error.message})` : words;
}

export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof TabchainError ? error.code : undefined;
}

function sentence(message: string): string {
  const head = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(head) ? head : `${head}.`;
}
