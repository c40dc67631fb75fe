// What people want: words in doubt, numbers that must not be messaged, words that count, who said no, and being forgotten.
import { readFile } from 'node:fs/promises'
import type { Page } from '@playwright/test'
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

/** Which of the ways of looking at it this is: they share a server, so each has people of its own. */
const way = (scripts: boolean, isMobile: boolean) => (isMobile ? 2 : scripts ? 1 : 3)
const phone = (test: number, way: number, person: number) => `+14155552${test}${way}${person}`
/** The number as pages write it. */
const shown = (phone: string) => phone.replace(/^\+1(...)(...)(....)$/, '+1 $1 $2 $3')
/** What the person's page says of marketing. */
const marketing = (page: Page) => page.locator('.facts__row').filter({ hasText: 'Marketing' })
const onTheList = (page: Page) => page.getByText('On the do-not-contact list.')

test('words in doubt are decided by somebody @mobile', async ({ api, signedIn: page, accessible, javaScriptEnabled, isMobile }) => {
  test.setTimeout(90_000)
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, isMobile)
  const [leaves, stays] = [phone(1, own, 1), phone(1, own, 2)]
  const table = page.getByRole('table', { name: 'Messages that may be an opt-out' })
  const row = (number: string) => table.getByRole('row').filter({ hasText: shown(number) })
  await api.person(leaves, { name: `Lea ${own}`, consent: 'opted_in' })
  await api.person(stays, { name: `Sam ${own}`, consent: 'opted_in' })
  await work.says(leaves, 'Please cancel my order 4711, it came too late')
  await work.says(stays, 'What is this spam?')

  await test.step('both wait, and nobody is opted out by a guess', async () => {
    await work.open('/compliance')
    await work.until(() => expect(row(stays)).toContainText('What is this spam?', { timeout: 500 }))
    await expect(row(leaves)).toContainText('Please cancel my order 4711, it came too late')
    await expect(row(leaves)).toContainText(`Lea ${own}`)
    expect(await api.contact(leaves)).toMatchObject({ consent: 'opted_in', suppressed: false })
    await accessible()
  })

  await test.step('one was an opt-out', async () => {
    await row(leaves).getByRole('link', { name: 'Opt out', exact: true }).click()
    // Nothing has happened yet: it is asked first, and can be left.
    await expect(work.heading()).toHaveText('Was it an opt-out?')
    await expect(page.getByRole('main')).toContainText('Please cancel my order 4711')
    expect(await api.contact(leaves)).toMatchObject({ consent: 'opted_in', suppressed: false })
    await work.ready()
    await accessible()
    await work.link('Leave it to decide').click()
    await row(leaves).getByRole('link', { name: 'Opt out', exact: true }).click()
    await work.button('Opt out').click()
    await expect(page.getByText('Saved.').first()).toBeVisible()
    await expect(row(leaves)).toHaveCount(0)
    await expect(row(stays)).toHaveCount(1)
  })

  await test.step('the other was not', async () => {
    await row(stays).getByRole('link', { name: 'Not an opt-out', exact: true }).click()
    await expect(work.heading()).toHaveText('Was it no opt-out?')
    await work.button('Not an opt-out').click()
    await expect(row(stays)).toHaveCount(0)
    await work.open('/compliance')
    await expect(row(leaves)).toHaveCount(0)
    await expect(row(stays)).toHaveCount(0)
    await accessible()
  })

  await test.step('what was decided can be read, with who decided it', async () => {
    const lately = page.getByRole('table', { name: 'What was decided lately' })
    const decided = (number: string) => lately.getByRole('row').filter({ hasText: shown(number) })
    await expect(decided(leaves)).toContainText('Opted out')
    await expect(decided(leaves)).toContainText('by admin@example.org')
    await expect(decided(stays)).toContainText('What is this spam?')
    await expect(decided(stays)).toContainText('Not an opt-out')
  })

  await test.step('and so it stands with each of them', async () => {
    await work.open(`/contacts/${leaves}`)
    await expect(marketing(page)).toContainText('Opted out')
    await expect(onTheList(page)).toBeVisible()
    await expect(page.getByText('They opted out themself, so only they can come back')).toBeVisible()
    await work.open(`/contacts/${stays}`)
    await expect(marketing(page)).toContainText('Opted in')
    await expect(onTheList(page)).toHaveCount(0)
  })
})

