// Files of the granted mounts, over wasi:filesystem. A path is absolute: `${mount('source')}/a.txt`.

import { getDirectories } from 'wasi:filesystem/preopens@0.2.12'

/** What went wrong; `code` is one of WASI's, for example `no-entry`, `not-permitted`, `access`. */
export class FileError extends Error {
  constructor(path, code) {
    super(`${path}: ${code}`)
    this.path = path
    this.code = code
  }
}

const CHUNK = 65536

let mounts

/** The mount that a path is below, and the rest of the path. */
function locate(path) {
  mounts ??= getDirectories()
  for (const [folder, name] of mounts) {
    if (path === name) return [folder, '.']
    const start = name.endsWith('/') ? name : `${name}/`
    if (path.startsWith(start)) return [folder, path.slice(start.length)]
  }
  throw new FileError(path, 'no-entry')
}

/** Calls into WASI; what it refuses becomes a FileError. */
function call(path, action) {
  try {
    return action()
  } catch (thrown) {
    if (thrown instanceof FileError) throw thrown
    throw new FileError(path, String(typeof thrown === 'string' ? thrown : thrown?.payload ?? thrown?.message ?? thrown))
  }
}

function open(path, how, access) {
  const [folder, rest] = locate(path)
  return call(path, () => folder.openAt({ symlinkFollow: true }, rest, how, access))
}

/** The bytes of a file. */
export function readFile(path) {
  const file = open(path, {}, { read: true })
  const parts = []
  let size = 0
  for (;;) {
    const [bytes, ended] = call(path, () => file.read(CHUNK, size))
    if (bytes.length > 0) parts.push(bytes)
    size += bytes.length
    if (ended || bytes.length === 0) break
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** The text of a file in UTF-8; what is none becomes U+FFFD. */
export const readText = (path) => decode(readFile(path))

/** Writes a file, instead of what it held. */
export function writeFile(path, content) {
  const bytes = typeof content === 'string' ? encode(content) : content
  const file = open(path, { create: true, truncate: true }, { write: true })
  for (let at = 0; at < bytes.length; ) {
    at += Number(call(path, () => file.write(bytes.slice(at, at + CHUNK), at)))
  }
}

/** What a folder holds, by name: `{ name, type }`, type as in WASI (`directory`, `regular-file`, `symbolic-link`, …). */
export function readDirectory(path) {
  const stream = call(path, () => open(path, { directory: true }, { read: true }).readDirectory())
  const entries = []
  for (;;) {
    const entry = call(path, () => stream.readDirectoryEntry())
    if (entry === undefined || entry === null) break
    entries.push({ name: entry.name, type: entry.type })
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Text as UTF-8: QuickJS has no TextEncoder. */
export function encode(text) {
  const bytes = []
  for (const character of text) {
    const code = character.codePointAt(0)
    if (code < 0x80) bytes.push(code)
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63))
    else if (code < 0x10000) {
      const scalar = code >= 0xd800 && code < 0xe000 ? 0xfffd : code
      bytes.push(0xe0 | (scalar >> 12), 0x80 | ((scalar >> 6) & 63), 0x80 | (scalar & 63))
    } else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63))
  }
  return Uint8Array.from(bytes)
}

/** UTF-8 as text: QuickJS has no TextDecoder. */
export function decode(bytes) {
  const parts = []
  let units = []
  for (let at = 0; at < bytes.length; ) {
    const [code, length] = scalar(bytes, at)
    at += length
    if (code < 0x10000) units.push(code)
    else units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff))
    if (units.length >= 8192) {
      parts.push(String.fromCharCode.apply(null, units))
      units = []
    }
  }
  parts.push(String.fromCharCode.apply(null, units))
  return parts.join('')
}

/** The character at a place and how many bytes it takes; U+FFFD and one byte where there is none. */
function scalar(bytes, at) {
  const first = bytes[at]
  if (first < 0x80) return [first, 1]
  const [length, least, lead] =
    first >= 0xc2 && first < 0xe0 ? [2, 0x80, first & 31]
    : first >= 0xe0 && first < 0xf0 ? [3, 0x800, first & 15]
    : first >= 0xf0 && first < 0xf5 ? [4, 0x10000, first & 7]
    : [0, 0, 0]
  let code = lead
  for (let next = 1; next < length; next++) {
    const byte = bytes[at + next]
    if (byte === undefined || (byte & 0xc0) !== 0x80) return [0xfffd, 1]
    code = (code << 6) | (byte & 63)
  }
  const wrong = length === 0 || code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)
  return wrong ? [0xfffd, 1] : [code, length]
}
