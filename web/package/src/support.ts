import { TabchainError } from './error.js';

/** What a node needs of a browser, and whether it is there. */
function missing(): string[] {
  const needs: [string, boolean][] = [
    ['a secure context (https or localhost)', globalThis.isSecureContext],
    ['WebAssembly', 'WebAssembly' in globalThis],
    ['workers', 'Worker' in globalThis],
    ['IndexedDB', 'indexedDB' in globalThis],
    ['WebRTC', 'RTCPeerConnection' in globalThis],
    ['BroadcastChannel', 'BroadcastChannel' in globalThis],
    ['Web Locks', 'navigator' in globalThis && 'locks' in navigator],
  ];
  return needs.filter(([, there]) => !there).map(([name]) => name);
}

/** Throws `unsupported-browser` where a node can't run. */
export function checkSupport(): void {
  const lacks = missing();
  if (lacks.length === 0) return;
  throw new TabchainError('unsupported-browser', `this browser lacks ${lacks.join(', ')}`, { missing: lacks });
}
