import { TabchainError } from './error.js';

/** The smallest module with a 128-bit vector: a function that returns one. Where it is not valid, neither is the node's. */
const VECTOR_MODULE = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // wasm, version 1
  ...[1, 5, 1, 0x60, 0, 1, 0x7b], // the type () -> v128
  ...[3, 2, 1, 0], // one function of it
  ...[10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b], // i32.const 0, i8x16.splat, end
);

/** What a node needs of a browser, and whether it is there. */
function missing(): string[] {
  const needs: [string, boolean][] = [
    ['a secure context (https or localhost)', globalThis.isSecureContext],
    ['WebAssembly', 'WebAssembly' in globalThis],
    ['WebAssembly SIMD', 'WebAssembly' in globalThis && WebAssembly.validate(VECTOR_MODULE)],
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
