// Every page opens, says what it is, reports no problem, and is accessible in both themes and both sizes.
import { expect, test as base } from '../fixtures.ts'
import { Work, csv } from '../pages/work.ts'

interface World {
  contact: string
  import: string
  audience: string
  template: string
  draft: string
  campaign: string
  message: string
}

const unbroken = 'Wickramasinghe'.repeat(7)

/** One of everything, made once. */
const test = base.extend<object, { world: World }>({
  world: [
    async ({ browser, server, api, adminCookies }, use) => {
      const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false })
      await context.addCookies(adminCookies)
      const page = await context.newPage()
      const work = new Work(page, false)
      const here = () => new URL(page.url()).pathname
      await work.topic('Offers', 'offers')
      const long = `Dr. ${'Wickramasinghe-Gunawardena '.repeat(4).trim()}`
      await work.importFile(
        csv('pages.csv', [
          'phone,name,city,consent',
          `+14155550701,"${long}",Thiruvananthapuram,yes`,
          '+14155550702,அருண் குமார்,,yes',
          '+14155550703,,Colombo,no',
          'not a number,Nobody,,yes',
        ]),
        'Offers',
      )
      const imported = here()
      await work.link('Make an audience of them').click()
      await work.saveAudience('People of the pages')
      const audience = here()
      await work.template('a_rather_long_name_for_a_template_with_many_words', `Hello {{ name }},\n${'long '.repeat(60)}`)
      const template = here()
      const campaign = { audience: 'People of the pages', template: /^a_rather_long/ }
      await work.draft({ name: 'A draft', ...campaign })
      const draft = here()
      await work.button('Rehearse').click()
      await expect(page).toHaveURL(/\/rehearsal/)
      await work.until(() => expect(page.getByText('What could be mended')).toBeVisible({ timeout: 500 }))
      await work.draft({ name: 'A campaign', topic: 'Offers', ...campaign })
      await work.launch()
      const launched = here()
      await work.until(() => expect(page.getByText('Completed').first()).toBeVisible({ timeout: 500 }))
      await work.open(`${launched}/recipients`)
      const long_id = 'order-'.repeat(30)
      const about = (id: string, to: object) => JSON.stringify({ id, name: 'price_drop', ...to, data: { product: 'Tea', price: 4.5 } })
      const many = { segment: { combinator: 'and', rules: [] } }
      server.command(['events', 'ingest', '-'], [about(long_id, { phone: '+14155550701' }), about('many', many)].join('\n'))
      const message = await page.locator('a[href^="/messages/"]').first().getAttribute('href')
      // Words without a gap: a name, an attribute, a link in what they write.
      const link = `https://example.org/${unbroken}`
      await api.call('POST', '/contacts', { phone: '+14155550704', attributes: { name: unbroken, link } })
      await work.says('+14155550704', link)
      await context.close()
      await use({
        contact: '/contacts/+14155550701',
        import: imported,
        audience,
        template,
        draft,
        campaign: launched,
        message: message ?? '',
      })
    },
    { scope: 'worker', timeout: 120_000 },
  ],
})

type Page = [path: string | ((world: World) => string), heading: string | RegExp]

