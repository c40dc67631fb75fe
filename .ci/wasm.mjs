// Makes the wasm files in a folder few, and small for the release: what most groups of pages have in common goes into the main
// file, the rest into those of the groups; for the release all files are optimised.
//
//   node .ci/wasm.mjs dev|release FOLDER
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { groupsIn } from './groups.mjs'

const [mode, folder] = process.argv.slice(2)
const main = join(folder, 'event-stream-engine_bg.wasm')
const script = join(folder, '__wasm_split.js')
const wasm = (file) => join(folder, `${file}.wasm`)

// Those that rustc itself uses for this target.
const features = ['bulk-memory', 'multivalue', 'mutable-globals', 'nontrapping-float-to-int', 'reference-types', 'sign-ext']

/** Runs one of binaryen's programs. They warn about a part of the names section that they do not know. */
function binaryen(program, ...options) {
  const path = join(process.env.ESE_TOOLS_DIR, 'web', 'node_modules', '.bin', program)
  execFileSync(path, [...features.map((feature) => `--enable-${feature}`), ...options], { stdio: ['ignore', 'inherit', 'pipe'] })
}

/** Code that at most so many groups have in common goes into the file of each of them. */
const FEW = 4

/**
 * Every page loads two files: the main one, with what most groups need, and its group's, with the rest. What few groups have in
 * common stands in each of their files: the other pages need not load it. The splitter's own files, one for each set of
 * groups that shares something, are many and small, which compresses badly.
 */
function merge() {
  const groups = groupsIn(readFileSync(script, 'utf8'))
  const users = new Map()
  for (const { own, shared } of groups) {
    for (const file of shared.filter((file) => existsSync(wasm(file)))) users.set(file, [...(users.get(file) ?? []), own])
  }
  if (users.size === 0) return
  const copied = [...users.keys()].filter((file) => users.get(file).length <= FEW && !keepsState(wasm(file)))
  const common = [...users.keys()].filter((file) => !copied.includes(file))
  // The others import from the main file under this name. Names are kept for what follows.
  binaryen('wasm-merge', '-g', main, MAIN, ...common.flatMap((file) => [wasm(file), file]), '-o', main)
  for (const { own } of groups) {
    const files = copied.filter((file) => users.get(file).includes(own))
    if (files.length === 0) continue
    const host = join(folder, 'host.wat')
    writeFileSync(host, imports(wasm(own)))
    binaryen('wasm-merge', '-g', host, MAIN, wasm(own), own, ...files.flatMap((file) => [wasm(file), file]), '-o', wasm(own))
    rmSync(host)
  }
  let loading = readFileSync(script, 'utf8')
  for (const file of users.keys()) {
    rmSync(wasm(file))
    loading = loading.replaceAll(new RegExp(`(?<=\\[.*)__${file}(, |(?=\\]))`, 'g'), '')
  }
  loading = loading.replace(/(Object\.assign\(sharedImports\.__wasm_split, .*\);)/, `$1\n        sharedImports.${HOST} = sharedImports.${MAIN};`)
  if (groupsIn(loading).some(({ shared }) => shared.some((file) => users.has(file))) || !loading.includes(HOST)) {
    throw new Error('__wasm_split.js cannot be made to load the merged files: does it look different now?')
  }
  writeFileSync(script, loading)
}

/** What files import the main file's memory, table and stack by … */
const MAIN = '__wasm_split'
/** … and what merged ones do, which import each of them once. */
const HOST = '__wasm_split_host'

/** A module that stands between: it imports each thing once, of the size that the file asks for. */
function imports(file) {
  const bytes = readFileSync(file)
  const memory = least(bytes, 'memory', [2])
  const table = least(bytes, '__indirect_function_table', [1, 0x70])
  return `(module
    (import "${HOST}" "memory" (memory ${memory}))
    (import "${HOST}" "__indirect_function_table" (table ${table} funcref))
    (import "${HOST}" "__wasm_split_shared0" (global (mut i32)))
    (export "memory" (memory 0))
    (export "__indirect_function_table" (table 0))
    (export "__wasm_split_shared0" (global 0)))`
}

/** The least size of an imported memory or table: behind its name and kind, and a flag whether there is a largest one. */
function least(bytes, name, kind) {
  const entry = Buffer.from([name.length, ...Buffer.from(name), ...kind])
  const at = bytes.indexOf(entry)
  if (at < 0) throw new Error(`no import of ${name}: does wasm-split make its files otherwise now?`)
  return number(bytes, at + entry.length + 1)[0]
}

/** An unsigned LEB128 number, and where it ends. */
function number(bytes, at) {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return [value >>> 0, at]
  }
}

/**
 * Whether the file brings data that changes: loaded twice, it would be set back. Constants lie in front of it, and the splitter
 * marks where it begins with an empty segment.
 */
function keepsState(file) {
  const bytes = readFileSync(file)
  const segments = dataOf(bytes)
  const begins = segments.filter(({ length }) => length === 0).map(({ offset }) => offset)
  return begins.length === 0 || segments.some(({ offset, length }) => length > 0 && offset >= Math.min(...begins))
}

/** Where in memory a module's data goes. */
function dataOf(bytes) {
  const segments = []
  for (let at = 8; at < bytes.length; ) {
    const kind = bytes[at]
    const [size, content] = number(bytes, at + 1)
    if (kind === 11) {
      let [count, next] = number(bytes, content)
      while (count-- > 0) {
        // An active segment of the first memory, at a constant place: `i32.const place end`.
        if (bytes[next] !== 0 || bytes[next + 1] !== 0x41) throw new Error('a data segment of an unknown kind')
        const [offset, behind] = number(bytes, next + 2)
        const [length, start] = number(bytes, behind + 1)
        segments.push({ offset, length })
        next = start + length
      }
    }
    at = content + size
  }
  return segments
}

// What -Oz does makes fewer bytes and more of them after compression: it removes what repeats itself by ways that differ
// each time. These passes only take away, and put what is alike side by side (docs/decisions/0012-groups-of-pages.md).
const passes = [
  'dealign', 'reorder-functions-by-name', 'vacuum', 'duplicate-function-elimination', 'dce', 'optimize-instructions',
  'remove-unused-brs', 'reorder-locals', 'remove-unused-module-elements', 'strip-producers', 'strip-target-features',
]

merge()
const files = mode === 'release' ? readdirSync(folder).filter((name) => name.endsWith('.wasm')) : []
for (const file of files) {
  const path = join(folder, file)
  binaryen('wasm-opt', '--quiet', ...passes.map((pass) => `--${pass}`), path, '-o', path)
}
