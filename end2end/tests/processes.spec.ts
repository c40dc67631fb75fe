// Who is at work, and what waits for what.
import { expect, test } from '../fixtures.ts'

test('an admin sees at a glance who is at work and that nothing is stuck', async ({ signedIn: page, visit, accessible }) => {
  await visit('/settings/processes')
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Processes')
  await expect(page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name: 'Processes' })).toHaveAttribute(
    'aria-current',
    'page',
  )
  const row = page.getByRole('table', { name: 'Processes' }).getByRole('row').filter({ hasText: 'Everything' })
  await expect(row).toHaveCount(1)
  await expect(row).toContainText(/ · \d+/)
  await expect(row).not.toContainText('Vanished')
  await expect(page.getByRole('heading', { name: 'What waits' })).toBeVisible()
  await expect(page.getByText('No process sends.')).toHaveCount(0)
  await accessible()
})
