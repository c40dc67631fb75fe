// From an empty installation to a delivered campaign and a person who wants no more: every step as a marketer takes it,
// in the browser, with scripts and without.
import { resolve } from 'node:path'
import { expect, test } from '../fixtures.ts'
import { Work, number } from '../pages/work.ts'

const people = resolve(import.meta.dirname, '../../server/engine/tests/data/contacts-messy.csv')
const body = 'Hi {{ first_name | default("there") }},\n\ntwo nights in *{{ city }}* are yours.\nAnswer STOP and we will not write again.'

const format = (count: number) => count.toLocaleString('en')

test('import, audience, template, campaign, delivery, STOP', async ({ signedIn: page, javaScriptEnabled, accessible }) => {
  test.setTimeout(180_000)
  const work = new Work(page, javaScriptEnabled !== false)

  await test.step('a topic', async () => {
    await work.topic('Offers', 'offers')
    await accessible()
  })

  await test.step('a messy file of 5,000 rows', async () => {
    await work.importFile(people, 'Offers')
    await expect(work.stat('Rows')).toHaveText('5,000')
    await expect(work.stat('New people')).toHaveText('3,979')
    await expect(work.stat('Twice in the file')).toHaveText('881')
    await expect(work.stat('Rejected')).toHaveText('140')
    await expect(page.getByRole('table', { name: 'Rejected rows' })).toBeVisible()
    await accessible()
  })

  const { members, agreed, phone } = await test.step('an audience: in Colombo, of this file', async () => {
    await work.link('Make an audience of them').click()
    await expect(page.getByLabel('Rule 1: what')).toBeVisible()
    await work.button('Add a rule').click()
    await expect(page.getByLabel('Rule 2: what')).toBeVisible()
    await work.lastRule('city', 'is', 'Colombo')
    const members = await work.saveAudience('In Colombo')
    await accessible()

    // How many of them agreed, and one of those, for later.
    await work.button('Add a rule').click()
    await expect(page.getByLabel('Rule 3: what')).toBeVisible()
    await page.getByLabel('Rule 3: what').selectOption({ label: 'Consent' })
    if (!work.scripts) {
      // Without scripts the words to choose from come with the next page.
      await work.button('Update and count').click()
      await expect(page.getByRole('combobox', { name: 'Rule 3: value' })).toBeVisible()
    }
    await page.getByLabel('Rule 3: value').selectOption({ label: 'Opted in' })
    const agreed = await work.saveAudience('In Colombo, agreed')
    const person = page.getByRole('main').locator('a.who').first()
    const phone = (await person.getAttribute('href'))!.split('/').pop()!

    await work.button('Remove rule 3').click()
    await expect(page.getByLabel('Rule 3: what')).toBeHidden()
    expect(await work.saveAudience('In Colombo')).toBe(members)
    expect(agreed).toBeGreaterThan(10)
    expect(members).toBeGreaterThan(agreed)
    return { members, agreed, phone }
  })

  await test.step('a template, previewed for one of them', async () => {
    await work.open('/templates/new')
    await page.getByLabel('Name', { exact: true }).fill('weekend_offer')
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill(body)
    const search = page.getByLabel('Preview for another contact')
    await search.fill(phone)
    if (work.scripts) await page.getByRole('list', { name: 'People found' }).getByRole('button').first().click()
    else await work.button('Preview').click()
    const message = page.getByRole('group', { name: 'Messages on the phone' })
    await expect(message).toContainText('two nights in Colombo are yours.')
    await expect(message).not.toContainText('{{')
    await expect(page.getByText(/\d+ of 1,600 characters/)).toBeVisible()
    await expect(page.getByLabel('Name', { exact: true })).toHaveValue('weekend_offer')
    await accessible()
    await work.button('Save template').click()
    await expect(page).toHaveURL(/\/templates\/[0-9a-f-]{36}/)
    await expect(work.heading()).toContainText('weekend_offer')
    await expect(page.getByRole('textbox', { name: 'Message', exact: true })).toHaveValue(body)
  })

  await test.step('a campaign by the wizard', async () => {
    await work.draft({
      name: 'Kandy weekend',
      topic: 'Offers',
      audience: 'In Colombo',
      template: /^weekend_offer/,
    })
  })

  await test.step('the numbers, then the button', async () => {
    await work.link('Review and launch').click()
    const launch = work.button(/^Launch to /)
    await expect(launch).toBeEnabled()
    expect(number(await launch.innerText())).toBe(agreed)
    await expect(page.getByRole('main')).toContainText(`${format(members - agreed)} left out, and why`)
    await expect(page.getByRole('main')).toContainText('Has not agreed to marketing')
    await expect(page.getByRole('group', { name: 'Messages on the phone' })).toContainText('two nights in')
    await accessible()
    await launch.click()
    await expect(page).not.toHaveURL(/\/launch/)
    await expect(work.heading()).toContainText('Kandy weekend')
  })

  await test.step('everybody has it, and the ledger balances', async () => {
    const ledger = page.getByRole('region', { name: 'Ledger' })
    const delivered = page.getByRole('listitem').filter({ hasText: /^Delivered/ })
    await work.until(async () => {
      await expect(ledger).toContainText(`${format(members)} of ${format(members)} settled`, { timeout: 500 })
      await expect(delivered.first()).toContainText('100 %', { timeout: 500 })
      // A moment later: a run ends when it is looked at next.
      const status = page.getByRole('banner').or(page.getByRole('main')).getByText('Completed').first()
      await expect(status).toBeVisible({ timeout: 500 })
    }, 60_000)
    await expect(ledger).toContainText('Ledger balances')
    await accessible()
  })

  await test.step('it is on the phone, and the person answers STOP', async () => {
    await work.open(`/simulator?phone=${encodeURIComponent(phone)}`)
    const conversation = page.getByRole('log', { name: 'Conversation' })
    await expect(conversation).toContainText('two nights in Colombo are yours.')
    await work.button('STOP').click()
    await expect(conversation.getByText('STOP', { exact: true })).toBeVisible()
    // The one confirmation.
    await expect(conversation.getByText(/^Message: /)).toHaveCount(2)
    await accessible()
  })

  await test.step('they get nothing more', async () => {
    await page.getByRole('main').getByRole('link', { name: 'Open the contact' }).click()
    await expect(page.getByText('Opted out').first()).toBeVisible()
    await expect(page.getByText('On the do-not-contact list.')).toBeVisible()
    await expect(page.getByRole('main')).toContainText('Kandy weekend')
    await accessible()
  })

  await test.step('and the next campaign leaves them out, with the reason', async () => {
    await work.draft({
      name: 'Second round',
      topic: 'Offers',
      audience: 'In Colombo',
      template: /^weekend_offer/,
    })
    await work.link('Review and launch').click()
    await expect(work.button(/^Launch to /)).toBeEnabled()
    expect(number(await work.button(/^Launch to /).innerText())).toBe(agreed - 1)
    await expect(page.getByRole('main')).toContainText(/Opted out|do-not-contact/)
  })
})