test('a number is suppressed by hand, found and lifted @mobile', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled, isMobile }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, isMobile)
  const [known, stranger] = [phone(2, own, 1), phone(2, own, 2)]
  const number = page.getByLabel('Number', { exact: true })
  const why = page.getByLabel(/^Why/)
  const list = page.getByRole('table', { name: 'Suppressed numbers' })
  const row = (of: string) => list.getByRole('row').filter({ hasText: shown(of) })
  const search = async (of: string) => {
    await page.getByRole('searchbox', { name: 'A whole number' }).fill(of)
    await work.button('Search').click()
    await expect(page).toHaveURL(/[?&]q=/)
    await work.ready()
  }
  await api.person(known, { consent: 'opted_in' })

  await test.step('what is no whole number is said beside the field', async () => {
    await work.open('/compliance/suppressions')
    await number.fill('077 123 4567')
    await why.fill(`Asked at the counter ${own}`)
    await work.button('Suppress').click()
    await expect(number).toHaveAccessibleDescription(/Give the number with its country code/)
    await expect(page.locator('.field__error')).toBeVisible()
    await work.ready()
    await expect(number).toHaveValue('077 123 4567')
    await expect(why).toHaveValue(`Asked at the counter ${own}`)
    await accessible()
  })

  await test.step('a number as people write it', async () => {
    await number.fill(shown(known))
    await work.button('Suppress').click()
    await expect(row(known)).toContainText('Put on the list by hand')
    await expect(row(known)).toContainText('An admin may lift it')
    await expect.soft(number, 'ready for the next number').toHaveValue('')
    await expect.soft(why, 'without the last one\'s reason').toHaveValue('')
    await accessible()
    await row(known).getByRole('link').click()
    await expect(marketing(page)).toContainText('Opted out')
    await expect(onTheList(page)).toBeVisible()
    await expect(page.getByText(`Asked at the counter ${own}`)).toBeVisible()
  })

  await test.step('who lifts it leaves nothing known', async () => {
    await work.open(`/compliance/suppressions?reason=manual`)
    await row(known).getByRole('button', { name: 'Lift' }).click()
    await expect(page.getByText('Deleted.').first()).toBeVisible()
    await expect(row(known)).toHaveCount(0)
    await work.open(`/contacts/${known}`)
    await expect(marketing(page)).toContainText('No consent yet')
    await expect(onTheList(page)).toHaveCount(0)
  })

  await test.step('a number that nobody has is found by whoever knows it', async () => {
    await work.open('/compliance/suppressions')
    await number.fill(stranger)
    await work.button('Suppress').click()
    await expect(list.getByRole('row').filter({ hasText: 'only its hash is kept' }).first()).toBeVisible()
    await expect(row(stranger)).toHaveCount(0)
    await search('4155552')
    await expect(page.getByText('That is no whole number')).toBeVisible()
    await search(shown(stranger))
    await expect(row(stranger)).toContainText('Put on the list by hand')
    await row(stranger).getByRole('button', { name: 'Lift' }).click()
    await expect(page.getByText('Deleted.').first()).toBeVisible()
    await search(stranger)
    await expect(page.getByText(/^(No such number|Nobody is suppressed)$/)).toBeVisible()
  })
})

