// One task for each part of the contract, the same in every language: the tests of the languages call them.

import {
  Denied, Dependency, Failed, InvalidInput, type Level, type Outcome, type Task, checkCancelled, info, log, rejected, skipped,
} from '../sdk/orch.js'
import { readText } from '../sdk/fs.js'

declare const console: { log(text: string): void }

function fail(error: Error): never {
  throw error
}

const ends: Record<string, () => Outcome> = {
  rejected: () => rejected({ no: true }),
  skipped: () => skipped('nothing to do'),
  'invalid-input': () => fail(new InvalidInput('how: é is no way')),
  dependency: () => fail(new Dependency('service', 'it is away', true)),
  failed: () => fail(new Failed('it broke')),
  trap: () => fail(new Error('a bug')),
}

const levels: Level[] = ['trace', 'debug', 'info', 'warn', 'error']

export const contract: Record<string, Task> = {
  echo: { run: (given) => given },
  read: {
    run({ path }: { path: string }) {
      try {
        return { text: readText(path) }
      } catch {
        throw new Denied('fs', path)
      }
    },
  },
  end: {
    run({ how }: { how: string }) {
      const end = Object.hasOwn(ends, how) ? ends[how] : undefined
      return end === undefined ? fail(new InvalidInput('how: unknown')) : end()
    },
  },
  say: {
    run({ text }: { text: string }) {
      for (const level of levels) log(level, text, { level })
      console.log('printed')
      return null
    },
  },
  wait: {
    run() {
      info('started')
      for (;;) checkCancelled()
    },
  },
  grow: {
    run() {
      const held: Uint8Array[] = []
      for (;;) held.push(new Uint8Array(1 << 20).fill(1))
    },
  },
}
