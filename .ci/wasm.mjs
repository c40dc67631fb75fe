// Makes the wasm files in a folder few, and small for the release: what groups of pages have in common goes into the main
// file; for the release all files are optimised.
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

/**
 * What groups have in common goes into the main file. A file for each set of groups that shares something would save a page
 * what it does not need of that, and costs it more: many small files compress badly.
 */
function merge() {
  const groups = groupsIn(readFileSync(script, 'utf8'))
  const common = [...new Set(groups.flatMap(({ shared }) => shared).filter((file) => existsSync(wasm(file))))]
  if (common.length === 0) return
  // The others import from the main file under this name. Names are kept for what follows.
  binaryen('wasm-merge', '-g', main, '__wasm_split', ...common.flatMap((file) => [wasm(file), file]), '-o', main)
  let loading = readFileSync(script, 'utf8')
  for (const file of common) {
    rmSync(wasm(file))
    loading = loading.replaceAll(new RegExp(`(?<=\\[.*)__${file}(, |(?=\\]))`, 'g'), '')
  }
  if (groupsIn(loading).some(({ shared }) => shared.some((file) => common.includes(file)))) {
    throw new Error('__wasm_split.js still loads what is in the main file: does it look different now?')
  }
  writeFileSync(script, loading)
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
