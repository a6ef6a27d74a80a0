import { describe, expect, it } from 'vitest';
import { parse } from '../src/bootstrap.js';

const RELAY = '/ip4/127.0.0.1/tcp/8081/ws/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';

describe('bootstrap.json', () => {
  it('is read', () => {
    const told = { network: 'dev', relays: [RELAY], iceServers: [{ urls: ['stun:127.0.0.1:3478'] }], rendezvous: 'x' };
    expect(parse(told)).toEqual({ network: 'dev', relays: [RELAY], iceServers: [{ urls: ['stun:127.0.0.1:3478'] }] });
  });

  it('may say little', () => {
    expect(parse({ relays: [] })).toEqual({ relays: [], iceServers: [] });
  });

  it('loses what is malformed, and keeps the rest', () => {
    const iceServers = [{ urls: 'turn:host' }, { urls: 'https://host' }, { urls: [] }, 'stun:host', null];
    expect(parse({ network: 'main', relays: [RELAY, 'wss://host', 7], iceServers })).toEqual({
      relays: [RELAY],
      iceServers: [{ urls: 'turn:host' }],
    });
  });

  it.each([null, 'text', 7, [], {}, { relays: 'x' }])('%j is none', (told) => expect(parse(told)).toBeUndefined());
});
