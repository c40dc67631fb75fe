// Numbers to send from: one is added, held with a reason, released, and becomes the default; an account comes and goes.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('a sender is added, held and released @mobile', async ({ signedIn: page, accessible, problems, javaScriptEnabled }, info) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  // Each browser of one server has its own number.
  const number = { chromium: '11', 'no-scripts': '12', mobile: '13' }[info.project.name] ?? '14'
  const name = `Offers ${number} ${info.retry}`
  const address = `+155500070${number}${info.retry}`
  const row = page.getByRole('table', { name: 'Senders' }).getByRole('row').filter({ hasText: name })

  await work.open('/settings/senders')
  await work.link('Add a sender').click()
  await expect(work.heading()).toContainText('Add a sender')
  await work.ready()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Number or Messaging Service').fill('12')
  await work.button('Add the sender').click()
  await expect(page.getByText('Give a number such as').first()).toBeVisible()
  await work.ready()
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue(name)
  await page.getByLabel('Number or Messaging Service').fill(address)
  await work.button('Add the sender').click()
  await expect(work.heading()).toHaveText('Senders')
  await work.ready()
  await expect(row).toContainText('On')
  await expect(row).toContainText('Main account')
  await expect(page.getByText('/webhooks/twilio/inbound#rc=3&rp=ct,rt,5xx')).toBeVisible()
  await accessible()

  await row.getByRole('link', { name: 'Hold' }).click()
  await expect(work.heading()).toContainText(`Hold ${name}?`)
  await work.ready()
  await page.getByLabel('Reason').fill('a look at its quality')
  await accessible()
  await work.button('Hold the sender').click()
  await expect(row).toContainText('a look at its quality')
  await work.ready()
  await row.getByRole('button', { name: 'Release' }).click()
  await expect(row).not.toContainText('a look at its quality')
  await work.ready()
  await expect(row.getByRole('link', { name: 'Hold' })).toBeVisible()

  await row.getByRole('link', { name }).click()
  await expect(work.heading()).toContainText(name)
  await work.ready()
  await page.getByLabel('At most').fill('7')
  await page.getByLabel('Enabled').uncheck()
  await accessible()
  await work.button('Save').click()
  await expect(row).toContainText('Disabled')
  await expect(row).toContainText('7/s')
})

test('an account is added and removed', async ({ signedIn: page, accessible, javaScriptEnabled }, info) => {
  const work = new Work(page, javaScriptEnabled !== false)
  const sid = `AC${(info.project.name === 'chromium' ? 'a' : 'b').repeat(31)}${info.retry}`
  const row = page.getByRole('table', { name: 'Twilio accounts' }).getByRole('row').filter({ hasText: sid })
  await work.open('/settings/senders')
  await work.link('Add an account').click()
  await expect(work.heading()).toContainText('Add a Twilio account')
  await work.ready()
  await page.getByLabel('Account SID').fill(sid)
  await page.getByLabel('Name', { exact: true }).fill('Second')
  await page.getByLabel('Auth token').fill('not-a-real-one')
  await accessible()
  await work.button('Add the account').click()
  await expect(row).toContainText('Auth token')
  await work.ready()
  await row.getByRole('link', { name: 'Remove' }).click()
  await expect(work.heading()).toContainText('Remove Second?')
  await work.ready()
  await work.button('Remove the account').click()
  await expect(work.heading()).toHaveText('Senders')
  await expect(row).toHaveCount(0)
})
