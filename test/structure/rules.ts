import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { importsOf } from './imports.ts';

interface PackageRules {
  readonly name: string;
  readonly mayImport: readonly string[];
  /** What it imports goes into its own files, so that development dependencies do. */
  readonly bundled?: true;
}

/** Our packages by folder: name, and the folders whose packages they may import. */
export const PACKAGES: Readonly<Record<string, PackageRules>> = {
  runtime: { name: '@pipevine/runtime', mayImport: [] },
  transports: { name: '@pipevine/transports', mayImport: ['runtime'] },
  'proxy-host': { name: '@pipevine/proxy-host', mayImport: ['runtime'] },
  cli: { name: 'pipevine', mayImport: ['runtime', 'transports', 'proxy-host', 'boards'] },
  'nodered-nodes': { name: '@pipevine/node-red', mayImport: ['runtime', 'transports'], bundled: true },
  boards: { name: '@pipevine/boards', mayImport: [] },
};

/** Globals of a platform that the runtime must be handed instead. The linter bans more, where it knows the scope. */
const AMBIENT =
  /(?<![\w.$])(?:globalThis|console\.|navigator\.|localStorage|Math\.random|new WebSocket\b|process\.|Buffer\.|(?:setTimeout|setInterval|setImmediate)\()/;

export interface SourceTree {
  /** Path from the root, with `/`, to the text of each source file. */
  readonly files: ReadonlyMap<string, string>;
  /** Folder of each package (and '' for the root) to the names that its package.json declares. */
  readonly dependencies: ReadonlyMap<
    string,
    { readonly runtime: ReadonlySet<string>; readonly all: ReadonlySet<string> }
  >;
}

/** Tests may look inside: they serve no program, so no direction binds them. Measurements may take any export of a package. */
const isTest = (path: string) => path.startsWith('test/') || path.endsWith('.test.ts') || path.includes('/testing/');
const folderOf = (path: string) => path.split('/')[0] ?? '';
const packageNameOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** Every breach of the design's import rules, as `file:line: what is wrong`. */
export function violationsOf(tree: SourceTree): string[] {
  const violations: string[] = [];
  const edges = new Map<string, string[]>();
  const declaredAnywhere = new Set([...tree.dependencies.values()].flatMap((declared) => [...declared.all]));
  for (const [path, source] of tree.files) {
    const folder = folderOf(path);
    const own = PACKAGES[folder];
    const targets: string[] = [];
    for (const { specifier, line, typeOnly } of importsOf(source)) {
      const report = (what: string) => violations.push(`${path}:${line}: ${what}`);
      if (specifier.startsWith('.')) {
        const target = normalize(join(dirname(path), specifier));
        if (!isTest(path) && own !== undefined && folderOf(target) !== folder) {
          report(`'${specifier}' leaves the package: import another package by its name`);
        } else if (!isTest(path) && own === undefined && PACKAGES[folderOf(target)] !== undefined) {
          report(`'${specifier}' reaches into a package: import it by its name`);
        } else if (!tree.files.has(target) && /\.[cm]?[jt]s$/.test(target)) {
          report(`'${specifier}' does not exist`);
        } else if (!typeOnly) {
          targets.push(target);
        }
        continue;
      }
      if (isBuiltin(specifier)) {
        if (folder === 'runtime' && !isTest(path)) report(`the runtime imports '${specifier}': it is free of Node`);
        else if (!specifier.startsWith('node:')) report(`write 'node:${specifier}'`);
        continue;
      }
      const name = packageNameOf(specifier);
      const other = Object.keys(PACKAGES).find((key) => PACKAGES[key]?.name === name);
      if (other !== undefined && specifier !== name && !isTest(path) && folder !== 'bench') {
        report(`'${specifier}' reaches into a package: import '${name}', its index.ts`);
      }
      if (own === undefined) {
        // Tests and benches that cross packages use what any of the packages uses.
        if (other === undefined && !declaredAnywhere.has(name)) report(`no package.json declares '${name}'`);
        continue;
      }
      if (isTest(path)) continue;
      if (other !== undefined && other !== folder && !own.mayImport.includes(other)) {
        report(`${folder} must not import ${other}`);
      } else if (other !== folder && !tree.dependencies.get(folder)?.[own.bundled ? 'all' : 'runtime'].has(name)) {
        report(`${folder}/package.json does not declare '${name}'`);
      }
    }
    edges.set(path, targets);
    if (folder === 'runtime' && !isTest(path)) violations.push(...ambientGlobals(path, source));
  }
  for (const cycle of cyclesOf(edges)) violations.push(`cycle: ${cycle.join(' -> ')}`);
  return violations;
}

function ambientGlobals(path: string, source: string): string[] {
  return source.split('\n').flatMap((text, index) => {
    const code = text.replace(/^\s*(?:\/\/|\/?\*).*$/, '').replace(/(['"`])(?:(?!\1).)*\1/g, "''");
    const global = AMBIENT.exec(code)?.[0];
    return global === undefined ? [] : [`${path}:${index + 1}: the runtime uses the ambient ${global}`];
  });
}

/** Each cycle once: strongly connected components of the file graph, found by Tarjan's algorithm. */
export function cyclesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (node: string): number => {
    const index = order.size;
    order.set(node, index);
    low.set(node, index);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      const reached = order.has(next) ? (stack.includes(next) ? order.get(next) : undefined) : visit(next);
      if (reached !== undefined) low.set(node, Math.min(low.get(node) ?? index, reached));
    }
    const lowest = low.get(node) ?? index;
    if (lowest === index) {
      const component = stack.splice(stack.indexOf(node));
      if (component.length > 1 || edges.get(node)?.includes(node)) cycles.push(component);
    }
    return lowest;
  };
  for (const node of edges.keys()) if (!order.has(node)) visit(node);
  return cycles;
}
