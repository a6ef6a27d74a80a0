import type { LogLevel, Network, OpenOptions } from 'tabchain';

/** What a link may say of the span between snapshots. */
const LEAST_SPAN = 8;
const MOST_SPAN = 1_048_576;

/**
 * What a link to the page may ask for: `?relay=...` (repeatable) where the page is served by something that is no
 * relay, `?network=...`, `?name=...` for a second, separate node in one profile, `?join=full` for those
 * who want every block checked before the node is of use, and `?log=debug` for those who want to see on the console what the
 * network does. On the network `dev` alone, `?snapshots=64` brings snapshots closer together: how deep balances must lie that
 * are taken unchecked is for the reader to decide, not for whoever made the link, so elsewhere it is ignored.
 */
export function optionsFrom(query: string): OpenOptions {
  const parameters = new URLSearchParams(query);
  const relays = parameters.getAll('relay').filter((relay) => relay !== '');
  const network = parameters.get('network');
  const name = parameters.get('name');
  const log = parameters.get('log');
  const join = parameters.get('join');
  const snapshots = network === 'dev' ? Number(parameters.get('snapshots')) : 0;
  return {
    ...(relays.length > 0 && { relays }),
    ...(isNetwork(network) && { network }),
    ...(isLogLevel(log) && { log }),
    ...((join === 'full' || join === 'snapshot') && { join }),
    ...(Number.isInteger(snapshots) && snapshots >= LEAST_SPAN && snapshots <= MOST_SPAN && { snapshotBlocks: snapshots }),
    ...(name !== null && name !== '' && { name }),
  };
}

function isLogLevel(text: string | null): text is LogLevel {
  return text !== null && ['error', 'warn', 'info', 'debug', 'trace'].includes(text);
}

function isNetwork(text: string | null): text is Network {
  return text === 'dev' || text === 'test';
}
