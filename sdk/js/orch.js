// Write an orch-wasm plugin in JavaScript: a task is a function from a JSON value to a JSON value.
//
//   import { plugin } from '../sdk/orch.js'
//   export const runner = plugin({ greet: { input: {}, output: {}, run: ({ name }) => ({ message: `Hello, ${name}!` }) } })

import * as context from 'orch:task/context@0.1.0'
import * as report from 'orch:task/report@0.1.0'
import * as findings from 'orch:task/findings@0.1.0'

/** Why a task could not do its work. Throw one of the classes below; anything else that is thrown is a bug. */
export class TaskError extends Error {
  constructor(tag, message, value = message) {
    super(message)
    this.error = { tag, val: value }
  }
}

/** The input does not fit; the text says where and why. */
export class InvalidInput extends TaskError {
  constructor(message) {
    super('invalid-input', message)
  }
}

/** Something that was not granted was needed. */
export class Denied extends TaskError {
  constructor(capability, target) {
    super('denied', `\`${capability}\` was not granted for \`${target}\``, { capability, target })
  }
}

/** Something outside the plugin broke. */
export class Dependency extends TaskError {
  constructor(target, message, retryable = false) {
    super('dependency', `\`${target}\`: ${message}`, { target, message, retryable })
  }
}

/** Anything else. */
export class Failed extends TaskError {
  constructor(message) {
    super('failed', message)
  }
}

/** The host asked the task to stop, and it did. */
export class Cancelled extends TaskError {
  constructor() {
    super('cancelled', 'cancelled', undefined)
  }
}

class Outcome {
  constructor(tag, value) {
    this.tag = tag
    this.value = value
  }
}

/** What a task returns that ran well and whose answer is no. */
export const rejected = (output) => new Outcome('rejected', output)

/** What a task returns that had nothing to do. */
export const skipped = (reason) => new Outcome('skipped', reason)

/** The folder at which a granted mount is found, for `fs.js`. Throws `Denied` if it was not granted. */
export function mount(name) {
  if (!hasCapability(`fs:${name}`)) throw new Denied('fs', name)
  return `/${name}`
}

/** Whether something was granted: `fs:<mount>`, `env:<NAME>`. */
export const hasCapability = (name) => context.hasCapability(name)

/** Facts about this attempt. */
export const runInfo = () => context.info()

/** Writes a log line; `level` is one of trace, debug, info, warn, error. */
export const log = (level, message, fields = {}) =>
  report.log(level, message, Object.entries(fields).map(([name, value]) => [name, String(value)]))

/** Logs at `info`. */
export const info = (message, fields) => log('info', message, fields)

const shown = (value) => (typeof value === 'object' ? JSON.stringify(value) : String(value))
const printer = (level) => (...values) => log(level, values.map(shown).join(' '))

// What is printed goes to the log, as in every language.
globalThis.console = {
  trace: printer('trace'),
  debug: printer('debug'),
  log: printer('info'),
  info: printer('info'),
  warn: printer('warn'),
  error: printer('error'),
}

/** Says how far the work is; `total` if it is known. */
export const progress = (done, total, note) => report.progress(done, total, note)

/** Whether the host wants the task to stop. It is ended soon after. */
export const isCancelled = () => context.isCancelled()

/** Throws `Cancelled` if the host wants the task to stop. Long loops call it now and then. */
export function checkCancelled() {
  if (isCancelled()) throw new Cancelled()
}

/** Adds findings to the run. Throws `Failed` when the task's limit on findings is reached. */
export function emit(...items) {
  try {
    findings.emit(items.map(bound))
  } catch (refused) {
    throw new Failed(text(refused))
  }
}

function bound(item) {
  return {
    rule: item.rule,
    severity: item.severity,
    status: item.status ?? 'open',
    title: item.title,
    detail: item.detail,
    fingerprint: item.fingerprint,
    location: item.location,
    remediation: item.remediation,
    references: item.references ?? [],
    data: item.data === undefined ? undefined : JSON.stringify(item.data),
  }
}

const text = (thrown) => (typeof thrown === 'string' ? thrown : String(thrown?.payload ?? thrown?.message ?? thrown))

/** What the component exports: `export const runner = plugin({ name: { input, output, run } })`. */
export function plugin(tasks) {
  return {
    run(name, input) {
      try {
        return outcome(dispatch(tasks, name, input))
      } catch (thrown) {
        if (thrown instanceof TaskError) throw thrown.error
        throw thrown
      }
    },
  }
}

function dispatch(tasks, name, input) {
  if (name === 'orch:describe') {
    return Object.fromEntries(
      Object.entries(tasks).map(([name, task]) => [name, { input: task.input ?? true, output: task.output ?? true }]),
    )
  }
  if (!Object.hasOwn(tasks, name)) {
    const known = Object.keys(tasks).sort().map((name) => `\`${name}\``)
    throw new InvalidInput(`no task \`${name}\` in this plugin (known: ${known.join(', ')})`)
  }
  let given
  try {
    given = JSON.parse(input)
  } catch (error) {
    throw new InvalidInput(`no JSON: ${error.message}`)
  }
  return tasks[name].run(given)
}

function outcome(result) {
  if (result instanceof Outcome && result.tag === 'skipped') return { tag: 'skipped', val: result.value }
  const { tag, value } = result instanceof Outcome ? result : { tag: 'succeeded', value: result }
  const val = JSON.stringify(value ?? null)
  if (val === undefined) throw new Failed('the output is no JSON')
  return { tag, val }
}
