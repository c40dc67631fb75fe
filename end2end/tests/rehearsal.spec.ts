// Rehearsed, looked at, mended, launched as rehearsed, and "why?" for somebody who was not in the plan.
import { expect, test } from '../fixtures.ts'
import { csv, Work } from '../pages/work.ts'

test('a campaign is rehearsed and launched as rehearsed', async ({ signedIn: page, accessible, javaScriptEnabled }) => {
  test.setTimeout(120_000)
  const scripts = javaScriptEnabled !== false
  const work = new Work(page, scripts)
  const mark = scripts ? 'Dress' : 'Plain'
  const base = scripts ? '+141555518' : '+141555519'
  const file = `${mark}-rehearsal.csv`
  await work.importFile(
    csv(file, [
      'phone,first_name,consent',
      `${base}01,Ann,yes`,
      `${base}02,Ben,yes`,
      `${base}03,,yes`,
      `${base}04,Dan,no`,
    ]),
  )
  await work.template(`${mark} hello`, 'Dear {{ first_name }}, this is the rehearsal.')
  await work.draft({ name: `${mark} campaign`, audience: new RegExp(`^People in ${file}`), template: new RegExp(`^${mark} hello`) })
  const [campaign = ''] = page.url().split('?')

  await test.step('the rehearsal says who gets what', async () => {
    await work.button('Rehearse').click()
    await expect(page).toHaveURL(/\/rehearsal/)
    await work.ready()
    await work.until(() => expect(page.getByText('What could be mended')).toBeVisible({ timeout: 500 }))
    const main = page.getByRole('main')
    await expect(page.locator('.figure').first()).toHaveText('2')
    await expect(main).toContainText('of 4 in the audience get it')
    await expect(main).toContainText('1 lacks first_name')
    await expect(page.getByRole('img', { name: /hour of their own clock/ })).toBeVisible()
    await expect(page.getByRole('table', { name: 'People of the plan' })).toContainText('Dear Ann, this is the rehearsal.')
    await accessible()
    await page.getByRole('navigation', { name: 'Filter by outcome' }).getByRole('link', { name: /^Left out/ }).click()
    const people = page.getByRole('table', { name: 'People of the plan' })
    await expect(people.getByRole('row')).toHaveCount(3)
    await expect(people).toContainText('A value for the text is missing')
  })

  await test.step('what has changed is said before the launch', async () => {
    await work.open(`${campaign}/launch`)
    await expect(work.button('Launch to 2 people')).toBeEnabled()
    await expect(page.getByRole('main')).toContainText('Exactly this plan goes out.')
    await accessible()
    await work.button('Launch to 2 people').click()
    await expect(page).not.toHaveURL(/\/launch/)
    await work.until(() => expect(page.getByText('Completed').first()).toBeVisible({ timeout: 500 }))
    await expect(page.getByRole('region', { name: 'Ledger' })).toContainText('4 of 4 settled')
  })

  await test.step('why?', async () => {
    await work.open(`${campaign}/why`)
    await page.getByLabel('Number').fill('+14155559999')
    await work.button('Ask').click()
    await expect(page.getByText('Nobody is stored with this number.')).toBeVisible()
    await work.ready()
    await page.getByLabel('Number').fill(`${base}03`)
    await work.button('Ask').click()
    await expect(page.getByText(/^Skipped: A value for the text is missing/)).toBeVisible()
    await accessible()
  })
})

test('what people lack is written out instead, and they are taken in', async ({ signedIn: page, javaScriptEnabled }) => {
  test.setTimeout(90_000)
  const scripts = javaScriptEnabled !== false
  const work = new Work(page, scripts)
  const mark = scripts ? 'Fallback' : 'Written'
  const base = scripts ? '+141555520' : '+141555521'
  const file = `${mark}-people.csv`
  await work.importFile(csv(file, ['phone,first_name,consent', `${base}01,Ann,yes`, `${base}02,,yes`]))
  await work.template(`${mark} hello`, 'Dear {{ first_name }}, good morning.')
  await work.draft({ name: `${mark} campaign`, audience: new RegExp(`^People in ${file}`), template: new RegExp(`^${mark} hello`) })
  await work.button('Rehearse').click()
  await expect(page).toHaveURL(/\/rehearsal/)
  await work.ready()
  await work.until(() => expect(page.getByText('What could be mended')).toBeVisible({ timeout: 500 }))
  await page.getByLabel('For people without').selectOption('first_name')
  await page.getByLabel('write instead').fill('friend')
  await work.button('Change the template and rehearse again').click()
  await work.until(() => expect(page.locator('.figure').first()).toHaveText('2', { timeout: 500 }))
  await expect(page.getByRole('table', { name: 'People of the plan' })).toContainText('Dear friend, good morning.')
})
