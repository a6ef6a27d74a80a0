import type { Network, OpenOptions } from 'tabchain';

/**
 * What a link to the page may ask for: `?relay=...` (repeatable) where the page is served by something that is no
 * relay, `?network=...`, and `?name=...` for a second, separate node in one profile.
 */
export function optionsFrom(query: string): OpenOptions {
  const parameters = new URLSearchParams(query);
  const relays = parameters.getAll('relay').filter((relay) => relay !== '');
  const network = parameters.get('network');
  const name = parameters.get('name');
  return {
    ...(relays.length > 0 && { relays }),
    ...(isNetwork(network) && { network }),
    ...(name !== null && name !== '' && { name }),
  };
}

function isNetwork(text: string | null): text is Network {
  return text === 'dev' || text === 'test';
}
