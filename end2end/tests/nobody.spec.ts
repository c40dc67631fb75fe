// An audience without anybody in it: said where it is chosen, where it is rehearsed and where it would be launched.
import { expect, test } from '../fixtures.ts'
import { Work } from '../pages/work.ts'

test('an empty audience is said at every step', async ({ api, signedIn: page, accessible, javaScriptEnabled }) => {
  test.setTimeout(90_000)
  const work = new Work(page, javaScriptEnabled !== false)
  const mark = work.scripts ? 'Nowhere' : 'Nobody'
  await api.person(work.scripts ? '+14155561811' : '+14155561812', { consent: 'opted_in' })
  const rules = [{ field: 'attributes.city', operator: '=', value: mark }]
  await api.call('POST', '/segments', { name: `${mark} at all`, definition: { combinator: 'and', rules } })
  await work.template(`${mark} hello`, 'Hello to nobody')

  await test.step('in the wizard', async () => {
    await work.open('/campaigns/new')
    await page.getByLabel('Name', { exact: true }).fill(mark)
    await work.button('Save and continue').click()
    await page.getByLabel('Audience', { exact: true }).selectOption({ label: `${mark} at all` })
    if (!work.scripts) await work.button('Save and count').click()
    await expect(page.getByText('Nobody is in this audience.')).toBeVisible()
    await expect(page.locator('.figure')).toHaveText('0')
    await accessible()
  })

  await work.draft({ name: `${mark} campaign`, audience: `${mark} at all`, template: new RegExp(`^${mark} hello`) })
  const campaign = new URL(page.url()).pathname

  await test.step('on the campaign', async () => {
    await expect(page.getByText('There is nobody in the audience. Choose another one')).toBeVisible()
    await work.link('Fix it').click()
    await expect(page.getByLabel('Audience', { exact: true })).toBeVisible()
    await expect(page.getByText('Nobody is in this audience.')).toBeVisible()
    await work.open(campaign)
    await accessible()
  })

  const refused = async (words: string) => {
    await work.open(`${campaign}/launch`)
    await expect(work.button('Launch to no people')).toBeDisabled()
    await expect(page.getByText(words)).toBeVisible()
    await accessible()
    await expect(api.call('POST', `${campaign}/launch`)).rejects.toThrow(/^POST .*: (409|422) .*nobody/i)
  }

  await test.step('at the launch, which is refused', () => refused('Nobody would get this: there is nobody in the audience.'))

  await test.step('by the rehearsal', async () => {
    await work.open(campaign)
    await work.button('Rehearse').click()
    await expect(page).toHaveURL(/\/rehearsal/)
    await work.ready()
    await work.until(() => expect(page.getByText('There is nobody in the audience.')).toBeVisible({ timeout: 500 }))
    await expect(page.locator('.figure').first()).toHaveText('0')
    const main = page.getByRole('main')
    await expect(main).toContainText('The audience is empty.')
    await expect(main).not.toContainText('every text is complete')
    await expect(main).toContainText('Nobody gets it, so nothing would be sent.')
    await expect(main).not.toContainText('the last one goes out')
    await expect(work.link('Choose another audience')).toHaveAttribute('href', `${campaign}/edit?step=audience`)
    await accessible()
  })

  await test.step('at the launch of what was rehearsed', () => refused('Nobody would get this'))
})
