/** A browser sends six requests at a time to one service: pictures must leave room for a click. */
const MOST_AT_ONCE = 2;

let running = 0;
const waiting: (() => void)[] = [];

/** Do it once few enough others are under way; null where it was not wanted any more by then. */
export async function inTurn<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T | null> {
  if (running >= MOST_AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else running += 1;
  try {
    return signal.aborted ? null : await step();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}