test('a word of one\'s own opts out as long as it is there @mobile', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled, isMobile }) => {
  test.setTimeout(90_000)
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, isMobile)
  const word = `Kolibri${'abc'[own - 1]}`
  const [before, out, after] = [phone(3, own, 1), phone(3, own, 2), phone(3, own, 3)]
  const stop = page.getByRole('textbox', { name: /^No more messages/ })
  const start = page.getByRole('textbox', { name: /^Messages again/ })
  for (const number of [before, out, after]) await api.person(number, { consent: 'opted_in' })
  const isLeftAlone = async (number: string) => {
    await work.open(`/contacts/${number}`)
    await work.until(() => expect(page.getByText(word, { exact: true })).toBeVisible({ timeout: 500 }))
    await expect(marketing(page)).toContainText('Opted in')
    await expect(onTheList(page)).toHaveCount(0)
  }

  await test.step('nobody knows the word', async () => {
    await work.says(before, word)
    await isLeftAlone(before)
  })

  await test.step('a built-in word keeps its meaning', async () => {
    await work.open('/compliance/keywords')
    await expect(page.getByRole('table', { name: 'Built-in words' }).getByRole('row', { name: /English/ })).toContainText(/stop/i)
    await stop.fill(word)
    await start.fill('stop')
    await work.button('Save').click()
    await expect(start).toHaveAccessibleDescription(/built in/)
    await expect(page.locator('.field__error')).toBeVisible()
    await work.ready()
    await expect(stop).toHaveValue(word)
    await accessible()
  })

  await test.step('the word counts, however it is written', async () => {
    await start.fill('')
    await work.button('Save').click()
    await expect(page.getByText('Saved.').first()).toBeVisible()
    await work.open('/compliance/keywords')
    await expect(stop).toHaveValue(word)
    await work.says(out, `¡${word.toUpperCase()}!`)
    await work.open(`/contacts/${out}`)
    await work.until(() => expect(marketing(page)).toContainText('Opted out', { timeout: 500 }))
    await expect(onTheList(page)).toBeVisible()
    await work.open(`/inbox/${out}`)
    await expect(page.getByRole('log', { name: 'Messages' })).toContainText('understood as STOP')
    await expect(page.getByText('They opted out.', { exact: true })).toBeVisible()
    await expect(page.getByLabel('Your answer')).toHaveCount(0)
  })

  await test.step('taken away, it is a word as any other', async () => {
    await work.open('/compliance/keywords')
    await stop.fill('')
    await work.button('Save').click()
    await expect(page.getByText('Saved.').first()).toBeVisible()
    await work.open('/compliance/keywords')
    await expect(stop).toHaveValue('')
    await work.says(after, word)
    await isLeftAlone(after)
    await work.open(`/contacts/${out}`)
    await expect(marketing(page)).toContainText('Opted out')
  })
})

