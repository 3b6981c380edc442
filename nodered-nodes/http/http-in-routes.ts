import type { Node, NodeAPI } from '../node/red.ts';

/** What is used of Express's router, as Node-RED's own nodes do. */
interface Layer {
  readonly route?: { readonly path: unknown; readonly methods: Readonly<Record<string, boolean>> };
  match(path: string): boolean;
}
interface HttpIn extends Node {
  readonly url?: string;
  readonly method?: string;
  readonly skipBodyParsing?: boolean;
}

/** Whether a `http in` node answers to this. Nothing else that other nodes serve beside them is meant. */
export function hasHttpIn(RED: NodeAPI, method: string, path: string): boolean {
  const urls = new Set(httpIns(RED).map(({ url }) => url));
  const verb = method.toLowerCase();
  return layersOf(RED).some(({ route, match }, at, layers) => {
    if (route === undefined || typeof route.path !== 'string' || !urls.has(route.path)) return false;
    const answers =
      verb === 'options' || route.methods[verb] === true || (verb === 'head' && route.methods.get === true);
    return answers && match.call(layers[at], path);
  });
}

/** Whether the body goes into the flow as it comes. Node-RED does this outside of what is served here. */
export function wantsRawBody(RED: NodeAPI, method: string, path: string): boolean {
  const verb = method.toLowerCase();
  const plain = path.replace(/\/{2,}/g, '/').replace(/\/$/, '');
  return httpIns(RED).some(
    (node) =>
      node.skipBodyParsing === true &&
      node.method === verb &&
      (node.url ?? '').replace(/\/{2,}/g, '/').replace(/\/$/, '') === plain,
  );
}

function layersOf(RED: NodeAPI): readonly Layer[] {
  // The published types leave Express's inside out.
  const app = RED.httpNode as unknown as { readonly _router?: { readonly stack: readonly Layer[] } } | undefined;
  return app?._router?.stack ?? [];
}

/** As they run; in subflows, whose instances cannot be listed, as they were saved. */
function httpIns(RED: NodeAPI): Pick<HttpIn, 'url' | 'method' | 'skipBodyParsing'>[] {
  const found: Pick<HttpIn, 'url' | 'method' | 'skipBodyParsing'>[] = [];
  RED.nodes.eachNode((saved) => {
    if (saved.type !== 'http in') return;
    // Both have these members; null is given for what does not run, against the types.
    const node = (RED.nodes.getNode(saved.id) as HttpIn | null) ?? (saved as unknown as HttpIn);
    const { url = '', method = '', skipBodyParsing = false } = node;
    if (url !== '') found.push({ url: url.startsWith('/') ? url : `/${url}`, method, skipBodyParsing });
  });
  return found;
}
