import { PipevineError } from '../error/pipevine-error.ts';

/**
 * What several sources give, as it comes; each is at most one item ahead. A source that
 * fails ends alone. Ends when all have, or by the signal, which must end the sources, too. Throws, at the end, what a
 * source threw that is no PipevineError.
 */
export async function* mergeStreams<T>(
  sources: readonly AsyncIterable<T>[],
  signal: AbortSignal,
): AsyncGenerator<T, undefined> {
  const ready: { readonly item: T; taken(): void }[] = [];
  const defects: unknown[] = [];
  let running = sources.length;
  let over = false;
  let wake = (): void => {};
  const pump = async (source: AsyncIterable<T>): Promise<void> => {
    try {
      for await (const item of source) {
        if (over) break;
        const taken = new Promise<void>((resolve) => ready.push({ item, taken: resolve }));
        wake();
        await taken;
        if (over) break;
      }
    } catch (error) {
      if (!(error instanceof PipevineError)) defects.push(error);
    }
    running--;
    wake();
  };
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort);
  for (const source of sources) void pump(source);
  try {
    while (!signal.aborted) {
      const next = ready.shift();
      if (next !== undefined) {
        next.taken();
        yield next.item;
      } else if (running === 0) break;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    over = true;
    signal.removeEventListener('abort', onAbort);
    for (const { taken } of ready) taken();
  }
  if (defects.length > 0) throw defects[0];
  return undefined;
}
