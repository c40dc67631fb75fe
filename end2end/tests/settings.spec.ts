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
