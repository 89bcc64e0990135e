/**
 * Checks whose full size takes minutes run smaller by default: `FULL_SIZE=1 npx vitest run <file>` runs them as
 * large as they are specified.
 */
export const isFullSize = process.env.FULL_SIZE === '1';

export const sized = (quick: number, full: number): number => (isFullSize ? full : quick);
