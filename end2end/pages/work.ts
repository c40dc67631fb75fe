// What people do with the pages, in the words that stand on them. The same with scripts and without.
import { expect, type Locator, type Page } from '@playwright/test'
import { hydrated } from '../fixtures.ts'

export interface Upload {
  name: string
  mimeType: string
  buffer: Buffer
}

/** A file as a form sends it. */
export function csv(name: string, lines: string[]): Upload {
  return { name, mimeType: 'text/csv', buffer: Buffer.from(`${lines.join('\n')}\n`) }
}

export class Work {
  constructor(
    readonly page: Page,
    readonly scripts: boolean,
  ) {}

  async open(path: string) {
    await this.page.goto(path)
    await this.ready()
  }

  /** After the browser has loaded a page by itself. */
  async ready() {
    if (this.scripts) await hydrated(this.page)
  }

  /** Loads the page again until it says so. */
  async until(check: () => Promise<void>, timeout = 30_000) {
    await expect(async () => {
      await this.page.reload()
      await this.ready()
      await check()
    }).toPass({ timeout, intervals: [250, 500, 1_000] })
  }

  /** A person writes to us, on the simulator's phone. */
  async says(phone: string, words: string) {
    await this.open(`/simulator?phone=${encodeURIComponent(phone)}`)
    await this.page.getByLabel('Answer as this person').fill(words)
    await this.button('Send the answer').click()
    await expect(this.page.getByRole('log', { name: 'Conversation' })).toContainText(words)
  }

  heading(): Locator {
    return this.page.getByRole('heading', { level: 1 })
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name, exact: typeof name === 'string' })
  }

  link(name: string | RegExp): Locator {
    return this.page.getByRole('main').getByRole('link', { name, exact: typeof name === 'string' })
  }

  /** The number of a tile. */
  stat(label: string): Locator {
    return this.page.locator('.stat').filter({ has: this.page.getByText(label, { exact: true }) }).locator('.stat__value')
  }

  /** Makes a topic; one that is there already stays. */
  async topic(name: string, key: string) {
    await this.open('/topics')
    if (await this.page.getByRole('table').getByText(key, { exact: true }).isVisible()) return
    await this.page.getByLabel('Name').fill(name)
    await this.page.getByLabel('Key').fill(key)
    await this.button('Create topic').click()
    await expect(this.page.getByRole('table', { name: 'Topics' })).toContainText(key)
  }

  /** Imports a file and waits for its report. */
  async importFile(file: string | Upload, topic?: string) {
    await this.open('/imports/new')
    if (topic) await this.page.getByLabel(topic, { exact: true }).check()
    await this.page.getByLabel('File', { exact: true }).setInputFiles(file)
    await this.button('Import').click()
    await expect(this.page).toHaveURL(/\/imports\/[0-9a-f-]+/)
    await this.ready()
    await this.until(() => expect(this.link('Make an audience of them')).toBeVisible({ timeout: 500 }))
  }

  /** Changes the last rule of the builder. */
  async lastRule(field: string, comparison: string, value: string) {
    const rules = this.page.getByLabel(/^Rule \d+: what$/)
    const number = await rules.count()
    await this.page.getByLabel(`Rule ${number}: what`).selectOption({ label: field })
    await this.page.getByLabel(`Rule ${number}: comparison`).selectOption({ label: comparison })
    await this.page.getByLabel(`Rule ${number}: value`).fill(value)
  }

  /** Saves what the builder holds; answers how many people that is. */
  async saveAudience(name: string): Promise<number> {
    await this.page.getByLabel('Name', { exact: true }).fill(name)
    await this.button('Save audience').click()
    await expect(this.page).toHaveURL(/\/audiences\/[0-9a-f-]{36}/)
    await expect(this.heading()).toContainText(name)
    await this.until(() => expect(this.page.locator('.figure')).toBeVisible({ timeout: 500 }))
    return number(await this.page.locator('.figure').innerText())
  }

  /** Writes a new template and saves it. */
  async template(name: string, text: string) {
    await this.open('/templates/new')
    await this.page.getByLabel('Name', { exact: true }).fill(name)
    await this.page.getByRole('textbox', { name: 'Message', exact: true }).fill(text)
    await this.button('Save template').click()
    await expect(this.page).toHaveURL(/\/templates\/[0-9a-f-]{36}/)
    await expect(this.heading()).toContainText(name)
  }

  /** Goes through the wizard to the campaign's own page. */
  async draft(campaign: { name: string; topic?: string; audience: string | RegExp; template: RegExp; rate?: number }) {
    await this.open('/campaigns/new')
    await this.page.getByLabel('Name', { exact: true }).fill(campaign.name)
    if (campaign.topic) await this.page.getByLabel('Topic', { exact: true }).selectOption({ label: campaign.topic })
    await this.button('Save and continue').click()
    await this.choose('Audience', campaign.audience)
    await this.button('Save and continue').click()
    await this.choose('Template', campaign.template)
    await this.button('Save and continue').click()
    await expect(this.page.getByLabel('Sender', { exact: true })).toBeVisible()
    if (campaign.rate) await this.page.getByLabel(/^At most/).fill(String(campaign.rate))
    await this.button('Save and continue').click()
    await expect(this.page.getByRole('group', { name: 'When it goes out' })).toBeVisible()
    await this.button('Save and review').click()
    await expect(this.heading()).toContainText(campaign.name)
  }

  /** Selects by the words of an option. */
  private async choose(label: string, words: string | RegExp) {
    const select = this.page.getByLabel(label, { exact: true })
    await expect(select).toBeVisible()
    const option = select.getByRole('option').filter({ hasText: words })
    await select.selectOption(await option.first().getAttribute('value'))
  }

  /** From the draft's page over the numbers to the running campaign. Answers how many people the button named. */
  async launch(): Promise<number> {
    await this.link('Review and launch').click()
    const go = this.button(/^Launch to /)
    await expect(go).toBeEnabled()
    const people = number(await go.innerText())
    await go.click()
    await expect(this.page).not.toHaveURL(/\/launch/)
    return people
  }
}

/** The first number in a text: "Launch to 1,204 people". */
export function number(text: string): number {
  const digits = /\d[\d,]*/.exec(text)?.[0]
  if (!digits) throw new Error(`no number in “${text}”`)
  return Number(digits.replaceAll(',', ''))
}
