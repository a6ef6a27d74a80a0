import type { LaunchOptions } from '@playwright/test';

/** Debian's Chromium, with WebRTC allowed to use the loopback: all tabs of a test are on one machine. */
export const chromiumOptions: LaunchOptions = {
  executablePath: process.env['TABCHAIN_CHROMIUM'] ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
  ],
};
