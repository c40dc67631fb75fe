// Somebody writes a word, and is answered by itself.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('a rule answers a word and can be turned off @mobile', async ({ signedIn: page, accessible, problems, javaScriptEnabled, isMobile }) => {
  test.setTimeout(90_000)
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const suffix = `${isMobile ? '02' : '01'}${work.scripts ? '11' : '22'}`
  const phone = `+1415555${suffix}`
  const rule = page.getByRole('row').filter({ hasText: `Opening ${suffix}` })
  const conversation = page.getByRole('log', { name: 'Conversation' })

  await work.open('/settings/auto-replies')
  await page.getByLabel('Name', { exact: true }).fill(`Opening ${suffix}`)
  await page.getByLabel('When').selectOption({ label: 'The whole message is one of these words' })
  await page.getByRole('textbox', { name: /^Answer/ }).fill(`We open at nine (${suffix}).`)
  await work.button('Add the rule').click()
  await expect(page.getByText('Give 1 to 100 words.').first()).toBeVisible()
  await page.getByLabel('Words').fill(`opening ${suffix}`)
  await work.button('Add the rule').click()
  await expect(rule).toContainText('On')
  await accessible()

  // Until it is there: whoever leaves the page before breaks the request off.
  await work.says(phone, `Opening ${suffix}?`)
  await work.until(() => expect(conversation).toContainText(`We open at nine (${suffix}).`, { timeout: 500 }))

  await work.open('/settings/auto-replies')
  await rule.getByRole('button', { name: 'Turn off' }).click()
  await expect(rule.getByRole('button', { name: 'Turn on' })).toBeVisible()
  await rule.getByRole('button', { name: 'Delete' }).click()
  await expect(rule).toHaveCount(0)
})