test('who said no is listed with how it came to us @mobile', async ({ api, signedIn: page, accessible, javaScriptEnabled, isMobile }) => {
  test.setTimeout(90_000)
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, isMobile)
  const topic = `news-${own}`
  const [asks, writes] = [phone(4, own, 1), phone(4, own, 2)]
  const rows = page.getByRole('table', { name: 'Opt-outs' }).locator('tbody').getByRole('row')
  /** The newest is the first. */
  const line = (number: number) => rows.nth(number - 1)
  await api.call('POST', '/topics', { key: topic, name: `News ${own}` })
  await api.person(asks, { consent: 'opted_in', topics: [topic] })
  await api.person(writes, { consent: 'opted_in' })

  await test.step('a topic by their own message', async () => {
    await work.says(asks, `UNSUBSCRIBE ${topic}`)
    await work.open('/compliance')
    await page.getByRole('navigation', { name: 'Compliance' }).getByRole('link', { name: 'Opt-outs' }).click()
    await expect(page).toHaveURL(/\/compliance\/opt-outs$/)
    await work.until(() => expect(line(1)).toContainText(shown(asks), { timeout: 500 }))
    await expect(line(1)).toContainText(topic)
    await expect(line(1)).toContainText(/their own message\s+SM[0-9a-f]{32}/)
  })

  await test.step('everything by STOP', async () => {
    await work.says(writes, 'STOP')
    await work.open('/compliance/opt-outs')
    await work.until(() => expect(line(1)).toContainText(shown(writes), { timeout: 500 }))
    await expect(line(1)).toContainText('Everything')
    await expect(line(1)).toContainText(/their own message\s+SM[0-9a-f]{32}/)
    await expect(line(2)).toContainText(shown(asks))
    await accessible()
  })

  await test.step('everything by somebody of ours', async () => {
    await work.open(`/contacts/${asks}`)
    await page.getByLabel(/^Evidence/).fill('Called us')
    await work.button('Record opt-out').click()
    await expect(onTheList(page)).toBeVisible()
    await work.open('/compliance/opt-outs')
    await expect(line(1)).toContainText(shown(asks))
    await expect(line(1)).toContainText('Everything')
    await expect(line(1)).toContainText('somebody here')
    await expect(line(2)).toContainText(shown(writes))
  })

  await test.step('a line outlives its person', async () => {
    await api.call('DELETE', `/contacts/${encodeURIComponent(writes)}`)
    await work.open('/compliance/opt-outs')
    await expect(line(2)).toContainText('Erased')
    await expect(line(2)).toContainText('their own message')
    await expect(rows.filter({ hasText: shown(writes) })).toHaveCount(0)
    await line(1).getByRole('link', { name: shown(asks) }).click()
    await expect(page).toHaveURL(new RegExp(`/contacts/.*${asks.slice(1)}`))
    await expect(marketing(page)).toContainText('Opted out')
  })
})

/** The card that erases the person whose page is open, unfolded. */
async function unfold(page: Page) {
  await page.getByText('Erase this person').click()
  const card = page.locator('details').filter({ hasText: 'Erase this person' })
  return { goes: card.getByRole('list').first(), stays: card.getByRole('list').nth(1), confirmed: card.getByLabel(/to confirm$/) }
}

test('what is stored of one person is saved as a file', async ({ api, signedIn: page, javaScriptEnabled, isMobile }) => {
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, isMobile)
  const number = phone(5, own, 1)
  await api.person(number, { name: `Eva ${own}`, consent: 'opted_in' })
  await work.says(number, 'Do you have it in blue?')
  await work.open(`/contacts/${number}`)
  await work.until(() => expect(page.getByText('Do you have it in blue?')).toBeVisible({ timeout: 500 }))
  const saved = page.waitForEvent('download')
  await work.link('Export').click()
  const download = await saved
  expect(download.suggestedFilename()).toBe(`${number.slice(1)}.json`)
  const everything = JSON.parse(await readFile(await download.path(), 'utf8'))
  expect(everything.contact).toMatchObject({ phone: number, attributes: { name: `Eva ${own}` }, consent: 'opted_in' })
  expect(everything.inbound.map((heard: { body: string }) => heard.body)).toEqual(['Do you have it in blue?'])
  await expect(work.heading()).toContainText(`Eva ${own}`)
})

test('another number erases nobody, and the page says so @mobile', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled, isMobile }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, isMobile)
  const [number, other] = [phone(7, own, 1), phone(7, own, 2)]
  await api.person(number, { consent: 'opted_in' })
  await api.person(other, { consent: 'opted_in' })
  await work.open(`/contacts/${number}`)
  const { confirmed } = await unfold(page)
  await confirmed.fill(other)
  await work.button('Erase for good').click()
  await expect(confirmed).toHaveAccessibleDescription('Write the number exactly as it stands above.')
  await expect(page.locator('.field__error')).toBeVisible()
  await expect(confirmed).toBeVisible()
  await work.ready()
  await accessible()
  for (const one of [number, other]) expect(await api.contact(one)).toMatchObject({ consent: 'opted_in' })
})

