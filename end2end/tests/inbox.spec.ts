// Somebody writes, and is answered.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('a message is found, answered and archived @mobile', async ({ signedIn: page, accessible, javaScriptEnabled, isMobile }) => {
  test.setTimeout(90_000)
  const work = new Work(page, javaScriptEnabled !== false)
  // One person for each way of looking at it: they share a server.
  const phone = `+1415555${isMobile ? '08' : '09'}${work.scripts ? '11' : '22'}`
  const simulator = `/simulator?phone=${encodeURIComponent(phone)}`
  const words = 'When do you open on *Sunday*?'

  await test.step('the person writes', async () => {
    await work.open(simulator)
    await page.getByLabel('Answer as this person').fill(words)
    await page.getByRole('button', { name: 'Send the answer' }).click()
    await expect(page.getByRole('log', { name: 'Conversation' })).toContainText('When do you open on')
  })

  await test.step('it is unread in the inbox', async () => {
    await work.open(`/inbox?view=unread&q=${encodeURIComponent(phone)}`)
    const line = page.locator('.inbox__item')
    await expect(line).toHaveCount(1)
    await expect(line).toContainText('1 unread message')
    await accessible()
    await line.click()
    await work.ready()
    await expect(page.getByRole('log', { name: 'Messages' })).toContainText('When do you open on Sunday?')
    await accessible()
  })

  await test.step('the answer arrives on the phone', async () => {
    await page.getByLabel('Your answer').fill('At nine, as on every day.')
    await work.button('Send').click()
    const messages = page.getByRole('log', { name: 'Messages' })
    await expect(messages).toContainText('At nine, as on every day.')
    if (work.scripts) {
      await expect(page.getByLabel('Your answer')).toHaveValue('')
      // Its state follows by itself.
      await expect(messages.getByRole('link', { name: /Delivered|Read/ })).toBeVisible({ timeout: 15_000 })
    }
    await work.open(simulator)
    await work.until(() =>
      expect(page.getByRole('log', { name: 'Conversation' })).toContainText('At nine, as on every day.', { timeout: 500 }),
    )
    await work.open(`/inbox?view=unread&q=${encodeURIComponent(phone)}`)
    await expect(page.getByText('Nobody matches')).toBeVisible()
  })

  await test.step('it is given to somebody, then archived', async () => {
    await work.open(`/inbox/${phone}`)
    await page.getByLabel('Assign to').selectOption({ index: 1 })
    await work.button('Assign').click()
    await expect(page.getByText('Assigned.').first()).toBeVisible()
    await work.open(`/inbox?view=mine&q=${encodeURIComponent(phone)}`)
    await expect(page.locator('.inbox__item')).toHaveCount(1)
    await work.open(`/inbox/${phone}`)
    await work.button('Archive').click()
    await expect(page.getByText('Archived. It opens again').first()).toBeVisible()
    await work.open(`/inbox?q=${encodeURIComponent(phone)}`)
    await expect(page.locator('.inbox__item')).toHaveCount(0)
  })
})
