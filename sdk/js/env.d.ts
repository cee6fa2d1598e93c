// The types of env.js.

export function env(name: string): string | undefined
