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

/** One of everything, made once. */
const test = base.extend<object, { world: World }>({
  world: [
    async ({ browser, server, adminCookies }, use) => {
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
      await work.draft({ name: 'A campaign', topic: 'Offers', ...campaign })
      await work.launch()
      const launched = here()
      await work.until(() => expect(page.getByText('Completed').first()).toBeVisible({ timeout: 500 }))
      await work.open(`${launched}/recipients`)
      const message = await page.locator('a[href^="/messages/"]').first().getAttribute('href')
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

const pages: [name: string, path: (world: World) => string, heading: string | RegExp][] = [
  ['dashboard', () => '/', 'Dashboard'],
  ['contacts', () => '/contacts', 'Contacts'],
  ['contacts, nobody found', () => '/contacts?q=zzzz', 'Contacts'],
  ['new contact', () => '/contacts/new', 'New contact'],
  ['contact', (world) => world.contact, /Wickramasinghe/],
  ['imports', () => '/imports', 'Imports'],
  ['new import', () => '/imports/new', 'Import'],
  ['import', (world) => world.import, 'pages.csv'],
  ['topics', () => '/topics', 'Topics'],
  ['audiences', () => '/audiences', 'Audiences'],
  ['new audience', () => '/audiences/new', 'New audience'],
  ['audience', (world) => world.audience, 'People of the pages'],
  ['templates', () => '/templates', 'Templates'],
  ['templates, none found', () => '/templates?q=zzzz', 'Templates'],
  ['new template', () => '/templates/new', 'New template'],
  ['template', (world) => world.template, /a_rather_long/],
  ['campaigns', () => '/campaigns', 'Campaigns'],
  ['new campaign', () => '/campaigns/new', 'New campaign'],
  ['draft', (world) => world.draft, 'A draft'],
  ['draft, audience', (world) => `${world.draft}/edit?step=audience`, 'Audience'],
  ['draft, message', (world) => `${world.draft}/edit?step=message`, 'Message'],
  ['draft, sending', (world) => `${world.draft}/edit?step=sending`, 'Sending'],
  ['launch', (world) => `${world.draft}/launch`, 'Review and launch'],
  ['campaign', (world) => world.campaign, 'A campaign'],
  ['recipients', (world) => `${world.campaign}/recipients`, /./],
  ['message', (world) => world.message, /./],
  ['simulator', () => '/simulator', 'Simulator'],
  ['simulator, a phone', () => '/simulator?phone=%2B14155550701', 'Simulator'],
]

for (const [name, path, heading] of pages) {
  test(`${name} @mobile`, async ({ world, signedIn: page, visit, accessible }) => {
    const response = await visit(path(world))
    expect(response.status()).toBe(200)
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1)
    await expect(page.getByRole('heading', { level: 1 })).toContainText(heading)
    await expect(page).toHaveTitle(/Event Stream Engine/)
    // Nothing sticks out to the side: the page scrolls one way only.
    const { inner, outer } = await page.evaluate(() => ({
      inner: document.documentElement.scrollWidth,
      outer: document.documentElement.clientWidth,
    }))
    expect(inner, 'no scrolling to the side').toBeLessThanOrEqual(outer)
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
    await accessible()
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
    await accessible()
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
