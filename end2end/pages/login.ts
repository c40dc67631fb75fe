import { expect, type Page } from '@playwright/test'

export const email = (page: Page) => page.getByLabel(/e-?mail/i)
export const password = (page: Page) => page.getByLabel(/password/i)
export const submit = (page: Page) => page.getByRole('button', { name: /(sign|log) in/i })

/** Fills in the login form on the page and waits until it is left behind. */
export async function signIn(page: Page, account: { email: string; password: string }) {
  await email(page).fill(account.email)
  await password(page).fill(account.password)
  await submit(page).click()
  await expect(page).not.toHaveURL(/\/login/)
}
