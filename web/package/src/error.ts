export type ErrorCode =
  | 'invalid-address'
  | 'invalid-amount'
  | 'invalid-phrase'
  | 'invalid-argument'
  | 'wrong-passphrase'
  | 'wallet-locked'
  | 'wallet-exists'
  | 'no-wallet'
  | 'insufficient-funds'
  | 'fee-too-low'
  | 'nonce-conflict'
  | 'expired'
  | 'rejected'
  | 'invalid-proof'
  | 'not-found'
  | 'closed'
  | 'aborted'
  | 'storage'
  | 'newer-schema'
  | 'unsupported-browser'
  | 'no-relay'
  | 'internal';

/** An error as it crosses between threads and tabs. */
export interface Failure {
  code: ErrorCode;
  message: string;
  details?: Record<string, unknown>;
}

/** Everything this package throws. `code` is stable, `message` is for people. */
export class TabchainError extends Error {
  override readonly name: string = 'TabchainError';
  readonly code: ErrorCode;
  readonly details?: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, details?: Record<string, unknown>, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    if (details) this.details = details;
  }

  static from(failure: Failure): TabchainError {
    return new TabchainError(failure.code, failure.message, failure.details);
  }
}

/** Any thrown thing as what crosses threads: ours as they are, the rest as `internal`. */
export function failureOf(error: unknown): Failure {
  if (isFailure(error)) {
    const { code, message, details } = error;
    return details ? { code, message, details } : { code, message };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

export function aborted(signal: AbortSignal): TabchainError {
  return new TabchainError('aborted', 'stopped before it was done', undefined, { cause: signal.reason });
}

/** What `work` comes to, unless the signal says stop before. The work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const stop = () => reject(aborted(signal));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function isFailure(error: unknown): error is Failure {
  return (
    error instanceof TabchainError ||
    (typeof error === 'object' && error !== null && !(error instanceof Error) && 'code' in error && 'message' in error)
  );
}
