// Finds TODO and FIXME marks in the files that the input names. The tasks in contract.js are for the tests of the contract.

import { Denied, InvalidInput, checkCancelled, emit, info, mount, plugin, progress } from '../sdk/orch.js'
import { readText } from '../sdk/fs.js'
import { contract } from './contract.js'

const scan = {
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

function scanFile(folder, name) {
  let text
  try {
    text = readText(`${folder}/${name}`)
  } catch (error) {
    if (error.code === 'not-permitted' || error.code === 'access') throw new Denied('fs', name)
    // What could not be read is said, never passed over.
    const fingerprint = `unread-file:${name}`
    emit({ rule: 'unread-file', severity: 'medium', status: 'error', title: error.message, fingerprint, location: { path: name } })
    return 0
  }
  const found = text.split('\n').flatMap((line, index) => {
    if (!line.includes('TODO') && !line.includes('FIXME')) return []
    const title = line.trim()
    const location = { path: name, line: index + 1 }
    return [{ rule: 'open-mark', severity: 'low', title, fingerprint: `open-mark:${name}:${title}`, location }]
  })
  if (found.length > 0) emit(...found)
  return found.length
}

export const runner = plugin({ scan, ...contract })
