// Somebody writes, and is answered: in any words for 24 hours, then by a template that WhatsApp has approved.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'
import { startServer } from '../server.ts'

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

test('an answer that is too long is refused and not cut', async ({ signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const phone = `+1415555253${work.scripts ? '1' : '2'}`
  const answer = page.getByLabel('Your answer')
  await work.says(phone, 'Tell me everything')
  await work.open(`/inbox/${phone}`)
  await expect(page.getByText('At most 1,600 characters')).toBeVisible()
  await answer.fill('x'.repeat(5_000))
  if (work.scripts) await expect(page.getByText('5,000 of 1,600 characters: 3,400 too many')).toBeVisible()
  await work.button('Send').click()
  await expect(page.getByText('Use at most 1600 characters.').first()).toBeVisible()
  await work.ready()
  await expect(answer).toHaveValue('x'.repeat(5_000))
  if (!work.scripts) {
    // The address has but an id, and the page shows what was typed as often as it is loaded.
    await expect(page).toHaveURL(new RegExp(`/inbox/\\${phone}\\?__err=[\\w-]{22}$`))
    await page.reload()
    await expect(answer).toHaveValue('x'.repeat(5_000))
  }
  await accessible()
  await answer.fill('x'.repeat(1_600))
  await work.button('Send').click()
  await expect(page.getByRole('log', { name: 'Messages' })).toContainText('x'.repeat(1_600))
  await expect(page).toHaveURL(new RegExp(`/inbox/\\${phone}\\??$`))
})

/** A server whose clock is put forward. */
const later = test.extend<object, { clock: string; forward: (hours: number) => void }>({
  clock: [
    async ({}, use) => {
      const folder = mkdtempSync(join(tmpdir(), 'ese-clock-'))
      await use(join(folder, 'clock'))
      rmSync(folder, { recursive: true })
    },
    { scope: 'worker' },
  ],
  server: [
    async ({ clock }, use) => {
      const server = await startServer('known', { TEST_CLOCK: clock })
      await use(server)
      await server.stop()
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  forward: [async ({ clock }, use) => use((hours) => writeFileSync(clock, String(hours * 3_600))), { scope: 'worker' }],
})

later('after 24 hours only a template goes out', async ({ api, forward, signedIn: page, accessible, javaScriptEnabled }) => {
  test.setTimeout(90_000)
  const work = new Work(page, javaScriptEnabled !== false)
  const phone = `+1415555251${work.scripts ? '1' : '2'}`
  const messages = page.getByRole('log', { name: 'Messages' })
  const answer = page.getByLabel('Your answer')
  forward(0)
  if (work.scripts) await page.clock.install()

  await test.step('there is WhatsApp alone, with a template that it has approved', async () => {
    await api.call('PATCH', '/settings', { enforce_whatsapp_window: true })
    const senders = await api.call<{ items: { id: string; channel: string }[] }>('GET', '/senders')
    for (const { id, channel } of senders.items) {
      if (channel === 'sms') await api.call('PATCH', `/senders/${id}`, { enabled: false })
    }
    await api.call('POST', '/templates/sync')
    const contents = await api.call<{ items: { sid: string; name: string; language: string; body: string }[] }>(
      'GET',
      '/content-templates',
    )
    const content = contents.items.find(({ name, language }) => name === 'order_update' && language === 'en')
    const filled = { 1: '{{ name }}', 2: 'B-2002', 3: 'Friday' }
    const variant = { body: content?.body, content_sid: content?.sid, content_variables: filled }
    await api.call('POST', '/templates', {
      name: `On its way ${work.scripts}`,
      channel: 'whatsapp',
      category: 'utility',
      default_locale: 'en',
      variants: { en: variant },
    })
    await api.person(phone, { name: 'Ines' })
  })

  await test.step('it says how long any words may go out', async () => {
    await work.open(`/inbox/${phone}`)
    await expect(page.getByText('Only a template can go out now.')).toBeVisible()
    await work.says(phone, 'Is my order on its way?')
    await work.open(`/inbox/${phone}`)
    await expect(page.getByText(work.scripts ? /24 hours end in 23 h 5\d min$/ : /24 hours end at /)).toBeVisible()
    await expect(page.getByText('Only a template can go out now.')).toHaveCount(0)
    await answer.fill('I am looking.')
    await work.button('Send').click()
    await expect(messages).toContainText('I am looking.')
    await work.until(() => expect(messages.getByRole('link', { name: /^(Delivered|Read)/ })).toBeVisible({ timeout: 500 }))
  })

  await test.step('a day later it does not offer that', async () => {
    forward(25)
    // The page that is open follows both clocks; without scripts it is loaded again.
    if (work.scripts) await page.clock.fastForward('25:00:00')
    else await work.open(`/inbox/${phone}`)
    await expect(page.getByText('Only a template can go out now.')).toBeVisible({ timeout: 15_000 })
    await expect(page.getByText(/24 hours ended at /)).toBeVisible()
    await expect(answer).toHaveCount(0)
    await expect(work.button('Send')).toHaveCount(0)
    await accessible()
  })

  await test.step('a template goes, as the person gets it', async () => {
    await work.open(`/inbox/${phone}`)
    await page.getByText('Answer with a template').click()
    await page.getByLabel('Template', { exact: true }).selectOption({ label: `On its way ${work.scripts}` })
    await work.button('Preview').click()
    await expect(page).toHaveURL(/[?&]template=/)
    await work.ready()
    const words = 'Hello Ines, your order B-2002 is on its way and will arrive on Friday.'
    await expect.soft(page.locator('.thread__preview')).toContainText(words)
    await accessible()
    await work.button('Send this template').click()
    await expect(page.getByText('The message is on its way.').first()).toBeVisible()
    await work.until(() => expect(messages).toContainText(words, { timeout: 500 }))
    await work.until(() => expect(messages.getByRole('link', { name: /^(Delivered|Read)/ })).toHaveCount(2, { timeout: 500 }))
  })

  await test.step('and the person\'s next message opens it again', async () => {
    await work.says(phone, 'Thank you!')
    await work.open(`/inbox/${phone}`)
    await expect(page.getByText(work.scripts ? /24 hours end in 23 h 5\d min$/ : /24 hours end at /)).toBeVisible()
    await expect(answer).toBeVisible()
  })
})

later('after 24 hours any words go by SMS only when somebody says so', async ({ api, forward, signedIn: page, accessible, javaScriptEnabled }) => {
  test.setTimeout(90_000)
  const work = new Work(page, javaScriptEnabled !== false)
  const phone = `+1415555252${work.scripts ? '6' : '7'}`
  const messages = page.getByRole('log', { name: 'Messages' })
  const from = page.getByLabel('From', { exact: true })
  // The clock of this server never goes back.
  forward(30)

  await test.step('they write by WhatsApp, and SMS is there, too', async () => {
    await api.call('PATCH', '/settings', { enforce_whatsapp_window: true })
    const senders = await api.call<{ items: { id: string; channel: string }[] }>('GET', '/senders')
    for (const { id, channel } of senders.items) {
      if (channel === 'sms') await api.call('PATCH', `/senders/${id}`, { enabled: true })
    }
    await api.call('POST', '/templates', {
      name: `Sorry ${phone}`,
      channel: 'whatsapp',
      category: 'utility',
      default_locale: 'en',
      variants: { en: { body: 'We are sorry for the wait.' } },
    })
    await work.says(phone, 'Do you have rooms?')
    await work.open(`/inbox/${phone}`)
    await expect(messages.locator('.bubble').first()).toContainText('· WhatsApp')
    // As long as both may, it is a choice, and WhatsApp is chosen.
    await expect(from.locator('option:checked')).toContainText('WhatsApp')
  })

  await test.step('a day later the box is not simply there', async () => {
    forward(55)
    await work.open(`/inbox/${phone}`)
    await expect(page.getByText('Only a template can go out by WhatsApp now.')).toBeVisible()
    await expect(page.getByLabel('Your answer')).toBeHidden()
    await expect(page.getByText('Answer with a template')).toBeVisible()
  })

  await test.step('SMS is a choice that says so', async () => {
    await page.getByText('Answer by SMS instead').click()
    await expect(from).toBeVisible()
    await expect(from.locator('option:checked')).toContainText('SMS')
    await accessible()
    await page.getByLabel('Your answer').fill('Yes, from Friday on.')
    await work.button('Send by SMS').click()
    const bubble = messages.locator('.bubble--mine').last()
    await expect(bubble).toContainText('Yes, from Friday on.')
    await expect(bubble).toContainText('· SMS ·')
  })
})
