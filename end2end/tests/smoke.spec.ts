import { admin, expect, test } from '../fixtures.ts'
import { email, password, signIn, submit } from '../pages/login.ts'

test('a visitor is sent to the login page @mobile', async ({ page, visit, accessible }) => {
  await visit('/')
  await expect(page).toHaveURL(/\/login/)
  await expect(email(page)).toBeVisible()
  await expect(password(page)).toBeVisible()
  await expect(submit(page)).toBeVisible()
  await accessible()
})

test('a wrong password is refused and said', async ({ page, visit, problems }) => {
  problems.expect(/status of 4(01|03|22)/)
  await visit('/login')
  await email(page).fill(admin.email)
  await password(page).fill('not the password')
  await submit(page).click()
  await expect(page.getByRole('alert')).toBeVisible()
  await expect(page).toHaveURL(/\/login\?error=wrong$/)
  await expect(email(page)).toHaveValue(admin.email)
  await expect(page.getByRole('main')).toContainText('Event Stream Engine')
})

test('the admin signs in and sees the dashboard @mobile', async ({ page, visit }) => {
  await visit('/login')
  await signIn(page, admin)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Dashboard')
  await expect(page.getByRole('navigation').first()).toBeVisible()
})

test('the dashboard is accessible @mobile', async ({ signedIn, visit, accessible }) => {
  await visit('/')
  await expect(signedIn.getByRole('heading', { level: 1 })).toContainText('Dashboard')
  await accessible()
})
