// What a form keeps: the draft while its audience is chosen, and what was typed while somebody else saved.
import { expect, test } from '../fixtures.ts'
import { Work, csv } from '../pages/work.ts'

test('the people in an imported file are chosen inside the wizard', async ({ signedIn: page, javaScriptEnabled, accessible }) => {
  const work = new Work(page, javaScriptEnabled !== false)
  await work.importFile(csv('guests.csv', ['phone,name', '+14155550801,Ann', '+14155550802,Ben']))
  await work.open('/campaigns/new')
  await page.getByLabel('Name', { exact: true }).fill('To the guests')
  await work.button('Save and continue').click()

  const select = page.getByLabel('Audience', { exact: true })
  await expect(select).toBeVisible()
  const option = select.getByRole('option').filter({ hasText: /^People in guests\.csv · .* · 2 people$/ })
  await select.selectOption(await option.first().getAttribute('value'))
  const figure = page.locator('.figure')
  if (!work.scripts) await work.button('Save and count').click()
  await expect(figure).toHaveText('2')
  await accessible()
  await work.button('Save and continue').click()
  await expect(page).toHaveURL(/step=message/)

  // The draft is still the same, with its audience.
  await work.open(page.url().replace('step=message', 'step=audience'))
  await expect(select.locator('option:checked')).toHaveText(/^People in guests\.csv/)
  await expect(figure).toHaveText('2')
  await work.open(page.url().replace('step=audience', 'step=basics'))
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('To the guests')
})

test('somebody else was quicker: both texts are there', async ({ signedIn: page, context, javaScriptEnabled, problems }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  await work.topic('Shared', 'shared')
  await work.open('/topics?edit=shared')
  const name = page.getByLabel('Name', { exact: true })
  await expect(name).toBeVisible()

  const other = await context.newPage()
  const theirs = new Work(other, work.scripts)
  await theirs.open('/topics?edit=shared')
  await other.getByLabel('Name', { exact: true }).fill('Theirs')
  await theirs.button('Save').click()
  await expect(other.getByRole('table', { name: 'Topics' })).toContainText('Theirs')
  await other.close()

  await name.fill('Mine')
  await work.button('Save').click()
  await expect(page.getByRole('main')).toContainText('Somebody else has saved this meanwhile.')
  await expect(page.locator('.field__error')).toContainText('Stored now: “Theirs”.')
  await expect(name).toHaveValue('Mine')
  await work.button('Save').click()
  await expect(page.getByRole('table', { name: 'Topics' })).toContainText('Mine')
})
