import { createRequire } from 'node:module';

/** What the catalogue reads of a node's page without running it. */
export interface NodeDefinition {
  readonly type: string;
  /** Members of the inline `defaults`, of which `type` is given for those that name a config node. */
  readonly defaults: ReadonlyMap<string, { readonly type?: string }>;
  readonly credentials: readonly string[];
  readonly category: unknown;
  readonly color: unknown;
  readonly icon: unknown;
  readonly inputs: unknown;
  readonly outputs: unknown;
  /** Names of members of the definition. */
  readonly members: readonly string[];
}

/** The part of an ESTree node that is looked at. */
interface Tree {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly key?: Tree;
  readonly callee?: Tree;
  readonly property?: Tree;
  readonly properties?: readonly Tree[];
  readonly arguments?: readonly Tree[];
}

// Node-RED's own parser of scripts; the same one as the catalogue's checker has.
const nodes = createRequire(createRequire(import.meta.url).resolve('node-red/package.json'));
const acorn: { parse(code: string, options: object): Tree } = createRequire(
  nodes.resolve('@node-red/nodes/package.json'),
)('acorn');

/**
 * The `registerType` calls in a page's scripts. Throws where the catalogue's checker could not read one: a type that is no
 * literal, a definition or defaults that are not written out.
 */
export function nodeDefinitions(html: string): NodeDefinition[] {
  const scripts = [...html.matchAll(/<script[^>\n]+?type=['"]text\/javascript['"][^>]*>([\s\S]*?)<\/script>/gi)];
  return scripts.flatMap(([, code = '']) => calls(acorn.parse(code, { ecmaVersion: 'latest' })).map(definition));
}

function calls(tree: unknown): Tree[] {
  if (typeof tree !== 'object' || tree === null) return [];
  // Each object in the parser's answer is one.
  const node = tree as Tree;
  const found = node.type === 'CallExpression' && node.callee?.property?.name === 'registerType' ? [node] : [];
  return [...found, ...Object.values(tree).flatMap(calls)];
}

function definition(call: Tree): NodeDefinition {
  const [type, body] = call.arguments ?? [];
  if (type?.type !== 'Literal' || typeof type.value !== 'string') throw new Error('the type is no literal');
  if (body?.type !== 'ObjectExpression') throw new Error(`the definition of ${type.value} is not inline`);
  const all = members(body);
  const object = (name: string) => {
    const tree = all.get(name);
    if (tree !== undefined && tree.type !== 'ObjectExpression')
      throw new Error(`${name} of ${type.value} is not inline`);
    return tree === undefined ? new Map<string, Tree>() : members(tree);
  };
  const literal = (name: string) => all.get(name)?.value;
  const defaults = [...object('defaults')].map(([name, tree]) => {
    const config = members(tree).get('type')?.value;
    return [name, typeof config === 'string' ? { type: config } : {}] as const;
  });
  return {
    type: type.value,
    defaults: new Map(defaults),
    credentials: [...object('credentials').keys()],
    category: literal('category'),
    color: literal('color'),
    icon: literal('icon'),
    inputs: literal('inputs'),
    outputs: literal('outputs'),
    members: [...all.keys()],
  };
}

function members({ properties = [] }: Tree): Map<string, Tree> {
  const named = properties.map(({ key, value }) => [key?.name ?? String(key?.value), value] as const);
  // The value of a property is a tree.
  return new Map(named as readonly (readonly [string, Tree])[]);
}
