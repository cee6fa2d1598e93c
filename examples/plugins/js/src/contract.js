// One task for each part of the contract, the same in every language: the tests of the languages call them.

import { Denied, Dependency, Failed, InvalidInput, checkCancelled, info, log, rejected, skipped } from '../sdk/orch.js'
import { readText } from '../sdk/fs.js'

const ends = {
  rejected: () => rejected({ no: true }),
  skipped: () => skipped('nothing to do'),
  'invalid-input': () => { throw new InvalidInput('how: é is no way') },
  dependency: () => { throw new Dependency('service', 'it is away', true) },
  failed: () => { throw new Failed('it broke') },
  trap: () => { throw new Error('a bug') },
}

export const contract = {
  echo: { run: (given) => given },
  read: {
    run({ path }) {
      try {
        return { text: readText(path) }
      } catch {
        throw new Denied('fs', path)
      }
    },
  },
  end: {
    run({ how }) {
      if (!Object.hasOwn(ends, how)) throw new InvalidInput('how: unknown')
      return ends[how]()
    },
  },
  say: {
    run({ text }) {
      for (const level of ['trace', 'debug', 'info', 'warn', 'error']) log(level, text, { level })
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
      const held = []
      for (;;) held.push(new Uint8Array(1 << 20).fill(1))
    },
  },
}
