// The types of fs.js.

export class FileError extends Error {
  readonly path: string
  /** One of WASI's, for example `no-entry`, `not-permitted`, `access`. */
  readonly code: string
}

export interface Entry {
  name: string
  type: 'unknown' | 'block-device' | 'character-device' | 'directory' | 'fifo' | 'symbolic-link' | 'regular-file' | 'socket'
}

export function readFile(path: string): Uint8Array
export function readText(path: string): string
export function writeFile(path: string, content: string | Uint8Array): void
export function readDirectory(path: string): Entry[]
export function encode(text: string): Uint8Array
export function decode(bytes: Uint8Array): string
