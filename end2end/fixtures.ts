// What every browser test starts from. Import `test` and `expect` from here, never from Playwright itself: these tests
// fail on their own when the page reports an error, breaks the content security policy, or does not hydrate cleanly.
import { AxeBuilder } from '@axe-core/playwright'
import { test as base, expect, type BrowserContext, type Page, type Response } from '@playwright/test'
import { Api } from './pages/api.ts'
import { signIn } from './pages/login.ts'
import { admin, startServer, type Server } from './server.ts'

type Cookies = Awaited<ReturnType<BrowserContext['cookies']>>

/** What went wrong in the browser during one test. */
export class Problems {
  readonly found: string[] = []
  private readonly expected: RegExp[] = []

  /** This test causes such a problem on purpose, such as /status of 404/. */
  expect(pattern: RegExp) {
    this.expected.push(pattern)
  }

  unexpected(): string[] {
    return this.found.filter((text) => !this.expected.some((pattern) => pattern.test(text)))
  }

  watch(context: BrowserContext) {
    context.on('console', (message) => {
      const text = message.text()
      // Hydration trouble and policy violations count however loudly they are told.
      if (message.type() === 'error' || /hydrat|panicked|content security policy/i.test(text)) {
        this.found.push(`console: ${text} (${message.location().url})`)
      }
    })
    context.on('weberror', (error) => this.found.push(`script: ${error.error().stack ?? error.error().message}`))
    context.on('response', (response) => {
      if (response.status() >= 500) this.found.push(`answer: status of ${response.status()} for ${response.url()}`)
    })
  }
}

/** The page is live: its scripts have taken over what the server rendered. */
export async function hydrated(page: Page) {
  await expect(page.locator('html[data-hydrated]')).toBeAttached()
}

interface TestFixtures {
  problems: Problems
  /** Opens a path and waits until it can be used: for hydration where there are scripts. */
  visit: (path: string) => Promise<Response>
  /** A page whose visitor is signed in as the admin. */
  signedIn: Page
  /** No accessibility violation of WCAG 2.2 A and AA, or of one rule, on the page as it is now. (It takes scripts to look.) */
  accessible: (rule?: string) => Promise<void>
}

interface WorkerFixtures {
  server: Server
  /** The same server, as a program calls it. */
  api: Api
  adminCookies: Cookies
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  server: [
    async ({}, use) => {
      const server = await startServer()
      await use(server)
      await server.stop()
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  api: [async ({ server }, use) => use(new Api(server)), { scope: 'worker' }],

  adminCookies: [
    async ({ browser, server }, use) => {
      const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false })
      const page = await context.newPage()
      await page.goto('/login')
      await signIn(page, admin)
      const cookies = await context.cookies()
      await context.close()
      await use(cookies)
    },
    { scope: 'worker' },
  ],

  baseURL: async ({ server }, use) => use(server.url),

  problems: [
    async ({ context, server }, use, info) => {
      const problems = new Problems()
      problems.watch(context)
      const before = server.log().length
      await use(problems)
      if (info.status !== info.expectedStatus) {
        await info.attach('server.log', { body: server.log().slice(before), contentType: 'text/plain' })
      }
      expect(problems.unexpected(), 'the browser reports no problem').toEqual([])
    },
    { auto: true },
  ],

  visit: async ({ page, javaScriptEnabled }, use) => {
    await use(async (path) => {
      const response = await page.goto(path)
      if (!response) throw new Error(`${path}: no answer`)
      if (javaScriptEnabled !== false) await hydrated(page)
      return response
    })
  },

  signedIn: async ({ context, page, adminCookies }, use) => {
    await context.addCookies(adminCookies)
    await use(page)
  },

  accessible: async ({ page, javaScriptEnabled }, use) => {
    await use(async (rule) => {
      if (javaScriptEnabled === false) return
      const axe = new AxeBuilder({ page })
      const { violations } = await (
        rule ? axe.withRules(rule) : axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
      ).analyze()
      const told = violations.map(
        ({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => node.html).join('\n  ')}`,
      )
      // The test goes on, so that one run names all pages with a fault.
      expect.soft(told, `accessible: ${page.url()}`).toEqual([])
    })
  },
})

export { admin, expect }
