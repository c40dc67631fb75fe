// Which wasm files each group of pages loads besides the main one, as the splitter's script (__wasm_split.js) has them.

/** Load functions with what they wait for: group with its number in the source, and the shared files. */
const loaders = /export const __wasm_split_load_(\w+) = wrapAsyncCb\(makeLoad\([^]*?, \[(.*)\]\)\);/g

/** [{ name, own, shared }]: own is the group's own file, shared those that it has in common with others. */
export function groupsIn(script) {
  const groups = [...script.matchAll(loaders)].map(([, group, files]) => ({
    // The number behind its name is its place in the source.
    name: group.replace(/_\d+$/, ''),
    own: `split_${group}`,
    shared: files.match(/chunk_\d+/g) ?? [],
  }))
  if (groups.length === 0) throw new Error('no groups of pages in __wasm_split.js: does it look different now?')
  return groups
}
