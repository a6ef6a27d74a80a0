// The hash routes: what an address bar says, and how links are written.

export type Route =
  | { view: 'home' }
  | { view: 'peers' }
  | { view: 'mine' }
  | { view: 'wallet' }
  | { view: 'explorer'; before?: number }
  | { view: 'block'; id: string }
  | { view: 'transaction'; id: string }
  | { view: 'address'; address: string }
  | { view: 'about' }
  | { view: 'unknown'; path: string };

export type ViewName = Route['view'];

export const href = {
  home: '#/',
  peers: '#/peers',
  mine: '#/mine',
  wallet: '#/wallet',
  explorer: '#/explorer',
  about: '#/about',
  older: (before: number) => `#/explorer/${before}`,
  block: (id: string | number) => `#/block/${id}`,
  transaction: (id: string) => `#/tx/${id}`,
  address: (address: string) => `#/address/${address}`,
} as const;

export function parseRoute(hash: string): Route {
  const path = hash.replace(/^#\/?/, '').replace(/\/+$/, '');
  const [head = '', argument = '', ...rest] = path.split('/').map(decode);
  const unknown: Route = { view: 'unknown', path };
  if (rest.length > 0) return unknown;
  switch (head) {
    case '':
      return { view: 'home' };
    case 'peers':
    case 'mine':
    case 'wallet':
    case 'about':
      return argument === '' ? { view: head } : unknown;
    case 'explorer':
      if (argument === '') return { view: 'explorer' };
      return isHeight(argument) ? { view: 'explorer', before: Number(argument) } : unknown;
    case 'block':
      return argument === '' ? unknown : { view: 'block', id: argument };
    case 'tx':
      return argument === '' ? unknown : { view: 'transaction', id: argument };
    case 'address':
      return argument === '' ? unknown : { view: 'address', address: argument };
    default:
      return unknown;
  }
}

/** Whether the text is a block height: a whole number that fits 32 bits. */
export function isHeight(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
