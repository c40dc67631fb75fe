// The page of processes follows what happens, without loading again.
import { expect, test } from '../fixtures.ts'

test('who is at work is looked up again by itself', async ({ signedIn: page, visit }) => {
  await visit('/settings/processes')
  const again = page.waitForResponse((response) => response.url().includes('/_fn/load_processes'), { timeout: 15_000 })
  expect((await again).status()).toBe(200)
  const row = page.getByRole('table', { name: 'Processes' }).getByRole('row').filter({ hasText: 'Everything' })
  await expect(row).toHaveCount(1)
  await expect(row).toContainText('Yes')
  await expect(page.getByRole('link', { name: 'Refresh' })).toBeHidden()
})
