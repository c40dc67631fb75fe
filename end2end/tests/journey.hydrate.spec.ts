// What only scripts can do: the page follows what one types and what happens elsewhere, without loading again.
import type { Page } from '@playwright/test'
import { expect, test } from '../fixtures.ts'
import { Work, csv, number } from '../pages/work.ts'

const header = 'phone,name,city,points,consent'
/** Numbers reserved for fiction, so that no file of other tests has them. */
const phone = (n: number) => `+1415555${String(1_000 + n).slice(-4)}`
const person = (n: number, name: string, city: string, points = 10) => `${phone(n)},${name},${city},${points},yes`

test.describe('with scripts', () => {
  test.beforeEach(async ({ page }) => {
    await page.addInitScript(() => (sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1))
  })

  /** How often this tab has loaded a page. */
  const loads = (page: Page) => page.evaluate(() => Number(sessionStorage.loads))

  test('the preview follows the typing', async ({ signedIn: page, accessible }) => {
    const work = new Work(page, true)
    await work.importFile(csv('preview.csv', [header, person(101, 'Amara Silva', 'Galle'), person(102, 'Bo Nilsson', '')]))
    await work.open('/templates/new')
    const before = await loads(page)
    const text = page.getByRole('textbox', { name: 'Message', exact: true })
    const screen = page.getByRole('group', { name: 'Messages on the phone' })
    await expect(screen).toContainText('What you write appears here.')

    await test.step('for the person who was chosen', async () => {
      await page.getByLabel('Preview for another contact').fill('amara')
      await page.getByRole('list', { name: 'People found' }).getByRole('button', { name: /Amara Silva/ }).click()
      await text.pressSequentially('Hi {{ name }} in ', { delay: 5 })
      await expect(screen).toContainText('Hi Amara Silva in')
      await page.getByRole('button', { name: 'Insert city' }).click()
      await expect(text).toHaveValue('Hi {{ name }} in {{ city }}')
      await expect(text).toBeFocused()
      await expect(screen).toContainText('Hi Amara Silva in Galle')
      await expect(page.getByText('23 of 1,600 characters')).toBeVisible()
    })

    await test.step('for another one, who lacks a value', async () => {
      await page.getByLabel('Preview for another contact').fill(phone(102))
      await page.getByRole('list', { name: 'People found' }).getByRole('button').first().click()
      await expect(page.getByText('This person has no value for:')).toBeVisible()
      await expect(page.getByRole('main')).toContainText('{{ city | default("…") }}')
      await text.fill('Hi {{ name }} in {{ city | default("your town") }}')
      await expect(screen).toContainText('Hi Bo Nilsson in your town')
      await expect(page.getByText('This person has no value for:')).toBeHidden()
    })

    await test.step('an error names its line, and the last good text stays', async () => {
      await text.fill('Hi {{ name }}\n{{ name | shout }}')
      await expect(page.getByText(/^Line 2: .*shout/)).toBeVisible()
      await expect(screen).toContainText('Bo Nilsson')
      await accessible()
      await text.fill('Hi {{ name }}')
      await expect(page.getByText(/^Line 2/)).toBeHidden()
    })

    await test.step('each language has its own', async () => {
      await page.getByLabel('Another language').fill('Sinhala')
      await page.getByRole('button', { name: 'Add language' }).click()
      await expect(text).toBeEmpty()
      await text.fill('ආයුබෝවන් {{ name }}')
      await expect(screen).toContainText('ආයුබෝවන් Bo Nilsson')
      await page.getByRole('link', { name: 'English' }).click()
      await expect(text).toHaveValue('Hi {{ name }}')
      await expect(screen).toContainText('Hi Bo Nilsson')
      await page.getByRole('link', { name: 'සිංහල' }).click()
      await page.getByRole('button', { name: 'Remove සිංහල' }).click()
      await expect(text).toHaveValue('Hi {{ name }}')
      await page.getByRole('button', { name: 'Put it back' }).click()
      await expect(text).toHaveValue('ආයුබෝවන් {{ name }}')
    })

    await test.step('an SMS counts its segments', async () => {
      await page.getByLabel('Channel').selectOption({ label: 'SMS' })
      await expect(page.getByText(/1 SMS segment \(UCS-2/)).toBeVisible()
    })

    await test.step('saving keeps everything where it is', async () => {
      await page.getByLabel('Name', { exact: true }).fill('greeting')
      await page.getByRole('button', { name: 'Save template' }).click()
      await expect(page).toHaveURL(/\/templates\/[0-9a-f-]{36}\?.*locale=si/)
      // The stored one's page, not the new one's that is on its way out.
      await expect(page.getByText(/version 1/)).toBeVisible()
      await expect(text).toHaveValue('ආයුබෝවන් {{ name }}')
      await text.fill('ආයුබෝවන් {{ name }}!')
      await page.getByRole('button', { name: 'Save template' }).click()
      await expect(page.getByText(/version 2/)).toBeVisible()
      await text.fill('ආයුබෝවන්, {{ name }}!')
      await page.getByRole('button', { name: 'Save template' }).click()
      await expect(page.getByText(/version 3/)).toBeVisible()
    })
    expect(await loads(page), 'never loaded again').toBe(before)
  })

  test('somebody else was quicker: nothing is lost', async ({ signedIn: page, context, problems }) => {
    problems.expect(/status of 422/)
    const work = new Work(page, true)
    await work.template('shared', 'First text')
    const other = await context.newPage()
    const theirs = new Work(other, true)
    await theirs.open(new URL(page.url()).pathname)
    await other.getByRole('textbox', { name: 'Message', exact: true }).fill('Their text')
    await theirs.button('Save template').click()
    await expect(other.getByText(/version 2/)).toBeVisible()
    await other.close()

    const text = page.getByRole('textbox', { name: 'Message', exact: true })
    await text.fill('My text')
    await work.button('Save template').click()
    await expect(page.getByText('Version 2 was saved while you were editing.')).toBeVisible()
    await expect(text).toHaveValue('My text')
    await page.getByText('Show what they saved').click()
    await expect(page.getByText('Their text', { exact: true })).toBeVisible()
    await work.button('Save template').click()
    await expect(page.getByText(/version 3/)).toBeVisible()
    await expect(page.getByText('was saved while you were editing')).toBeHidden()
    await page.reload()
    await expect(text).toHaveValue('My text')
  })

  test('the count follows the rules', async ({ signedIn: page }) => {
    const work = new Work(page, true)
    const people = [person(201, 'Ann One', 'Jaffna', 10), person(202, 'Ann Two', 'Jaffna', 20), person(203, 'Ann Three', 'Trinco', 30)]
    await work.importFile(csv('count.csv', [header, ...people]))
    await work.link('Make an audience of them').click()
    const before = await loads(page)
    const figure = page.locator('.figure')
    await expect(figure).toContainText('3')
    await work.button('Add a rule').click()
    await work.lastRule('city', 'is', 'Jaffna')
    await expect(figure).toContainText('2')
    await work.button('Add a rule').click()
    await work.lastRule('points', 'is at least', '15')
    await expect(figure).toContainText('1')
    await expect(page.getByRole('main')).toContainText('Ann Two')
    await page.getByRole('button', { name: 'Remove rule 2' }).click()
    await expect(figure).toContainText('2')
    await expect(page.getByRole('main')).toContainText('Ann Three')
    expect(await loads(page), 'never loaded again').toBe(before)
  })

  test('a page of an earlier version stops asking and says so', async ({ signedIn: page, problems, accessible }) => {
    problems.expect(/status of 404/)
    const work = new Work(page, true)
    let asked = 0
    await page.route('**/_fn/load_simulator*', async (route) => {
      asked += 1
      await route.fulfill({ status: 404, contentType: 'application/json', body: '"Outdated"' })
    })
    await work.open('/simulator')
    const note = page.getByText('This page is from an earlier version.')
    await expect(note).toBeVisible()
    await expect(page.getByRole('main').getByRole('link', { name: 'Reload it.' })).toBeVisible()
    await expect(work.heading()).toContainText('Simulator')
    await accessible()
    const before = asked
    // Longer than twice what the page waits between two questions.
    await page.waitForTimeout(4_000)
    expect(asked, 'it does not ask any more').toBe(before)
  })

  test('progress moves by itself, and so does the phone', async ({ signedIn: page }) => {
    const work = new Work(page, true)
    const people = Array.from({ length: 60 }, (_, n) => person(300 + n, `Person ${n}`, 'Matara'))
    await work.importFile(csv('progress.csv', [header, ...people]))
    await work.link('Make an audience of them').click()
    expect(await work.saveAudience('Sixty people')).toBe(60)
    await work.template('slow_hello', 'Hello {{ name }}')
    await work.draft({ name: 'Slowly', audience: 'Sixty people', template: /^slow_hello/, rate: 10 })
    expect(await work.launch()).toBe(60)

    const before = await loads(page)
    const ledger = page.getByRole('region', { name: 'Ledger' })
    const seen: number[] = []
    await expect(async () => {
      const settled = number(await ledger.getByRole('heading').innerText())
      seen.push(settled)
      expect(settled).toBe(60)
    }).toPass({ timeout: 45_000, intervals: [400] })
    expect(seen.filter((settled) => settled > 0 && settled < 60).length, `steps on the way: ${seen}`).toBeGreaterThan(0)
    expect([...seen].sort((a, b) => a - b), 'it never goes back').toEqual(seen)
    await expect(ledger).toContainText('Ledger balances')
    await expect(page.getByText('Completed').first()).toBeVisible()
    expect(await loads(page), 'never loaded again').toBe(before)

    await test.step('what arrives shows up while one types', async () => {
      await work.open(`/simulator?phone=${encodeURIComponent(phone(300))}`)
      const loaded = await loads(page)
      const line = page.getByRole('textbox', { name: 'Answer as this person' })
      const conversation = page.getByRole('log', { name: 'Conversation' })
      await expect(conversation).toContainText('Hello Person 0')
      await line.fill('Is breakfast included?')
      // Longer than the page needs to ask again.
      await expect(conversation.getByText(/delivered|read/)).toBeVisible()
      await expect(line).toHaveValue('Is breakfast included?')
      await line.press('Enter')
      await expect(conversation).toContainText('Is breakfast included?')
      await expect(line).toBeEmpty()
      await work.button('HELP').click()
      await expect(conversation.getByText('HELP', { exact: true })).toBeVisible()
      expect(await loads(page), 'never loaded again').toBe(loaded)
    })
  })
})
