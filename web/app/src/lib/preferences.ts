// What this browser profile remembers about the page itself. Reading and writing may both be refused (a private window,
// blocked site data); then the page simply forgets.

const JOINED = 'tabchain.joined';
const PRUNED = 'tabchain.pruned';
const THREADS = 'tabchain.threads';

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Forgotten at the next visit; nothing else depends on it.
  }
}

export const preferences = {
  get joined(): boolean {
    return read(JOINED) === 'yes';
  },
  set joined(value: boolean) {
    write(JOINED, value ? 'yes' : null);
  },
  /** Old blocks are let go, because room was short. */
  get pruned(): boolean {
    return read(PRUNED) === 'yes';
  },
  set pruned(value: boolean) {
    write(PRUNED, value ? 'yes' : null);
  },
  threads(available: number): number {
    const stored = Number(read(THREADS));
    if (Number.isInteger(stored) && stored >= 1) return Math.min(stored, available);
    return Math.max(1, Math.floor(available / 2));
  },
  rememberThreads(threads: number): void {
    write(THREADS, String(threads));
  },
};
