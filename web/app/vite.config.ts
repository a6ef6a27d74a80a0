import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const fixture = fileURLToPath(new URL('./fixture/tabchain.ts', import.meta.url));

// `--mode fixture` puts an in-memory ledger in the place of the package: for drawing and for screenshots, never for the
// page that people get.
export default defineConfig(({ mode }) => ({
  base: './',
  plugins: [svelte({ configFile: false })],
  resolve: { alias: mode === 'fixture' ? { tabchain: fixture } : {} },
  // The optimiser would move the package's module away from the worker and the wasm that lie beside it.
  optimizeDeps: { exclude: ['tabchain'] },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    outDir: mode === 'fixture' ? '../../target/page-fixture' : 'dist',
    emptyOutDir: true,
  },
  test: { include: ['test/**/*.test.ts'] },
}));
