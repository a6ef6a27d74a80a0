import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TabchainError } from '../src/error.js';
import { checkSupport } from '../src/support.js';

beforeEach(() => {
  vi.stubGlobal('isSecureContext', true);
  for (const name of ['Worker', 'indexedDB', 'RTCPeerConnection', 'BroadcastChannel']) vi.stubGlobal(name, {});
  vi.stubGlobal('navigator', { locks: {} });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function lacks(): unknown {
  try {
    checkSupport();
    return [];
  } catch (error) {
    if (!(error instanceof TabchainError)) throw error;
    expect(error.code).toBe('unsupported-browser');
    return error.details;
  }
}

test('a browser with everything can run a node', () => {
  expect(lacks()).toEqual([]);
});

test('a browser without vectors in WebAssembly is told so before anything is compiled', () => {
  vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
  expect(lacks()).toEqual({ missing: ['WebAssembly SIMD'] });
});

test('a browser without WebAssembly lacks its vectors too', () => {
  vi.stubGlobal('WebAssembly', undefined);
  Reflect.deleteProperty(globalThis, 'WebAssembly');
  expect(lacks()).toEqual({ missing: ['WebAssembly', 'WebAssembly SIMD'] });
});
