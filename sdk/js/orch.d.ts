// The types of orch.js.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
/** A JSON Schema, draft 2020-12. */
export type Schema = boolean | { [keyword: string]: unknown }
export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error'

export interface Location {
  /** Relative to the mount that was scanned, with `/` between its parts. */
  path: string
  /** From 1. */
  line?: number
  /** From 1, in characters. */
  column?: number
  endLine?: number
}

export interface Finding {
  rule: string
  severity: 'info' | 'low' | 'medium' | 'high' | 'critical'
  /** `open` if it is left out. */
  status?: 'open' | 'passed' | 'not-applicable' | 'error'
  title: string
  detail?: string
  /** Names the same problem from run to run: made of rule, path and content, never of a line number alone. */
  fingerprint: string
  location?: Location
  remediation?: string
  references?: string[]
  data?: Json
}

export interface Task<Input = any, Output = any> {
  input?: Schema
  output?: Schema
  run(input: Input): Output | Outcome
}

export interface RunInfo {
  run: string
  task: string
  attempt: number
  idempotencyKey: string
  plugin: string
  digest: string
  deadlineMs?: number
  dryRun: boolean
  traceparent?: string
}

export interface Runner {
  run(task: string, input: string): unknown
}

declare const outcome: unique symbol
export interface Outcome {
  readonly [outcome]: true
}

export class TaskError extends Error {}
export class InvalidInput extends TaskError {
  constructor(message: string)
}
export class Denied extends TaskError {
  constructor(capability: string, target: string)
}
export class Dependency extends TaskError {
  constructor(target: string, message: string, retryable?: boolean)
}
export class Failed extends TaskError {
  constructor(message: string)
}
export class Cancelled extends TaskError {
  constructor()
}

export function rejected(output: Json): Outcome
export function skipped(reason: string): Outcome
export function mount(name: string): string
export function hasCapability(name: string): boolean
export function runInfo(): RunInfo
export function log(level: Level, message: string, fields?: Record<string, unknown>): void
export function info(message: string, fields?: Record<string, unknown>): void
export function progress(done: number, total?: number, note?: string): void
export function isCancelled(): boolean
export function checkCancelled(): void
export function emit(...items: Finding[]): void
export function plugin(tasks: Record<string, Task>): Runner
