// When nobody is messaged: the hours change with a reason, wrong lines are named, lines of law and campaigns have hours of their own, and who may break them.
import { expect, test } from '../fixtures.ts'
import { signIn } from '../pages/login.ts'
import { Work } from '../pages/work.ts'

test('the workspace\'s hours, limits and holidays', async ({ signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const caps = page.getByLabel('Limits for one person')
  const holidays = page.getByLabel('Days without marketing')
  await work.open('/settings/quiet-hours')
  await expect(work.heading()).toHaveText('Quiet hours')
  await expect(page.getByRole('row', { name: /Everywhere else/ })).toBeVisible()

  await page.getByLabel('Quiet from').fill('22:30')
  await page.getByLabel('Why you change it').fill('Summer evenings are long')
  await work.button('Save the hours').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()
  await work.open('/settings/quiet-hours')
  await expect(page.getByLabel('Quiet from')).toHaveValue('22:30')

  await caps.fill('3 per 7 days\nthree a week')
  await work.button('Save the limits').click()
  await expect(page.getByText('Line 2: write it as').first()).toBeVisible()
  await work.ready()
  await expect(caps).toHaveValue('3 per 7 days\nthree a week')
  await accessible()
  await caps.fill('3 per 7 days')
  await work.button('Save the limits').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()

  await work.open('/settings/quiet-hours')
  await expect(caps).toHaveValue('3 per 7 days')
  const list = await holidays.inputValue()
  await holidays.fill('FR 2026-02-30 No day')
  await work.button('Save the holidays').click()
  await expect(page.getByText('Line 1: Give a day such as').first()).toBeVisible()
  await work.ready()
  await holidays.fill(list)
  await work.button('Save the holidays').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()

  await work.open('/settings/quiet-hours')
  await caps.fill('')
  await work.button('Save the limits').click()
  await expect(page.getByText('Saved.').first()).toBeVisible()
})

test('a campaign\'s own hours and its end', async ({ signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const name = `Hours ${javaScriptEnabled !== false}`
  await work.open('/campaigns/new')
  await page.getByLabel('Name', { exact: true }).fill(name)
  await work.button('Save and continue').click()
  await expect(page).toHaveURL(/step=audience/)
  await work.open(page.url().replace('step=audience', 'step=sending'))
  await page.getByLabel('Quiet from').fill('20:00')
  await page.getByLabel('Worth sending until').fill('soon')
  await work.button('Save and continue').click()
  await expect(page.getByText('Give both times, or neither.').first()).toBeVisible()
  await work.ready()
  await expect(page.getByLabel('Worth sending until')).toHaveValue('soon')
  await page.getByLabel('Quiet until').fill('09:00')
  await work.button('Save and continue').click()
  await expect(page.getByText('Write how long after the launch').first()).toBeVisible()
  await work.ready()
  await page.getByLabel('Worth sending until').fill('6 hours')
  await page.getByLabel('Leave it out').check()
  await accessible()
  await work.button('Save and continue').click()
  await expect(page).toHaveURL(/step=when/)
  await work.ready()
  await work.button('Save and review').click()
  await expect(work.heading()).toContainText(name)
  await work.open(`${page.url().split('?')[0]}/edit?step=sending`)
  await expect(page.getByLabel('Quiet from')).toHaveValue('20:00')
  await expect(page.getByLabel('Worth sending until')).toHaveValue('6 hours')
  await expect(page.getByLabel('Leave it out')).toBeChecked()
  await page.getByLabel('Worth sending until').fill('400 days')
  await work.button('Save and continue').click()
  await expect(page.getByText(/^Write how long .* at most 366 days/).first()).toBeVisible()
  await work.ready()
  await page.getByLabel('Worth sending until').fill('2031-12-24 18:00')
  await work.button('Save and continue').click()
  await expect(page).toHaveURL(/step=when/)
  await work.open(page.url().split('/edit')[0] ?? '')
  await expect(page.getByText(/24 December 2031, 18:00 \(.+\), then left out/)).toBeVisible()
  await work.open(`${page.url().split('?')[0]}/edit?step=sending`)
  await expect(page.getByLabel('Worth sending until')).toHaveValue('2031-12-24 18:00')
})

test('a line of law of one\'s own is added, changed and taken out', async ({ api, signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const lines = page.getByRole('table', { name: 'Your own lines of the law table' })
  const line = lines.getByRole('row').filter({ hasText: 'LK' })
  const source = 'Consumer Affairs Act, section 12'
  const saved = async () => {
    await expect(page.getByText('Saved.').first()).toBeVisible()
    await work.open('/settings/quiet-hours')
  }
  await work.open('/settings/quiet-hours')
  await expect(page.getByText(/^None yet\./)).toBeVisible()

  await test.step('hours that are none are named at their field', async () => {
    await page.getByLabel('Country').fill('lk')
    await page.getByLabel('Last day').selectOption({ label: 'Saturday' })
    await page.getByLabel('Allowed from').fill('18:00')
    await page.getByLabel('Allowed until').fill('10:00')
    await page.getByLabel('In force from').fill('2027-01-01')
    await page.getByLabel('In force until').fill('2027-12-31')
    await page.getByLabel('Where it is written').fill(source)
    await page.getByLabel('Looked up on').fill('2026-11-23')
    await work.button('Add the line').click()
    await expect(page.locator('.field__error')).toHaveText(/^Give hours such as 09:00 to 20:00/)
    await work.ready()
    await expect(page.getByLabel('Where it is written')).toHaveValue(source)
    await expect(page.getByLabel('In force until')).toHaveValue('2027-12-31')
    await accessible()
  })

  await test.step('the line stands there with its dates and its source', async () => {
    await page.getByLabel('Allowed from').fill('10:00')
    await page.getByLabel('Allowed until').fill('18:00')
    await work.button('Add the line').click()
    await saved()
    await expect(line).toContainText('Mon–Sat 10:00–18:00')
    await expect(line).toContainText('from 2027-01-01, until 2027-12-31')
    await expect(line).toContainText(source)
    await expect(line).toContainText('read on 2026-11-23')
    await accessible()
  })

  await test.step('it is changed where it stands', async () => {
    await line.getByRole('link', { name: 'Edit' }).click()
    await expect(page.getByRole('heading', { name: 'Change a line' })).toBeVisible()
    await expect(page.getByLabel('Country')).toHaveValue('LK')
    await expect(page.getByLabel('Last day')).toHaveValue('Sat')
    await page.getByLabel('In force until').fill('')
    await work.button('Save the line').click()
    await saved()
    await expect(line).toHaveCount(1)
    await expect(line).toContainText('from 2027-01-01')
    await expect(line).not.toContainText('until')
  })

  await test.step('and it goes again', async () => {
    await line.getByRole('button', { name: 'Remove' }).click()
    await saved()
    await expect(lines).toHaveCount(0)
    await expect(page.getByText(/^None yet\./)).toBeVisible()
    const { items } = await api.call<{ items: { action: string }[] }>('GET', '/audit')
    expect(items.slice(0, 3).map(({ action }) => action)).toEqual(Array(3).fill('change_law_lines'))
  })
})

test('only an admin wakes people, says why, and it is kept', async ({ api, server, signedIn: page, browser, baseURL, accessible, problems, javaScriptEnabled }) => {
  test.setTimeout(90_000)
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const mark = work.scripts ? 'Alarm' : 'Siren'
  const phone = work.scripts ? '+14155559311' : '+14155559312'
  const why = `The water is not safe to drink (${mark})`
  // It is the middle of the person's night.
  const clock = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16)
  await api.call('POST', '/contacts', { phone, timezone: 'Africa/Abidjan', consent: 'opted_in', attributes: { alarm: mark } })
  const rule = { field: 'attributes.alarm', operator: '=', value: mark }
  const { id: segment_id } = await api.call<{ id: string }>('POST', '/segments', { name: mark, definition: { combinator: 'and', rules: [rule] } })
  const text = { name: `${mark} text`, category: 'utility', variants: { en: { body: 'Boil the water.' } } }
  const { id: template_id } = await api.call<{ id: string }>('POST', '/templates', text)
  const quiet_hours = { start: clock(-4), end: clock(4) }
  const { id } = await api.call<{ id: string }>('POST', '/campaigns', { name: mark, segment_id, template_id, quiet_hours })
  const campaign = `/campaigns/${id}`
  await work.open(campaign)
  await work.launch()
  const awake = page.getByText('It goes out by night, too.')
  const asleep = page.getByText('1 person sleeps. Can it not wait?')
  await work.until(() => expect(asleep).toBeVisible({ timeout: 500 }))
  await work.open(`${campaign}/why?phone=${encodeURIComponent(phone)}`)
  await expect(page.getByText('It is too early or too late where they are.')).toBeVisible()
  await expect(page.getByRole('main')).toContainText(/It waits until .*\d\d:\d\d/)
  await work.open(campaign)
  await work.button('Pause').click()
  await expect(page.getByText('Nothing more is handed over until somebody resumes it.')).toBeVisible()
  await work.ready()
  const action = await page.locator('form').filter({ has: page.getByLabel('Why it cannot wait') }).getAttribute('action')

  await test.step('a marketer is not offered it, and cannot do it', async () => {
    const marketer = { email: `${mark.toLowerCase()}@example.org`, password: 'words of a marketer' }
    server.command(['admin', 'create', '--email', marketer.email, '--role', 'marketer', '--password-stdin'], marketer.password)
    const context = await browser.newContext({ baseURL, javaScriptEnabled: false })
    const own = await context.newPage()
    await own.goto('/login')
    await signIn(own, marketer)
    await own.goto(campaign)
    await expect(own.getByRole('button', { name: 'Resume' })).toBeVisible()
    await expect(own.getByText('Can it not wait?')).toHaveCount(0)
    const form = { campaign: id, verb: 'wake', reason: why }
    const headers = { origin: baseURL ?? '', referer: `${baseURL}${campaign}`, accept: 'text/html' }
    const answer = await own.request.post(action ?? '', { form, headers, maxRedirects: 0 })
    expect(await answer.text()).toContain('Forbidden')
    await context.close()
    await work.open(campaign)
    await expect(asleep).toBeVisible()
    await expect(awake).toHaveCount(0)
  })

  await test.step('a reason has to be given', async () => {
    await asleep.click()
    const reason = page.getByLabel('Why it cannot wait')
    await expect(reason).toHaveAttribute('required')
    await reason.fill('   ')
    await accessible()
    await work.button('Send it to them now').click()
    await expect(page.getByText('Say why it cannot wait').first()).toBeVisible()
    await expect(awake).toHaveCount(0)
  })

  await test.step('with one it goes out, and can be taken back', async () => {
    await work.open(campaign)
    await asleep.click()
    await page.getByLabel('Why it cannot wait').fill(why)
    await work.button('Send it to them now').click()
    await expect(awake).toBeVisible()
    await work.ready()
    await accessible()
    await work.button('Keep to quiet hours again').click()
    await expect(page.getByText('Quiet hours hold again for this run.')).toBeVisible()
    await expect(awake).toHaveCount(0)
    await work.ready()
    await work.button('Resume').click()
    await expect(work.button('Pause')).toBeVisible()
    await work.until(() => expect(asleep).toBeVisible({ timeout: 500 }))
    await asleep.click()
    await page.getByLabel('Why it cannot wait').fill(why)
    await work.button('Send it to them now').click()
    await expect(page.getByText('Whoever sleeps gets it now.')).toBeVisible()
    await work.until(() => expect(page.getByText('Completed').first()).toBeVisible({ timeout: 500 }))
    const put_aside = page.getByRole('status').filter({ hasText: 'Quiet hours were put aside for this run.' })
    await expect(put_aside, 'also when it is over').toContainText(why)
    await work.open(`/simulator?phone=${encodeURIComponent(phone)}`)
    await expect(page.getByRole('log', { name: 'Conversation' })).toContainText('Boil the water.')
  })

  await test.step('who did it and why stands in the audit log', async () => {
    interface Entry { action: string; entity_id: string; actor_kind: string; detail: { reason?: string } }
    const { items } = await api.call<{ items: Entry[] }>('GET', '/audit')
    const kept = items.filter((entry) => entry.entity_id === id && /quiet_hours$/.test(entry.action))
    expect(kept.map((entry) => [entry.action, entry.detail.reason])).toEqual([
      ['override_quiet_hours', why],
      ['restore_quiet_hours', undefined],
      ['override_quiet_hours', why],
    ])
  })
})
