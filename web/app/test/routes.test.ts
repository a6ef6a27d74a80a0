import { expect, test } from 'vitest';
import { href, parseRoute } from '../src/lib/routes';

test('every link leads to its view', () => {
  expect(parseRoute(href.home)).toEqual({ view: 'home' });
  expect(parseRoute(href.peers)).toEqual({ view: 'peers' });
  expect(parseRoute(href.explorer)).toEqual({ view: 'explorer' });
  expect(parseRoute(href.older(120))).toEqual({ view: 'explorer', before: 120 });
  expect(parseRoute(href.block(7))).toEqual({ view: 'block', id: '7' });
  expect(parseRoute(href.transaction('ab'))).toEqual({ view: 'transaction', id: 'ab' });
  expect(parseRoute(href.address('dtab1q'))).toEqual({ view: 'address', address: 'dtab1q' });
});

test('an empty hash and a trailing slash are forgiven', () => {
  expect(parseRoute('')).toEqual({ view: 'home' });
  expect(parseRoute('#wallet/')).toEqual({ view: 'wallet' });
});

test('anything else is unknown, and never throws', () => {
  for (const hash of [
    '#/nowhere',
    '#/block',
    '#/block/1/2',
    '#/wallet/send',
    '#/explorer/-1',
    '#/explorer/99999999999',
    '#/%E0%A4%A',
  ])
    expect(parseRoute(hash).view).toBe('unknown');
});
