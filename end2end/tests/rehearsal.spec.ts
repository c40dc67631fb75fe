// Rehearsed, looked at, mended or cancelled, launched as rehearsed, beside what happened, and "why?" for somebody who was not in the plan.
import { expect, test } from '../fixtures.ts'
import { csv, Work } from '../pages/work.ts'

test('a campaign is rehearsed and launched as rehearsed', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled }) => {
  test.setTimeout(120_000)
  problems.expect(/status of 409/)
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
    await expect(page.getByRole('main')).toContainText('If launched now, the last one goes out')
    await accessible()
    // Somebody else rehearses it meanwhile.
    const path = new URL(campaign).pathname
    const { id } = await api.call<{ id: string }>('POST', `${path}/rehearse`)
    const status = async () => (await api.call<{ status: string }>('GET', `/runs/${id}`)).status
    await expect.poll(status).toBe('rehearsed')
    await work.button('Launch to 2 people').click()
    const refused = page.getByText('The campaign was rehearsed again since you looked')
    await expect(refused).toBeVisible()
    await expect(refused).toContainText('gets the same text')
    // Without scripts the page opens at its top.
    if (!scripts) await expect(refused).toBeInViewport()
    await work.ready()
    await expect(page.locator('input[name="run"]')).toHaveValue(id)
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

test('every rule of the audience stands beside what the person has', async ({ api, signedIn: page, accessible, javaScriptEnabled }) => {
  const work = new Work(page, javaScriptEnabled !== false)
  const mark = work.scripts ? 'Galle' : 'Matara'
  const phone = work.scripts ? '+14155551821' : '+14155551822'
  await api.call('POST', '/contacts', { phone, consent: 'opted_in', attributes: { home: 'Kandy' } })
  const rules = [{ field: 'attributes.home', operator: '=', value: mark }]
  const { id: segment_id } = await api.call<{ id: string }>('POST', '/segments', { name: mark, definition: { combinator: 'and', rules } })
  const { id } = await api.call<{ id: string }>('POST', '/campaigns', { name: `${mark} campaign`, segment_id })
  await work.open(`/campaigns/${id}/why?phone=${encodeURIComponent(phone)}`)
  const rule = page.getByRole('listitem').filter({ hasText: 'does not hold' })
  await expect(rule).toContainText(`home is ${mark} this person: Kandy`)
  const [words, own] = await Promise.all([rule.boundingBox(), rule.getByText('this person: Kandy', { exact: true }).boundingBox()])
  // A line of its own, below the rule.
  expect((own?.y ?? 0) - (words?.y ?? 0)).toBeGreaterThan(20)
  await accessible()
})

test('what happened stands beside what was rehearsed', async ({ api, signedIn: page, accessible, javaScriptEnabled }) => {
  test.setTimeout(120_000)
  const scripts = javaScriptEnabled !== false
  const work = new Work(page, scripts)
  const mark = scripts ? 'Beside' : 'Next to'
  const base = scripts ? '+141555522' : '+141555523'
  const file = `${mark.replace(' ', '-')}-people.csv`
  await work.importFile(csv(file, ['phone,consent', `${base}01,yes`, `${base}02,yes`, `${base}03,yes`, `${base}04,no`]))
  await work.template(`${mark} hello`, 'Good morning from the rehearsal.')
  await work.draft({ name: `${mark} campaign`, audience: new RegExp(`^People in ${file}`), template: new RegExp(`^${mark} hello`) })
  const campaign = new URL(page.url()).pathname
  const hash = page.getByRole('main').locator('code').filter({ hasText: /^[0-9a-f]{64}$/ })
  const beside = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Beside its rehearsal' }) })
  const rehearse = async () => {
    await work.button('Rehearse').click()
    await expect(page).toHaveURL(/\/rehearsal/)
    await work.ready()
    await work.until(() => expect(page.getByText('What could be mended')).toBeVisible({ timeout: 500 }))
    return hash.innerText()
  }

  const plan = await test.step('the rehearsal names its plan', async () => {
    const plan = await rehearse()
    await expect(page.locator('.figure').first()).toHaveText('3')
    const told = await api.call<{ run: { rehearsal: { plan_hash: string } } }>('GET', `${campaign}/rehearsal`)
    expect(plan).toBe(told.run.rehearsal.plan_hash)
    return plan
  })

  await test.step('the same plan is confirmed, and who said no since is told', async () => {
    await work.says(`${base}02`, 'STOP')
    await work.open(`${campaign}/rehearsal`)
    await expect(page.getByText('Left out since: 1 (Opted out).')).toBeVisible()
    await expect(work.link('Open the rehearsal')).toHaveCount(0)
    await work.open(`${campaign}/launch`)
    await expect(hash).toHaveText(plan)
    await expect(page.getByText('Left out since: 1 (Opted out).')).toBeVisible()
    await accessible()
    await work.button('Launch to 2 people').click()
    await expect(page).not.toHaveURL(/\/launch/)
  })

  await test.step('the run says what came otherwise', async () => {
    await work.until(() => expect(page.getByText('Completed').first()).toBeVisible({ timeout: 500 }))
    await expect(beside).toContainText('3 people were to get it, 1 left out.')
    await expect(beside.getByRole('listitem')).toHaveText([/^Opted out\s*1$/])
    await expect(hash).toHaveText(plan)
    await accessible()
    await beside.getByRole('link', { name: 'Opted out' }).click()
    await expect(page.getByRole('heading', { level: 1 })).toContainText('Recipients')
    const people = page.getByRole('main').getByRole('table')
    await expect(people).toContainText(`${base}02`.replace(/^\+1(...)(...)(....)$/, '+1 $1 $2 $3'))
    await expect(people.getByRole('row')).toHaveCount(2)
  })

  await test.step('a campaign that was changed after it is planned anew, and says what had been found', async () => {
    await work.draft({ name: `${mark} again`, audience: new RegExp(`^People in ${file}`), template: new RegExp(`^${mark} hello`) })
    const again = new URL(page.url()).pathname
    const before = await rehearse()
    expect(before).not.toBe(plan)
    await work.says(`${base}03`, 'STOP')
    await api.call('PATCH', again, { send_before: 'P7D' })
    await work.open(`${again}/launch`)
    await expect(page.getByText('launching it plans anew')).toBeVisible()
    await expect(hash).toHaveCount(0)
    await work.button('Launch to 1 person').click()
    await expect(page).not.toHaveURL(/\/launch/)
    await work.until(() => expect(page.getByText('Completed').first()).toBeVisible({ timeout: 500 }))
    await expect(beside).toContainText('Rehearsed before: 2 people would get it, 2 left out. Now: 1, 3 left out.')
    await expect(beside.locator('code')).toHaveText(before)
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

test('what is wrong in one form of a rehearsal is not said in the other', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const mark = work.scripts ? 'Twofold' : 'Double'
  // A number of no place, and somebody without a city.
  const [placeless, cityless] = work.scripts ? ['+18005550181', '+14155551823'] : ['+18005550182', '+14155551824']
  const rules = [{ field: 'attributes.forms', operator: '=', value: mark }]
  await api.call('POST', '/contacts', { phone: placeless, consent: 'opted_in', attributes: { forms: mark, city: 'Kandy' } })
  await api.call('POST', '/contacts', { phone: cityless, consent: 'opted_in', attributes: { forms: mark } })
  const { id: segment_id } = await api.call<{ id: string }>('POST', '/segments', { name: mark, definition: { combinator: 'and', rules } })
  const text = { name: `${mark} text`, category: 'utility', variants: { en: { body: 'Greetings to {{ city }}' } } }
  const { id: template_id } = await api.call<{ id: string }>('POST', '/templates', text)
  const quiet_hours = { start: '22:00', end: '06:00' }
  const campaign = await api.call<{ id: string }>('POST', '/campaigns', { name: mark, segment_id, template_id, quiet_hours })
  const { id } = await api.call<{ id: string }>('POST', `/campaigns/${campaign.id}/rehearse`)
  await expect.poll(async () => (await api.call<{ status: string }>('GET', `/runs/${id}`)).status).toBe('rehearsed')

  await work.open(`/campaigns/${campaign.id}/rehearsal`)
  const zone = page.getByLabel('Time zone for all whose zone is not known')
  await zone.fill('Mars/Base')
  await work.button('Set it and rehearse again').click()
  const wrong = 'Give a time zone such as Asia/Colombo.'
  const form = (label: string) => page.locator('form').filter({ has: page.getByLabel(label) })
  await expect(form('Time zone for all whose zone is not known').getByText(wrong)).toHaveCount(1)
  await expect(form('For people without').getByText(wrong)).toHaveCount(0)
  await expect(page.getByRole('alert').getByRole('link', { name: wrong })).toHaveCount(1)
  await work.ready()
  await expect(zone).toHaveValue('Mars/Base')
  await accessible()
  // Nor is the text shown for somebody whom the plan leaves out.
  await work.open(`/campaigns/${campaign.id}/launch`)
  await expect(page.getByText('The plan has nobody to show the message for')).toBeVisible()
  await expect(page.getByText('Greetings to Kandy')).toHaveCount(0)
})

test('whom a rehearsal found is left out in one click', async ({ api, signedIn: page, accessible, javaScriptEnabled }) => {
  test.setTimeout(120_000)
  const scripts = javaScriptEnabled !== false
  const work = new Work(page, scripts)
  const mark = scripts ? 'Leaving' : 'Without'
  const [american, srilankan] = scripts ? ['+141555526', '+947755501'] : ['+141555527', '+947755502']
  const file = `${mark}-people.csv`
  await work.importFile(
    csv(file, [
      'phone,language,consent',
      `${american}01,,yes`,
      `${srilankan}01,si,yes`,
      `${srilankan}02,si-LK,yes`,
      `${srilankan}03,en,yes`,
    ]),
  )
  await work.template(`${mark} hello`, 'Good morning to the others.')
  await work.draft({ name: `${mark} campaign`, audience: new RegExp(`^People in ${file}`), template: new RegExp(`^${mark} hello`) })
  const campaign = new URL(page.url()).pathname
  const audience = async () => (await api.call<{ segment_id: string }>('GET', campaign)).segment_id
  const before = await audience()
  const main = page.getByRole('main')
  const rehearsed = async (people: string) => {
    await work.until(() => expect(page.getByText('What could be mended')).toBeVisible({ timeout: 500 }))
    await expect(page.locator('.figure').first()).toHaveText(people)
  }
  const leaveOut = async (finding: RegExp, button: string) => {
    await page.getByRole('group', { name: finding }).getByRole('button', { name: button, exact: true }).click()
    await expect(main.getByText(finding)).toHaveCount(0)
  }

  await work.button('Rehearse').click()
  await expect(page).toHaveURL(/\/rehearsal/)
  await work.ready()
  await rehearsed('4')
  await expect(main).toContainText('2 read “si”, for which the template has no text')
  await accessible()
  await leaveOut(/^1 has a number of the United States/, 'Leave this person out')
  await rehearsed('3')
  await expect(main).toContainText('of 3 in the audience get it')
  const narrowed = await audience()
  expect(narrowed).not.toBe(before)
  await leaveOut(/^2 read “si”/, 'Leave these 2 people out')
  await rehearsed('1')
  expect(await audience()).toBe(narrowed)
  await expect(main).toContainText('Nothing: every text is complete.')
  const people = page.getByRole('table', { name: 'People of the plan' })
  await expect(people.getByRole('row')).toHaveCount(2)
  await expect(people).toContainText('Good morning to the others.')
  await work.open(`/audiences/${narrowed}`)
  await expect(work.heading()).toContainText(`People in ${file}, narrowed`)
})

test('a long rehearsal shows how far it is, and is cancelled', async ({ api, signedIn: page, accessible, javaScriptEnabled }) => {
  test.setTimeout(180_000)
  const work = new Work(page, javaScriptEnabled !== false)
  // So many that it takes some seconds.
  const many = 60_000
  const mark = work.scripts ? 'Many' : 'Multitude'
  const people = Array.from({ length: many }, (_, n) => `+1${work.scripts ? 312 : 313}${5_550_000 + n},Person ${n},yes`)
  await work.importFile(csv(`${mark}.csv`, ['phone,name,consent', ...people]))
  await work.template(`${mark} hello`, 'Good morning, {{ name }}.')
  await work.draft({ name: `${mark} campaign`, audience: new RegExp(`^People in ${mark}.csv`), template: new RegExp(`^${mark} hello`) })
  const campaign = new URL(page.url()).pathname
  const bar = page.getByRole('progressbar', { name: 'How many people were decided about' })
  const decided = async () => Number(await bar.getAttribute('value', { timeout: 2_000 }))

  await test.step('it moves', async () => {
    await work.button('Rehearse').click()
    await expect(page).toHaveURL(/\/rehearsal/)
    await work.ready()
    await expect(bar).toHaveAttribute('max', String(many))
    await expect(page.locator('.figure')).toContainText(/^[\d,]+ of 60,000 people$/)
    const before = await decided()
    await expect(async () => {
      if (!work.scripts) await work.link('Refresh').click()
      expect(await decided()).toBeGreaterThan(before)
    }).toPass({ timeout: 20_000, intervals: [100] })
  })

  await test.step('cancelled, the campaign is a draft as before', async () => {
    await work.button('Cancel').click()
    await expect(page.getByText('The rehearsal is discarded.')).toBeVisible()
    await work.ready()
    await expect(work.heading()).toHaveText(`${mark} campaign`)
    await expect(page.getByText('Draft', { exact: true })).toBeVisible()
    await expect(work.button('Rehearse')).toBeVisible()
    await accessible()
    await work.open(`${campaign}/rehearsal`)
    await expect(page.getByText('Not rehearsed')).toBeVisible()
    await expect(bar).toHaveCount(0)
    await expect(api.call('GET', `${campaign}/rehearsal`)).rejects.toThrow(/: 404 /)
    await work.open(`${campaign}/launch`)
    await expect(work.button('Launch to 60,000 people')).toBeEnabled()
    await expect(page.getByText('The rehearsed plan')).toHaveCount(0)
    await expect(page.getByRole('main')).toContainText('without waiting for mornings')
  })
})