/** What is opened in one test: the browser keeps the scripts from page to page, which saves most of the time. */
const groups: Record<string, Page[]> = {
  'the dashboard and people': [
    ['/', 'Dashboard'],
    ['/contacts', 'Contacts'],
    ['/contacts?q=zzzz', 'Contacts'],
    ['/contacts/new', 'New contact'],
    [(world) => world.contact, /Wickramasinghe/],
    ['/contacts/+14155550704', unbroken],
    ['/topics', 'Topics'],
    ['/topics?edit=offers', 'Topics'],
    ['/topics?delete=offers', 'Delete Offers?'],
    ['/account', 'Your account'],
    ['/inbox', 'Inbox'],
    ['/inbox?q=zzzz&view=all', 'Inbox'],
    ['/inbox/+14155550701', /Wickramasinghe/],
    ['/inbox/+14155550704', unbroken],
  ],
  'imports and audiences': [
    ['/imports', 'Imports'],
    ['/imports/new', 'Import'],
    [(world) => world.import, 'pages.csv'],
    ['/audiences', 'Audiences'],
    ['/audiences?q=zzzz', 'Audiences'],
    ['/audiences/new', 'New audience'],
    [(world) => world.audience, 'People of the pages'],
  ],
  templates: [
    ['/templates', 'Templates'],
    ['/templates/approved', 'Approved by WhatsApp'],
    ['/templates?q=zzzz', 'Templates'],
    ['/templates/new', 'New template'],
    [(world) => world.template, /a_rather_long/],
  ],
  'drafts of campaigns': [
    ['/calendar', 'Calendar'],
    ['/calendar?month=2026-02&zone=Asia%2FColombo', 'Calendar'],
    ['/campaigns', 'Campaigns'],
    ['/campaigns/new', 'New campaign'],
    [(world) => world.draft, 'A draft'],
    [(world) => `${world.draft}/edit?step=audience`, 'Audience'],
    [(world) => `${world.draft}/edit?step=message`, 'Message'],
    [(world) => `${world.draft}/edit?step=sending`, 'Sending'],
    [(world) => `${world.draft}/edit?step=when`, 'When'],
    [(world) => `${world.draft}/launch`, 'Review and launch'],
    [(world) => `${world.draft}/rehearsal`, 'Rehearsal'],
  ],
  'what was sent': [
    [(world) => world.campaign, 'A campaign'],
    [(world) => `${world.campaign}/recipients`, /./],
    [(world) => `${world.campaign}/why?phone=%2B14155550701`, 'Why?'],
    [(world) => `${world.campaign}/why?phone=%2B14155550799`, 'Why?'],
    [(world) => world.message, /./],
    ['/events', 'Events'],
    ['/events?q=zzzz', 'Events'],
    ['/events/1', /./],
    ['/events/triggers', 'Events'],
    ['/events/triggers?phone=%2B14155550701', 'Events'],
    ['/events/triggers/1', 'price_drop'],
    ['/simulator', 'Simulator'],
    ['/simulator?phone=%2B14155550701', 'Simulator'],
  ],
  settings: [
    ['/settings/senders', 'Senders'],
    ['/settings/senders/new', 'Add a sender'],
    ['/settings/senders?account=new', 'Add a Twilio account'],
    ['/settings/general', 'General'],
    ['/settings/quiet-hours', 'Quiet hours'],
    ['/settings/auto-replies', 'Automatic replies'],
    ['/settings/error-codes', 'Error codes'],
    ['/settings/error-codes/63018', 'Error code 63018'],
    ['/settings/processes', 'Processes'],
    ['/compliance', 'Compliance'],
    ['/compliance/suppressions', 'Compliance'],
    ['/compliance/suppressions?q=12', 'Compliance'],
    ['/compliance/opt-outs', 'Compliance'],
    ['/compliance/pending', 'Compliance'],
    ['/compliance/pending?state=expired', 'Compliance'],
    ['/compliance/keywords', 'Compliance'],
  ],
}

for (const [name, pages] of Object.entries(groups)) {
  test(`${name} @mobile`, async ({ world, signedIn: page, visit, accessible, isMobile }) => {
    test.setTimeout(120_000)
    for (const [path, heading] of pages) {
      const url = typeof path === 'string' ? path : path(world)
      await test.step(url, async () => {
        await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
        const response = await visit(url)
        expect(response.status()).toBe(200)
        await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1)
        await expect(page.getByRole('heading', { level: 1 })).toContainText(heading)
        await expect(page).toHaveTitle(/Event Stream Engine/)
        // Nothing sticks out to the side: the page scrolls one way only.
        const beyond = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        )
        expect.soft(beyond, `${url}: no scrolling to the side`).toBeLessThanOrEqual(0)
        await accessible()
        // The dark theme has other colours and nothing else, and they are the same ones on a phone.
        if (isMobile) return
        await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
        await accessible('color-contrast')
      })
    }
  })
}

test('what is not there says so @mobile', async ({ signedIn: page, visit, accessible, problems }) => {
  problems.expect(/status of 404/)
  for (const path of ['/nowhere', '/templates/0190a0a0-0000-7000-8000-000000000000', '/contacts/+19995550000']) {
    const response = await visit(path)
    expect(response.status(), path).toBe(404)
    await expect(page.getByRole('heading', { level: 1 })).toContainText('There is nothing here')
  }
  await accessible()
})

test('words are not broken, and no column is cut', async ({ world, signedIn: page, visit }) => {
  await visit(world.contact)
  const box = await page.locator('.list__main', { hasText: /^Offers$/ }).boundingBox()
  expect(box?.height, 'one line').toBeLessThan(34)
  await visit('/compliance/keywords')
  const table = page.getByRole('group', { name: 'Built-in words' })
  await expect(table).toBeVisible()
  const cut = await table.evaluate((element) => element.scrollWidth - element.clientWidth)
  expect(cut, 'nothing to scroll to').toBeLessThanOrEqual(0)
})
