// A campaign that waits for events: made, armed, told, and asked why it sent what it sent.
import { expect, test } from '../fixtures.ts'
import { csv, Work } from '../pages/work.ts'

test('an event becomes a message that says why', async ({ server, signedIn: page, accessible, problems, javaScriptEnabled }) => {
  test.setTimeout(120_000)
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const mark = `Drops ${work.scripts}`
  const name = work.scripts ? 'price_drop' : 'price.drop'
  const phone = work.scripts ? '+14155551741' : '+14155551742'
  const stranger = work.scripts ? '+14155551743' : '+14155551744'
  const file = `${mark.replace(' ', '-')}.csv`
  await work.importFile(csv(file, ['phone,consent', `${phone},yes`]))
  await work.template(`${mark} text`, 'Tea is {{ event.price }} now')
  await work.draft({ name: mark, audience: new RegExp(`^People in ${file}`), template: new RegExp(`^${mark} text`) })
  const [campaign = ''] = page.url().split('?')

  await work.open(`${campaign}/edit?step=when`)
  await page.getByLabel('When something happens').check()
  await expect(page.getByLabel('Time zone')).toBeHidden()
  await page.getByLabel('Name of the event').fill('price drop')
  await page.getByLabel('How long after it').fill('soon')
  await work.button('Save and review').click()
  await expect(page.getByText('Write how long, such as').first()).toBeVisible()
  await work.ready()
  await page.getByLabel('How long after it').fill('')
  await work.button('Save and review').click()
  await expect(page.getByText(/Give the event's name/).first()).toBeVisible()
  await work.ready()
  await page.getByLabel('Name of the event').fill(name)
  await page.getByLabel('Wait until nothing new came for').fill('0 minutes')
  await work.button('Save and review').click()
  await work.ready()
  await page.getByLabel('Wait until nothing new came for').fill('')
  await accessible()
  await work.button('Save and review').click()
  await expect(work.heading()).toContainText(mark)
  await expect(page.getByText(`On every ${name}`).first()).toBeVisible()

  await work.open(`${campaign}/launch`)
  await accessible()
  await work.button('Listen from now on').click()
  await expect(page.getByText('It listens.').first()).toBeVisible()
  await expect(page.getByText('None has come since it listens.')).toBeVisible()

  const event = (id: string, to: string) => JSON.stringify({ id: `${mark} ${id}`, name, phone: to, data: { price: 4 } })
  const nobody = JSON.stringify({ id: `${mark} 3`, name: 'nobody_listens', phone })
  const report = server.command(['events', 'ingest', '-'], [event('1', phone), event('2', stranger), nobody].join('\n'))
  expect(JSON.parse(report)).toEqual({ accepted: 3, duplicates: 0, rejected: [] })

  await work.open(campaign)
  const events = page.getByRole('table', { name: 'The latest events' })
  await work.until(() => expect(events.getByRole('row').filter({ hasText: `${mark} 1` })).toContainText('Planned', { timeout: 500 }))
  await expect(events.getByRole('row').filter({ hasText: `${mark} 2` })).toContainText('Not in the audience')
  await accessible()
  await events.getByRole('link', { name: 'Why?' }).click()
  // The address changes once the page is there: loaded again before that, it would be the campaign's.
  await expect(page).toHaveURL(/\/messages\//)
  await work.ready()
  await work.until(() => expect(page.getByText('Tea is 4 now')).toBeVisible({ timeout: 500 }))
  await accessible()
  await work.link(name).click()
  await work.ready()
  await expect(work.heading()).toContainText(name)
  await expect(page.getByRole('group', { name: 'What it tells' })).toContainText('"price": 4')
  await accessible()

  await work.open('/events/triggers')
  const rows = page.getByRole('table', { name: 'Trigger events' }).getByRole('row')
  await expect(rows.filter({ hasText: `${mark} 3` })).toContainText('Nobody listened')
  await accessible()
  await page.getByLabel('Name of the event').selectOption(name)
  await page.getByRole('button', { name: 'Search' }).click()
  await expect(rows.filter({ hasText: `${mark} 3` })).toHaveCount(0)
  await expect(rows.filter({ hasText: `${mark} 1` })).toContainText(mark)

  // The text being written knows what events tell.
  await work.open('/templates/new')
  await expect(page.getByText('event.price').first()).toBeAttached()

  await work.open(campaign)
  await work.button('Pause').click()
  await expect(page.getByText('It collects').first()).toBeVisible()
  await work.open(`${campaign}/cancel`)
  await work.button('Cancel the campaign').click()
  await expect(page.getByText('It listens.')).toHaveCount(0)
})
