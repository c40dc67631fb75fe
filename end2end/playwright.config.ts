import { existsSync } from 'node:fs'
import { defineConfig, devices } from '@playwright/test'

// The system's Chromium; without one, Playwright looks for a browser of its own.
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'
const results = process.env.ESE_RESULTS ?? 'test-results'

export default defineConfig({
  testDir: 'tests',
  outputDir: results,
  reporter: [['list'], ['json', { outputFile: `${results}/results.json` }]],
  // Each worker starts a server of its own (server.ts) and plays whole files. While one waits for a page, the other works.
  workers: 2,
  // A busy machine can be slow once; what fails twice is broken.
  retries: 1,
  forbidOnly: !!process.env.CI,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  use: {
    locale: 'en-GB',
    timezoneId: 'UTC',
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: existsSync(chromium) ? chromium : undefined,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'chromium', use: { ...devices['Desktop Chrome'] } },
    {
      // Every page works as plain HTML; only what is about the scripts themselves is left out.
      name: 'no-scripts',
      testIgnore: '**/*.hydrate.spec.ts',
      use: { ...devices['Desktop Chrome'], javaScriptEnabled: false },
    },
    {
      name: 'mobile',
      grep: /@mobile/,
      use: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
    },
  ],
})
