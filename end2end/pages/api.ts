// The REST API as a program calls it: for what has to be there before a test begins, and for what no page says.
import type { Server } from '../server.ts'

/** A person as the API tells of them, as far as tests ask. */
export interface Contact {
  consent: 'unknown' | 'pending' | 'opted_in' | 'opted_out'
  suppressed: boolean
}

export class Api {
  private readonly key: string

  constructor(private readonly server: Server) {
    const printed = server.command(['api-key', 'create', '--name', 'Browser tests', '--role', 'admin'])
    this.key = /ese_\S+/.exec(printed)?.[0] ?? ''
  }

  /** What it answers, read from JSON; an error for any status that is not one of success. */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.server.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return (text ? JSON.parse(text) : undefined) as T
  }

  /** Somebody new. */
  person(phone: string, more: { name?: string; consent?: 'opted_in' | 'opted_out'; topics?: string[] } = {}): Promise<Contact> {
    const { name, ...rest } = more
    return this.call('POST', '/contacts', { phone, attributes: name ? { name } : {}, ...rest })
  }

  contact(phone: string): Promise<Contact> {
    return this.call('GET', `/contacts/${encodeURIComponent(phone)}`)
  }
}
