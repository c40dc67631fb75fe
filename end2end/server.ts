// The program under test: the built binary with a database of its own, the in-process throttle and the built-in simulator.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const admin = { email: 'admin@example.org', password: 'correct horse battery staple' }

export interface Server {
  url: string
  /** What the program wrote so far. */
  log(): string
  /** Runs a command of the program on the same database; answers what it printed. */
  command(args: string[], input?: string): string
  stop(): Promise<void>
}

function binary(): string {
  const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../target')
  const path = process.env.ESE_BIN ?? join(target, 'debug/event-stream-engine')
  if (!existsSync(path)) throw new Error(`${path} is not there: build it with .ci/build.sh dev, or set ESE_BIN`)
  return path
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const socket = createServer()
    socket.once('error', failed)
    socket.listen(0, '127.0.0.1', () => {
      const { port } = socket.address() as AddressInfo
      socket.close(() => done(port))
    })
  })
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Waits until `condition` holds or `limit` milliseconds are over; says which. */
async function within(limit: number, condition: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = performance.now() + limit
  while (performance.now() < end) {
    if (await condition()) return true
    await sleep(50)
  }
  return false
}

/** With a one-time password for the admin, as at a first start, or with the one that all tests know; and settings of its own. */
export async function startServer(
  password: 'known' | 'one-time' = 'known',
  settings: Record<string, string> = {},
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'ese-e2e-'))
  const address = `127.0.0.1:${await freePort()}`
  const url = `http://${address}`
  const logFile = join(folder, 'server.log')
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')

  // Nothing of the caller's settings reaches it.
  const env = {
    PATH: process.env.PATH,
    BIND_ADDR: address,
    DATABASE_URL: `sqlite://${folder}/engine.db`,
    ADMIN_EMAIL: admin.email,
    ...(password === 'known' && { ADMIN_PASSWORD: admin.password }),
    RUST_LOG: process.env.RUST_LOG ?? 'info',
    ...settings,
  }
  const child = spawn(binary(), ['serve'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = createWriteStream(logFile)
  child.stdout.pipe(output, { end: false })
  child.stderr.pipe(output, { end: false })
  const lost = new Promise<never>((_, failed) => child.once('error', failed))
  lost.catch(() => {})

  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)

  const ready = () =>
    fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
      (answer) => answer.ok,
      () => false,
    )
  const up = await Promise.race([within(30_000, async () => ended(child) || (await ready())), lost])
  if (!up || ended(child)) {
    kill()
    throw new Error(`the server ${ended(child) ? 'ended at once' : 'was not ready within 30 s'}:\n${log()}`)
  }

  return {
    url,
    log,
    command: (args, input = '') => execFileSync(binary(), args, { cwd: folder, env, input, encoding: 'utf8' }),
    async stop() {
      const early = ended(child)
      child.kill('SIGTERM')
      const inTime = await within(15_000, () => ended(child))
      kill()
      process.off('exit', kill)
      const said = log()
      const { exitCode, signalCode } = child
      rmSync(folder, { recursive: true, force: true })
      if (early) throw new Error(`the server ended during the tests (${exitCode ?? signalCode}):\n${said}`)
      if (!inTime) throw new Error(`the server did not stop within 15 s of SIGTERM:\n${said}`)
      if (exitCode !== 0) throw new Error(`the server ended with ${exitCode ?? signalCode}:\n${said}`)
      if (said.includes('panicked at')) throw new Error(`the server panicked:\n${said}`)
    },
  }
}
