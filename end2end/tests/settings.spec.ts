// What holds for the whole workspace: wrong values are named and nothing typed is lost; what is saved is there afterwards.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('limits and zone are changed', async ({ signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const zone = page.getByLabel('Time zone')
  const people = page.getByLabel('New conversations on WhatsApp')
  await work.open('/settings/general')
  await expect(work.heading()).toHaveText('General')
  await accessible()
  await zone.fill('Mars/Olympus')
  await people.fill('100000')
  await work.button('Save').click()
  await expect(page.getByText('Give a time zone such as').first()).toBeVisible()
  await work.ready()
  await expect(people).toHaveValue('100000')
  await accessible()

  await zone.fill('Asia/Colombo')
  await work.button('Save').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()
  await work.open('/settings/general')
  await expect(zone).toHaveValue('Asia/Colombo')
  await expect(people).toHaveValue('100000')

  await zone.fill('UTC')
  await people.fill('')
  await work.button('Save').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()
})

test('keeping things for less long is asked about first', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const texts = page.getByLabel('Texts of messages, both ways')
  const stored = async () => (await api.call<{ retention: { text_days: number | null } }>('GET', '/settings')).retention.text_days
  await work.open('/settings/general')
  await texts.fill('3')
  await page.locator('form').filter({ has: texts }).evaluate((form: HTMLFormElement) => (form.noValidate = true))
  await work.button('Save these times').click()
  await expect(page.getByText('Give a number of days from 7').first()).toBeVisible()
  await work.ready()

  await texts.fill('400')
  await work.button('Save these times').click()
  await expect(work.heading()).toHaveText('Keep things for less long?')
  await expect(page.locator('.facts__row').filter({ hasText: 'Texts of messages' })).toContainText('400 days instead of for ever')
  await expect(page.locator('.facts__row').filter({ hasText: 'Texts that go' })).toContainText(/\d/)
  expect(await stored()).toBeNull()
  await work.ready()
  await accessible()
  await work.link('Keep it as it is').click()
  await expect(work.heading()).toHaveText('General')
  await expect(texts).toHaveValue('')

  await texts.fill('400')
  await work.button('Save these times').click()
  await work.button('Keep them for less long').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()
  expect(await stored()).toBe(400)
  // A longer time takes nothing away.
  await work.open('/settings/general')
  await texts.fill('')
  await work.button('Save these times').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()
  expect(await stored()).toBeNull()
})
