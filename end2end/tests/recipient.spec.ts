// Somebody follows the link in a message, without any account: topics, stop, data. It is a page without scripts for everybody.
import type { Page } from '@playwright/test'
import { expect, test } from '../fixtures.ts'
import { Work, csv, number } from '../pages/work.ts'

/** Sends one message with a link to one new person, and follows the link. */
async function follow(work: Work, page: Page, phone: string): Promise<string> {
  const name = `Person ${phone.slice(-4)}`
  await work.topic('Offers', 'offers')
  await work.importFile(csv('own.csv', ['phone,name,consent,city', `${phone},"${name}",yes,Colombo`]), 'Offers')
  await work.link('Make an audience of them').click()
  await work.saveAudience(name)
  const template = `own_${phone.slice(1)}`
  await work.template(template, 'Offers for you. {{ preferences_url }}')
  await work.draft({ name: `Sale ${phone.slice(-4)}`, topic: 'Offers', audience: name, template: new RegExp(`^${template}`) })
  expect(await work.launch()).toBe(1)
  await work.open(`/simulator?phone=${encodeURIComponent(phone)}`)
  const conversation = page.getByRole('log', { name: 'Conversation' })
  await work.until(() => expect(conversation).toContainText('/p/', { timeout: 500 }))
  const link = /https?:\/\/\S+\/p\/[\w-]+/.exec(await conversation.innerText())?.[0]
  if (!link) throw new Error('no link in the message')
  return new URL(link).pathname
}

test('the link of a message leads to topics, data and a stop @mobile', async ({ signedIn: page, browser, baseURL, accessible, javaScriptEnabled, isMobile }) => {
  test.setTimeout(120_000)
  const work = new Work(page, javaScriptEnabled !== false)
  const phone = `+1415555${isMobile ? '06' : '05'}${work.scripts ? '11' : '22'}`
  const path = await follow(work, page, phone)

  await test.step('it says why, without an account, and looks as it should', async () => {
    const visitor = await browser.newContext({ baseURL, javaScriptEnabled: false })
    const own = await visitor.newPage()
    const response = await own.goto(path)
    expect(response?.status()).toBe(200)
    expect(response?.headers()['referrer-policy']).toBe('no-referrer')
    await expect(own.getByText(`campaign “Sale ${phone.slice(-4)}”, about Offers`)).toBeVisible()
    await expect(own.getByText(phone)).toHaveCount(0)
    for (const [width, height] of [[375, 812], [1280, 900]] as const) {
      await own.setViewportSize({ width, height })
      const box = await own.locator('.own').boundingBox()
      expect(box?.width).toBeLessThanOrEqual(width)
    }
    await visitor.close()
    // The other page has the eyes: axe takes scripts, which this page has none of.
    await page.goto(path)
    await accessible()
    await page.emulateMedia({ colorScheme: 'dark' })
    await accessible('color-contrast')
    await page.emulateMedia({ colorScheme: 'light' })
    const beyond = work.scripts
      ? await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      : 0
    expect(beyond).toBeLessThanOrEqual(0)
  })

  await test.step('a topic goes off and on', async () => {
    await page.getByRole('button', { name: 'Turn off Offers' }).click()
    await expect(page.getByRole('status')).toContainText('Done. Offers is off.')
    await page.getByRole('button', { name: 'Turn on Offers' }).click()
    await expect(page.getByRole('status')).toContainText('Done. Offers is on.')
  })

  await test.step('the data comes as a file', async () => {
    const href = await page.getByRole('link', { name: 'Download my data' }).getAttribute('href')
    const answer = await page.request.get(href ?? '')
    expect(answer.headers()['content-disposition']).toContain('attachment')
    expect((await answer.json()).contact.phone).toBe(phone)
  })

  await test.step('everything stops, and only START starts it', async () => {
    await page.getByRole('button', { name: 'Stop all messages' }).click()
    await expect(page.getByRole('status')).toContainText('You will get no more messages from us.')
    await expect(page.getByText(/send START to/)).toBeVisible()
    await expect(page.getByRole('button', { name: 'Stop all messages' })).toHaveCount(0)
    await accessible()
    await work.open(`/contacts/${phone}`)
    await expect(page.getByText('their own page').first()).toBeVisible()
  })
})

test('a link that is not ours is calm and says nothing', async ({ page, problems, accessible }) => {
  problems.expect(/status of 404/)
  const response = await page.goto('/p/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')
  expect(response?.status()).toBe(404)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('There is nothing here')
  await accessible()
})

test('a topic with double opt-in asks, and a yes subscribes @mobile', async ({ signedIn: page, accessible, javaScriptEnabled, isMobile }) => {
  test.setTimeout(120_000)
  const work = new Work(page, javaScriptEnabled !== false)
  const suffix = `${isMobile ? '04' : '03'}${work.scripts ? '11' : '22'}`
  const phone = `+1415555${suffix}`
  const club = `Club ${suffix}`

  await work.open('/topics')
  await page.getByLabel('Name').fill(club)
  await page.getByLabel('Key').fill(`club-${suffix}`)
  await page.getByLabel('Double opt-in').check()
  await work.button('Create topic').click()
  await expect(page.getByRole('row').filter({ hasText: club })).toContainText('Double opt-in')

  await work.importFile(csv('club.csv', ['phone,name', `${phone},"Asked ${suffix}"`]), club)
  await work.open('/compliance/pending')
  const row = page.getByRole('row').filter({ hasText: `Asked ${suffix}` })
  await expect(row).toContainText(club)
  await accessible()

  await work.open(`/simulator?phone=${encodeURIComponent(phone)}`)
  const conversation = page.getByRole('log', { name: 'Conversation' })
  await work.until(() => expect(conversation).toContainText('Reply YES to confirm', { timeout: 500 }))
  await page.getByLabel('Answer as this person').fill('Yes')
  await page.getByRole('button', { name: 'Send the answer' }).click()
  await expect(conversation).toContainText(`You are subscribed to ${club}`)

  await work.open('/compliance/pending?state=confirmed')
  await expect(page.getByRole('row').filter({ hasText: `Asked ${suffix}` })).toContainText(club)
  await work.open(`/topics`)
  const subscribed = page.getByRole('row').filter({ hasText: club }).getByRole('link')
  expect(number(await subscribed.first().innerText())).toBe(1)
})
