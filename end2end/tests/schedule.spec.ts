// When a campaign goes out: the wizard's step, the next times, wrong times named at their field, scheduled and cancelled.
import { expect, test } from '../fixtures.ts'
import { csv, Work } from '../pages/work.ts'

test('a campaign is put on a schedule and taken off it', async ({ signedIn: page, accessible, problems, javaScriptEnabled }) => {
  problems.expect(/status of 422/)
  const work = new Work(page, javaScriptEnabled !== false)
  const mark = `Weekly ${javaScriptEnabled !== false}`
  const phone = javaScriptEnabled === false ? '+14155551701' : '+14155551702'
  const file = `${mark.replace(' ', '-')}.csv`
  await work.importFile(csv(file, ['phone,consent', `${phone},yes`]))
  await work.template(`${mark} hello`, 'Hello from the schedule')
  await work.draft({ name: mark, audience: new RegExp(`^People in ${file}`), template: new RegExp(`^${mark} hello`) })
  const [campaign = ''] = page.url().split('?')

  await work.open(`${campaign}/edit?step=when`)
  await page.getByLabel('Once, at a time').check()
  await expect(page.getByLabel('How often')).toBeHidden()
  await page.getByLabel('Day and time').fill('2020-01-01T09:00')
  await work.button('Save and review').click()
  await expect(page.getByText('This time is over. Give one to come.').first()).toBeVisible()
  await work.ready()
  await expect(page.getByLabel('Day and time')).toHaveValue('2020-01-01T09:00')

  await page.getByLabel('Again and again').check()
  await page.getByLabel('How often').selectOption({ label: 'Every week' })
  await page.getByLabel('Time', { exact: true }).fill('09:30')
  await page.getByLabel('Day, for every week').selectOption({ label: 'Friday' })
  await page.getByLabel('Time zone').fill('Mars/Olympus')
  await work.button('Save and review').click()
  await expect(page.getByText('Give a time zone such as').first()).toBeVisible()
  await work.ready()
  await page.getByLabel('Time zone').fill('Asia/Colombo')
  await page.getByLabel('Last day').fill('2030-12-31')
  await accessible()
  await work.button('Save and review').click()
  await expect(work.heading()).toContainText(mark)
  await work.open(`${campaign}/edit?step=when`)
  await expect(page.getByLabel('Day, for every week')).toHaveValue('FRI')
  await expect(page.getByLabel('Last day')).toHaveValue('2030-12-31')
  await expect(page.getByText(/^Fri .*, 09:30 \(Asia\/Colombo\)$/)).toHaveCount(5)

  await work.open(`${campaign}/launch`)
  await work.button(/^Schedule it/).click()
  await expect(page.getByText('Goes out by itself').first()).toBeVisible()
  await accessible()
  await work.open('/campaigns?status=scheduled')
  await expect(page.getByRole('row', { name: new RegExp(mark) })).toContainText('next')
  await work.open('/calendar?zone=Asia%2FColombo')
  await page.getByRole('link', { name: 'Next month' }).click()
  await expect(page.getByRole('link', { name: new RegExp(`09:30 ${mark}`) }).first()).toBeVisible()
  await accessible()
  await work.open(campaign)
  await work.button('Pause').click()
  await expect(page.getByText('once it is resumed').first()).toBeVisible()
  await work.open(`${campaign}/cancel`)
  await work.button('Cancel the campaign').click()
  await expect(page.getByText('Goes out by itself')).toHaveCount(0)
})
