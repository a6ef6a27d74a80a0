import type { LogLevel, Network, OpenOptions } from 'tabchain';

/** What a link may say of the span between snapshots. */
const LEAST_SPAN = 8;
const MOST_SPAN = 1_048_576;

/**
 * What a link to the page may ask for: `?relay=...` (repeatable) where the page is served by something that is no
 * relay, `?network=...`, `?name=...` for a second, separate node in one profile, `?join=full` for those
 * who want every block checked before the node is of use, `?snapshots=64` for a network in which snapshots are closer together, and
 * `?log=debug` for those who want to see on the console what the network does.
 */
export function optionsFrom(query: string): OpenOptions {
  const parameters = new URLSearchParams(query);
  const relays = parameters.getAll('relay').filter((relay) => relay !== '');
  const network = parameters.get('network');
  const name = parameters.get('name');
  const log = parameters.get('log');
  const join = parameters.get('join');
  const snapshots = Number(parameters.get('snapshots'));
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
