// What WhatsApp has approved: asked for, made a template of, and told where it stands.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('a content template becomes a template', async ({ signedIn: page, accessible, javaScriptEnabled, problems }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const mark = javaScriptEnabled !== false ? 'Scripts' : 'Plain'
  await work.open('/templates')
  await page.getByRole('link', { name: 'Approved by WhatsApp' }).click()
  await work.ready()
  await work.button('Ask Twilio now').click()
  await expect(page.getByText('This is what Twilio lists now.').first()).toBeVisible()
  const list = page.getByRole('table', { name: 'Content templates' })
  await expect(list.getByRole('row', { name: /free_money/ })).toContainText('INVALID_FORMAT')
  await expect(list.getByRole('row', { name: /winter_sale/ })).toContainText('Paused')
  await accessible()

  await test.step('a place without a value is asked for', async () => {
    await page.getByRole('link', { name: 'Make a template of spring_offer in English' }).click()
    await work.ready()
    await expect(page.getByLabel('Message', { exact: true })).toHaveValue(/^Hi \{\{1\}\}, spring is here/)
    await page.getByLabel('Name', { exact: true }).fill(`${mark} spring`)
    await page.getByLabel('Filled with').first().fill("{{ name | default('you') }}")
    await work.button('Save template').click()
    await expect(page.getByRole('link', { name: /^Say what to fill in/ })).toBeVisible()
  })

  await test.step('and it stands in the list with its review', async () => {
    await page.getByLabel('Filled with').nth(1).fill('20 %')
    await work.button('Save template').click()
    await expect(page.getByText('Saved.').first()).toBeVisible()
    await accessible()
    await work.open(`/templates?q=${mark}`)
    await expect(page.getByRole('row', { name: new RegExp(`${mark} spring`) })).toContainText('Approved')
    await work.open('/templates/approved')
    await expect(page.getByRole('row', { name: /spring_offer/ })).toContainText(`${mark} spring`)
  })
})
