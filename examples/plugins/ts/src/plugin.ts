// Finds TODO and FIXME marks in the files that the input names. The tasks in contract.ts are for the tests of the contract.

import { Denied, type Finding, InvalidInput, type Task, checkCancelled, emit, info, mount, plugin, progress } from '../sdk/orch.js'
import { FileError, readText } from '../sdk/fs.js'
import { contract } from './contract.js'

interface Input {
  files: string[]
}

interface Output {
  files: number
  marks: number
}

const scan: Task<Input, Output> = {
  input: {
    type: 'object',
    properties: { files: { type: 'array', items: { type: 'string' }, description: 'files below the mount `source`' } },
    required: ['files'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: { files: { type: 'integer' }, marks: { type: 'integer' } },
    required: ['files', 'marks'],
    additionalProperties: false,
  },
  run({ files }) {
    if (!Array.isArray(files)) throw new InvalidInput('files: a list of paths is missing')
    const folder = mount('source')
    let marks = 0
    files.forEach((name, number) => {
      checkCancelled()
      if (typeof name !== 'string' || name === '') throw new InvalidInput(`files[${number}]: a path is missing`)
      marks += scanFile(folder, name)
      progress(number + 1, files.length, name)
    })
    info('scanned', { files: files.length, marks })
    return { files: files.length, marks }
  },
}

function scanFile(folder: string, name: string): number {
  let text: string
  try {
    text = readText(`${folder}/${name}`)
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    if (error.code === 'not-permitted' || error.code === 'access') throw new Denied('fs', name)
    // What could not be read is said, never passed over.
    const fingerprint = `unread-file:${name}`
    emit({ rule: 'unread-file', severity: 'medium', status: 'error', title: error.message, fingerprint, location: { path: name } })
    return 0
  }
  const found = text.split('\n').flatMap((line, index): Finding[] => {
    if (!line.includes('TODO') && !line.includes('FIXME')) return []
    const title = line.trim()
    const location = { path: name, line: index + 1 }
    return [{ rule: 'open-mark', severity: 'low', title, fingerprint: `open-mark:${name}:${title}`, location }]
  })
  if (found.length > 0) emit(...found)
  return found.length
}

export const runner = plugin({ scan, ...contract })
