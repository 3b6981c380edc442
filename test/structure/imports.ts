/** One import, re-export or dynamic import of a file. */
export interface ImportStatement {
  readonly specifier: string;
  /** 1-based. */
  readonly line: number;
  /** Gone at run time: it counts for directions, not for cycles. */
  readonly typeOnly: boolean;
}

const STATIC = /^(?:import|export)\s+(?:(type\s+)?([^'";=]*?)\bfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /^(?!\s*["'`]).*?\bimport\(\s*'([^']+)'/gm;

/**
 * Finds the imports in a source that Biome has formatted: single quotes, each statement at the start of its line. That
 * layout is checked before, and it makes a parser superfluous.
 */
export function importsOf(source: string): ImportStatement[] {
  const code = withoutBlockComments(source);
  const found: ImportStatement[] = [];
  const lineAt = (index: number) => code.slice(0, index).split('\n').length;
  for (const match of code.matchAll(STATIC)) {
    const [, type, clause = '', specifier = ''] = match;
    const names = /^\{([^}]*)\}\s*$/.exec(clause)?.[1]?.split(',') ?? [''];
    const onlyTypes = clause.startsWith('{') && names.every((name) => /^\s*(?:type\s|$)/.test(name));
    found.push({ specifier, line: lineAt(match.index), typeOnly: type !== undefined || onlyTypes });
  }
  for (const match of code.matchAll(DYNAMIC)) {
    found.push({ specifier: match[1] ?? '', line: lineAt(match.index), typeOnly: false });
  }
  return found;
}

/** Comments become blank lines, so that line numbers stay. */
function withoutBlockComments(source: string): string {
  return source
    .replace(/^\s*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/^\s*\/\/.*$/gm, '');
}