test('a person is erased, and their no stays @mobile', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled, isMobile }) => {
  test.setTimeout(90_000)
  problems.expect(/status of 404/)
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, isMobile)
  const [out, other] = [phone(6, own, 1), phone(6, own, 2)]
  const find = (number: string) => work.open(`/compliance/suppressions?q=${encodeURIComponent(number)}`)
  const row = (number: string) =>
    page.getByRole('table', { name: 'Suppressed numbers' }).getByRole('row').filter({ hasText: shown(number) })
  await api.person(out, { name: `Olga ${own}`, consent: 'opted_in' })
  await api.person(other, { name: `Otto ${own}`, consent: 'opted_in' })
  await work.says(out, 'STOP')

  await test.step('first it says what goes and what stays', async () => {
    await work.open(`/contacts/${out}`)
    await work.until(() => expect(onTheList(page)).toBeVisible({ timeout: 500 }))
    const { goes, stays } = await unfold(page)
    await expect(goes).toContainText('the number, the name and all details')
    await expect(goes).toContainText('1 message of theirs')
    await expect(goes).toContainText('2 records of consent')
    await expect(stays).toContainText('a keyed fingerprint of the number, because they opted out')
    await expect(stays).toContainText('counts, times and states without a name')
    await accessible()
  })

  await test.step('then it is gone from all pages', async () => {
    await page.getByLabel(`Write ${out} to confirm`).fill(out)
    await work.button('Erase for good').click()
    await expect(page.getByText('The person has been erased.').first()).toBeVisible()
    await expect(page).toHaveURL(/\/contacts(\?|$)/)
    for (const path of [`/contacts/${out}`, `/inbox/${out}`]) {
      await work.open(path)
      await expect(work.heading()).toContainText('There is nothing here')
    }
    for (const path of ['/contacts', '/inbox']) {
      await work.open(`${path}?q=${encodeURIComponent(out)}`)
      await expect(page.getByText(/^Nobody matches/)).toBeVisible()
    }
  })

  await test.step('the number is still one that nothing goes to', async () => {
    await find(out)
    await expect(row(out)).toContainText('Wrote STOP')
    await expect(row(out)).toContainText('Only the person\'s START lifts it')
    await expect(row(out).getByRole('button')).toHaveCount(0)
    expect(await api.person(out)).toMatchObject({ consent: 'opted_out', suppressed: true })
  })

  await test.step('of who never said no, no fingerprint stays', async () => {
    await work.open(`/contacts/${other}`)
    const { stays, confirmed } = await unfold(page)
    await expect(stays).toContainText('counts, times and states without a name')
    await expect(stays).not.toContainText('fingerprint')
    await confirmed.fill(other)
    await work.button('Erase for good').click()
    await expect(page.getByText('The person has been erased.').first()).toBeVisible()
    await find(other)
    await expect(page.getByText('No such number')).toBeVisible()
  })
})

test('a proof is offered of people who are known only', async ({ api, signedIn: page, problems, javaScriptEnabled }) => {
  problems.expect(/status of 404/)
  const work = new Work(page, javaScriptEnabled !== false)
  const own = way(work.scripts, false)
  const [known, stranger] = [phone(8, own, 1), phone(8, own, 2)]
  await api.person(known, { consent: 'opted_in' })
  const search = async (of: string) => {
    await work.open('/compliance')
    await page.getByRole('searchbox', { name: 'A whole number' }).fill(of)
    await work.button('Search').click()
    await expect(page).toHaveURL(/[?&]proof=/)
    await work.ready()
  }
  await search(shown(stranger))
  await expect(page.getByText(`There is no contact with the number ${shown(stranger)}`)).toBeVisible()
  await expect(work.link(/^Proof of consent of/)).toHaveCount(0)
  await search(shown(known))
  await work.link(`Proof of consent of ${shown(known)}`).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Record of consent')
  // Whoever has its address gets a page, too.
  await page.goto(`/contacts/${stranger}/consent-proof`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('There is nothing here')
})
