// What came in is found again, as it came.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('a webhook is found by its person and shown as it came', async ({ signedIn: page, accessible, javaScriptEnabled }) => {
  const work = new Work(page, javaScriptEnabled !== false)
  const phone = work.scripts ? '+14155550731' : '+14155550732'
  await work.open(`/simulator?phone=${encodeURIComponent(phone)}`)
  await work.button('STOP').click()
  await expect(page.getByRole('log', { name: 'Conversation' }).getByText('STOP', { exact: true })).toBeVisible()

  await work.open(`/events?q=${encodeURIComponent(phone)}`)
  const rows = page.getByRole('table', { name: 'Events' }).getByRole('row').filter({ hasText: 'From a person' })
  await expect(rows).toHaveCount(1)
  await expect(rows).toContainText('Applied')
  await accessible()
  await rows.getByRole('link').click()
  await work.ready()
  await expect(page.getByText('Understood as STOP.')).toBeVisible()
  await expect(page.getByRole('group', { name: 'The form as it came' })).toContainText('Body=STOP')
  await expect(work.link('The conversation')).toBeVisible()
  await accessible()
})

test('everything about a person is one file', async ({ signedIn: page, javaScriptEnabled }) => {
  const work = new Work(page, javaScriptEnabled !== false)
  const phone = work.scripts ? '+14155550733' : '+14155550734'
  await work.open(`/simulator?phone=${encodeURIComponent(phone)}`)
  await work.button('HELP').click()
  await expect(page.getByRole('log', { name: 'Conversation' }).getByText('HELP', { exact: true })).toBeVisible()
  await work.open(`/contacts/${phone}`)
  const coming = page.waitForEvent('download')
  await work.link('Export').click()
  const file = await (await coming).createReadStream()
  const parts: Buffer[] = []
  for await (const part of file) parts.push(part as Buffer)
  const everything = JSON.parse(Buffer.concat(parts).toString())
  expect(everything.contact.phone).toBe(phone)
  expect(everything.inbound).toHaveLength(1)
})

test('webhooks are found by the time at which they came', async ({ signedIn: page, javaScriptEnabled }) => {
  const work = new Work(page, javaScriptEnabled !== false)
  const phone = work.scripts ? '+14155550735' : '+14155550736'
  await work.says(phone, 'Hello')
  await work.open(`/events?q=${encodeURIComponent(phone)}`)
  const rows = page.getByRole('table', { name: 'Events' }).getByRole('row').filter({ hasText: 'From a person' })
  await expect(rows).toHaveCount(1)
  const minute = (from: number) => new Date(Date.now() + from * 60_000).toISOString().slice(0, 16)
  await page.getByLabel('From (UTC)').fill(minute(-30))
  await page.getByLabel('Until (UTC)').fill(minute(30))
  await work.button('Search').click()
  await expect(page).toHaveURL(/[?&]since=/)
  await work.ready()
  await expect(rows).toHaveCount(1)
  await page.getByLabel('From (UTC)').fill(minute(20))
  await work.button('Search').click()
  await expect(page.getByText('No such event')).toBeVisible()
})
