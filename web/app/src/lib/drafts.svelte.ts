// What a person has typed or is in the middle of, kept in memory while they look at another view. Nothing here is stored.

export interface SendDraft {
  to: string;
  amount: string;
  memo: string;
  fee: string;
}

export const DEFAULT_FEE = '0.001';

function emptySend(): SendDraft {
  return { to: '', amount: '', memo: '', fee: DEFAULT_FEE };
}

class Drafts {
  send = $state<SendDraft>(emptySend());
  /** A new wallet's recovery phrase, until two of its words have been confirmed. */
  phrase = $state<string | null>(null);

  clearSend(): void {
    this.send = emptySend();
  }
}

export const drafts = new Drafts();
