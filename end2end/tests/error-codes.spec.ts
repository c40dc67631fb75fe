// What the provider's codes mean: found by their words, said in the workspace's own, and put back.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('an admin says what a code means here @mobile', async ({ signedIn: page, accessible, javaScriptEnabled }, info) => {
  const work = new Work(page, javaScriptEnabled !== false)
  // Each browser of one server has its own code.
  const codes: Record<string, { code: string; words: string }> = {
    chromium: { code: '30005', words: 'not in use' },
    mobile: { code: '30006', words: 'landline' },
  }
  const { code, words } = codes[info.project.name] ?? { code: '30011', words: 'takes no pictures' }
  const own = `Nobody is there any more (${info.retry}).`
  const row = page.getByRole('table', { name: 'Error codes' }).getByRole('row').filter({ hasText: code })

  await work.open('/settings/error-codes')
  await page.getByLabel('Code or words').fill(words)
  await work.button('Search').click()
  await expect(row).toContainText('Give this person up')
  await accessible()
  await row.getByRole('link', { name: code }).click()
  await expect(work.heading()).toContainText(`Error code ${code}`)
  await work.ready()
  await page.getByLabel('What it means').fill(own)
  await page.getByLabel('What follows').selectOption('defer')
  await accessible()
  await work.button('Save').click()
  await expect(work.heading()).toContainText('Error codes')
  await work.ready()
  await expect(row).toContainText(own)
  await expect(row).toContainText('Try this person later, if refused at once')
  await expect(row).toContainText('Changed')

  await row.getByRole('link', { name: code }).click()
  await expect(work.heading()).toContainText(`Error code ${code}`)
  await work.ready()
  await expect(page.getByText('Built in:')).toContainText(words)
  await work.button('Back to what is built in').click()
  await expect(work.heading()).toContainText('Error codes')
  await expect(row).toContainText(words)
})

test('what follows from an opt-out stays', async ({ signedIn: page, javaScriptEnabled }) => {
  const work = new Work(page, javaScriptEnabled !== false)
  await work.open('/settings/error-codes/21610')
  await expect(work.heading()).toContainText('Error code 21610')
  await expect(page.getByText('This cannot be changed.')).toBeVisible()
  await expect(page.getByLabel('What follows')).toHaveCount(0)
})
