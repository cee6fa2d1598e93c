// The granted variables.

import { getEnvironment } from 'wasi:cli/environment@0.2.12'

/** A granted variable, or undefined. */
export const env = (name) => getEnvironment().find(([each]) => each === name)?.[1]
