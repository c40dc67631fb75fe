// The last step of .ci/site.sh: names files by their content, compresses them, and says what belongs together.
//
//   node .ci/site.mjs dev|release WORK SITE
//
// WORK/pkg is what wasm-split and wasm-bindgen wrote; style/*.css and public/ are read from here. SITE gets
//   pkg/<hash>/*.js|wasm                 to be cached for ever; scripts and wasm files name each other, so the hash is that
//                                        of all of them: what was not built together is never mixed
//   pkg/event-stream-engine.<hash>.css   to be cached for ever
//   the files of public/ under their own names, to be revalidated
//   each of them as .br and .gz too, where that is smaller
//   manifest.json                        {"pkg/event-stream-engine.js": "pkg/<hash>/event-stream-engine.js", …}
//   groups.json                          {"<group of pages>": ["chunk_7", "split_<group of pages>_…"], …}: its wasm files
// Files that are right already are not touched.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, relative } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { groupsIn } from './groups.mjs'

const [mode, work, site] = process.argv.slice(2)
const release = mode === 'release'
const name = 'event-stream-engine'
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')

function filesIn(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

/** Path in the site → content. */
function sources() {
  const found = new Map()
  for (const path of filesIn('public')) found.set(relative('public', path), readFileSync(path))
  for (const path of filesIn(join(work, 'pkg'))) {
    const file = relative(work, path).replace(`${name}_bg.wasm`, `${name}.wasm`)
    found.set(file, readFileSync(path))
  }
  const styles = filesIn('style').filter((path) => path.endsWith('.css'))
  found.set(`pkg/${name}.css`, Buffer.from(styles.map((path) => readFileSync(path, 'utf8')).join('\n')))
  return found
}

/** The whole sheet and script, smaller; only for what is shipped. */
function minified(path, content) {
  const loader = { '.css': 'css', '.js': 'js' }[extname(path)]
  if (!release || !loader || !path.startsWith('pkg/')) return content
  const require = createRequire(join(process.env.ESE_TOOLS_DIR, 'web', 'package.json'))
  const { code } = require('esbuild').transformSync(content.toString(), { loader, minify: true, legalComments: 'none' })
  return Buffer.from(code)
}

/** Group → the wasm files it loads besides the main one. */
function groups() {
  const found = groupsIn(readFileSync(join(work, 'pkg', '__wasm_split.js'), 'utf8'))
  const there = (file) => existsSync(join(work, 'pkg', `${file}.wasm`))
  return Object.fromEntries(found.map(({ name, own, shared }) => [name, [...shared, own].filter(there)]))
}

const compressible = /\.(css|html|ico|js|json|svg|txt|wasm|webmanifest|xml)$/

function compressed(content) {
  const quality = release ? 11 : 4
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: content.length }
  return { '.br': brotliCompressSync(content, { params }), '.gz': gzipSync(content, { level: release ? 9 : 4 }) }
}

const found = sources()
const stamp = join(work, 'stamp')
const digest = sha256(mode, readFileSync(new URL(import.meta.url)), ...[...found].flat())
if (existsSync(join(site, 'manifest.json')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) process.exit()

rmSync(stamp, { force: true })
const output = new Map()
const loads = groups()
const manifest = {}
const contents = new Map([...found].map(([path, source]) => [path, minified(path, source)]))
const code = [...contents].filter(([path]) => path.startsWith('pkg/') && !path.endsWith('.css'))
const together = sha256(...code.flat()).slice(0, 16)

/** Under which name it is served. */
function named(path, content) {
  if (!path.startsWith('pkg/')) return path
  if (path.endsWith('.css')) return path.replace(/css$/, `${sha256(content).slice(0, 16)}.css`)
  return path.replace('pkg/', `pkg/${together}/`)
}

for (const [path, content] of contents) {
  const target = named(path, content)
  manifest[path] = target
  output.set(target, content)
  if (!compressible.test(path)) continue
  for (const [suffix, bytes] of Object.entries(compressed(content))) {
    if (bytes.length < content.length) output.set(target + suffix, bytes)
  }
}
output.set('manifest.json', Buffer.from(JSON.stringify(manifest, null, 2) + '\n'))
output.set('groups.json', Buffer.from(JSON.stringify(loads, null, 2) + '\n'))

for (const path of filesIn(site)) {
  if (!output.has(relative(site, path))) rmSync(path)
}
for (const [path, content] of output) {
  const target = join(site, path)
  if (existsSync(target) && readFileSync(target).equals(content)) continue
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, content)
}
writeFileSync(stamp, digest)

const size = (paths, suffix) => {
  const bytes = paths.map((path) => (output.get(manifest[path] + suffix) ?? output.get(manifest[path])).length)
  return `${(bytes.reduce((sum, length) => sum + length, 0) / 1000).toFixed(1)} kB`
}
const report = (what, paths) => console.log(`${what.padEnd(15)}${size(paths, '')}, ${size(paths, '.br')} with brotli`)
report('css', [`pkg/${name}.css`])
report('js', Object.keys(manifest).filter((path) => path.startsWith('pkg/') && path.endsWith('.js')))
for (const [group, files] of Object.entries(loads)) {
  const paths = [name, ...files].map((file) => `pkg/${file}.wasm`)
  report(`${group}, ${paths.length}`, paths)
}
