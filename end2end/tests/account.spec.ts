// One's own account: the password that the first start has printed makes room for one's own.
import { expect, hydrated, test } from '../fixtures.ts'
import { signIn } from '../pages/login.ts'
import { admin, startServer } from '../server.ts'

test('the one-time password is changed @mobile', async ({ page, browser, accessible, javaScriptEnabled }) => {
  // A server of its own: the other tests stay logged in at theirs.
  const server = await startServer('one-time')
  const own = 'words that only I know'
  const ready = async () => {
    if (javaScriptEnabled !== false) await hydrated(page)
  }
  const notice = page.getByRole('alert').filter({ hasText: 'one-time password' })
  const elsewhere = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false })
  try {
    const given = /One-time password: +(\S+)/.exec(server.log())?.[1] ?? ''
    const other = await elsewhere.newPage()
    await other.goto('/login')
    await signIn(other, { email: admin.email, password: given })

    await page.goto(`${server.url}/login`)
    await ready()
    await signIn(page, { email: admin.email, password: given })
    await ready()
    await notice.getByRole('link', { name: 'Choose your own' }).click()
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your account')
    await accessible()

    const change = async (again: string) => {
      await page.getByLabel('One-time password').fill(given)
      await page.getByLabel('New password').fill(own)
      await page.getByLabel('The new one again').fill(again)
      await page.getByRole('button', { name: 'Change password' }).click()
      await ready()
    }
    await change('something else')
    await expect(page.getByText('The two new passwords are not the same.')).toBeVisible()
    await change(own)
    await expect(page.getByText('Your password is changed.')).toBeVisible()
    await expect(notice).toHaveCount(0)

    await other.goto('/account')
    await expect(other).toHaveURL(/\/login/)
    await signIn(other, { email: admin.email, password: own })
  } finally {
    await elsewhere.close()
    await server.stop()
  }
})
