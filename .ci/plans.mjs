// Reads PostgreSQL's log with auto_explain's plans (JSON) and prints the first part of the page docs/query-plans.md: each
// statement that ran often or took long, how often and how fast, and the plan that it had most.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

const OFTEN = 20
const MUCH = 0.01
const TABLES =
  /\b(messages|message_texts|message_rollups|transitions|decisions|decision_grounds|receipts|receipt_repeats|webhook_events|webhook_blocks|runs|run_ledgers|run_tallies|run_progress|contacts|contact_reads|subscriptions|consent_ledger|consent_reviews|suppressions|unreachable|inbound_messages|inbound_texts|service_windows|conversations|daily_recipients|opt_in_requests|auto_replies|trigger_events|event_plans)\b/
const statements = new Map()
let all = 0

function take(json, milliseconds) {
  const { 'Query Text': text, Plan: plan } = JSON.parse(json)
  all += milliseconds
  if (!TABLES.test(text)) return
  const shape = tree(plan, '')
  const seen = statements.get(text) ?? { times: [], shapes: new Map() }
  statements.set(text, seen)
  seen.times.push(milliseconds)
  // The plan's shape without its row counts tells plans apart; the latest one of each shape is shown.
  const key = shape.replace(/ · \d+ rows?( × \d+)?/g, '')
  seen.shapes.set(key, { count: (seen.shapes.get(key)?.count ?? 0) + 1, shape })
}

function tree(node, indent) {
  const index = node['Index Name'] ? ` using ${partition(node['Index Name'])}` : ''
  const relation = node['Relation Name'] ? ` on ${partition(node['Relation Name'])}` : ''
  const label = node['Subplan Name'] ? `${node['Subplan Name']}: ` : ''
  const kind = node['Node Type'] === 'ModifyTable' ? node.Operation : node['Node Type']
  const rows = node['Actual Loops'] ? ` · ${node['Actual Rows']} row${node['Actual Rows'] === 1 ? '' : 's'}${node['Actual Loops'] > 1 ? ` × ${node['Actual Loops']}` : ''}` : ' · never run'
  const children = (node.Plans ?? []).map(child => tree(child, `${indent}  `))
  return [`${indent}${label}${kind}${index}${relation}${rows}`, ...new Set(children)].join('\n')
}

// Months are partitions, which all look the same.
const partition = name => name.replace(/_p?\d{6}(?=_|$)/, '_<month>')

const wrap = text => text.replace(/\s+/g, ' ').trim().replace(/ (FROM|WHERE|SET|LEFT JOIN|CROSS JOIN|JOIN|ORDER BY|GROUP BY|RETURNING|ON CONFLICT|VALUES|UNION|LIMIT|FOR UPDATE)\b/g, '\n$1')

let pending
for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  const start = line.match(/duration: ([\d.]+) ms  plan:$/)
  if (start || !line.startsWith('\t')) {
    if (pending?.text) take(pending.text, pending.milliseconds)
    pending = start ? { milliseconds: Number(start[1]), text: '' } : undefined
  } else if (pending) pending.text += `${line}\n`
}
if (pending?.text) take(pending.text, pending.milliseconds)

const median = numbers => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const sum = numbers => numbers.reduce((x, y) => x + y)
const hot = [...statements].filter(([, { times }]) => times.length >= OFTEN || sum(times) >= MUCH * all)
hot.sort(([, a], [, b]) => sum(b.times) - sum(a.times))
console.log(`# How the databases carry out the hot statements

Written by \`make plans\`.

## PostgreSQL

Of the benches \`send\` and \`webhooks\` with PostgreSQL's auto_explain, which looks at a quarter of all statements: planning, sending, callbacks, and what people write.
Statements that it saw at least ${OFTEN} times, or that took at least ${100 * MUCH} % of the time of all that it saw, those that took the most time first. A plan is the one
seen most often, with the rows of its latest time; the times are medians and include auto_explain's own work. Statements work on batches: \`rows\` is of a batch, not of a message.
`)
for (const [text, { times, shapes }] of hot) {
  const most = [...shapes.values()].sort((a, b) => b.count - a.count)[0]
  console.log(`### ${times.length} time${times.length === 1 ? '' : 's'}, ${median(times).toFixed(2)} ms\n\n\`\`\`sql\n${wrap(text)}\n\`\`\`\n\n\`\`\`\n${most.shape}\n\`\`\`\n`)
}
