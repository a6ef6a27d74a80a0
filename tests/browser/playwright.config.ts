import { defineConfig } from '@playwright/test';

import { chromiumOptions } from './support/chromium.ts';

/**
 * Real tabs on a small machine: one test at a time, no retries. A time limit here only ends a test that hangs, on a machine
 * that is many times slower than ours too; nothing is measured by it.
 */
export default defineConfig({
  testDir: 'specs',
  outputDir: '../../target/browser-tests',
  workers: 1,
  retries: 0,
  timeout: 1_800_000,
  expect: { timeout: 300_000 },
  forbidOnly: true,
  use: { launchOptions: chromiumOptions, actionTimeout: 300_000, navigationTimeout: 300_000 },
});
