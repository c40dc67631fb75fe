// The inbox follows what people write, and the clock, without loading again.
import type { Page } from '@playwright/test'
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test.beforeEach(async ({ page }) => {
  await page.addInitScript(() => (sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1))
})

/** How often this tab has loaded a page. */
const loads = (page: Page) => page.evaluate(() => Number(sessionStorage.loads))

test('what a person writes comes in while somebody answers', async ({ signedIn: page, context }) => {
  test.setTimeout(90_000)
  const phone = '+14155552521'
  const work = new Work(page, true)
  const person = new Work(await context.newPage(), true)
  const messages = page.getByRole('log', { name: 'Messages' })
  const answer = page.getByLabel('Your answer')
  await work.open(`/inbox?view=unread&q=${encodeURIComponent(phone)}`)
  const before = await loads(page)
  await expect(page.getByText('Nobody matches')).toBeVisible()

  await test.step('the list', async () => {
    const line = page.locator('.inbox__item')
    await person.says(phone, 'Good morning')
    await expect(line).toContainText('Good morning', { timeout: 15_000 })
    await expect(line).toContainText('1 unread message')
    await person.says(phone, 'Do you have rooms?')
    await expect(line).toContainText('Do you have rooms?', { timeout: 15_000 })
    await expect(line).toContainText('2 unread messages')
    await line.click()
    await expect(messages).toContainText('Good morning')
  })

  await test.step('the conversation, beside what is being written', async () => {
    await answer.fill('For how many')
    await person.says(phone, 'For three people')
    await expect(messages).toContainText('For three people', { timeout: 15_000 })
    await expect(answer).toHaveValue('For how many')
    await expect(work.button('Mark as read')).toHaveCount(0)
  })

  await test.step('the answer with its state', async () => {
    await answer.fill('From Friday on we have.')
    await work.button('Send').click()
    await expect(messages).toContainText('From Friday on we have.')
    await expect(answer).toHaveValue('')
    await expect(messages.getByRole('link', { name: /^(Delivered|Read)/ })).toBeVisible({ timeout: 15_000 })
    await expect(person.page.getByRole('log', { name: 'Conversation' })).toContainText('From Friday on we have.')
  })
  expect(await loads(page), 'never loaded again').toBe(before)
  await work.open(`/inbox?view=unread&q=${encodeURIComponent(phone)}`)
  await expect(page.getByText('Nobody matches')).toBeVisible()
})

test('a STOP closes the box while somebody writes', async ({ signedIn: page, context }) => {
  const phone = '+14155552522'
  const work = new Work(page, true)
  const person = new Work(await context.newPage(), true)
  await person.says(phone, 'Who is this?')
  await work.open(`/inbox/${phone}`)
  const before = await loads(page)
  await page.getByLabel('Your answer').fill('We are')
  await person.says(phone, 'STOP')
  await expect(page.getByText('They opted out.', { exact: true })).toBeVisible({ timeout: 15_000 })
  await expect(page.getByLabel('Your answer')).toHaveCount(0)
  await expect(page.getByRole('log', { name: 'Messages' })).toContainText('understood as STOP')
  await expect(page.getByText('Do not contact')).toBeVisible()
  expect(await loads(page), 'never loaded again').toBe(before)
})

test('the 24 hours are counted down', async ({ signedIn: page }) => {
  const phone = '+14155552523'
  const work = new Work(page, true)
  await page.clock.install()
  await work.says(phone, 'Hello')
  await work.open(`/inbox/${phone}`)
  await expect(page.getByText(/24 hours end in 23 h 5\d min$/)).toBeVisible()
  await page.clock.fastForward('01:30:00')
  await expect(page.getByText(/24 hours end in 22 h 2\d min$/)).toBeVisible()
  await page.clock.fastForward('22:00:00')
  await expect(page.getByText(/24 hours end in 2\d min$/)).toBeVisible()
  await page.clock.fastForward('01:00:00')
  await expect(page.getByText(/24 hours ended at /)).toBeVisible()
})
