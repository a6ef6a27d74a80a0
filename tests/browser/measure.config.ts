import { defineConfig } from '@playwright/test';

import { chromiumOptions } from './support/chromium.ts';

/** Measures instead of testing: `cargo xtask bench sync` runs it. */
export default defineConfig({
  testDir: 'measure',
  outputDir: '../../target/measure/browser',
  reporter: 'line',
  workers: 1,
  retries: 0,
  timeout: 900_000,
  expect: { timeout: 300_000 },
  use: { launchOptions: chromiumOptions, actionTimeout: 30_000, navigationTimeout: 30_000 },
});
