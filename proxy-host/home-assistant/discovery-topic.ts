/** What the topic of a discovery message says. */
export interface DiscoveryTopic {
  /** The component, or `device` for a bundle of several. */
  readonly component: string;
  readonly isBundle: boolean;
  readonly nodeId: string | undefined;
  readonly objectId: string;
}

const COMPONENT = /^[a-zA-Z0-9_]{1,64}$/;
const ID = /^[a-zA-Z0-9_-]+$/;

/**
 * `<prefix>/<component>/[<node>/]<object>/config`, and with `device` as component the bundle. Undefined for any other
 * topic. The prefix may itself have several levels.
 */
export function parseDiscoveryTopic(prefix: string, topic: string): DiscoveryTopic | undefined {
  if (!topic.startsWith(prefix) || topic.charAt(prefix.length) !== '/' || !topic.endsWith('/config')) return undefined;
  const levels = topic.slice(prefix.length + 1).split('/');
  if (levels.length !== 3 && levels.length !== 4) return undefined;
  const [component = ''] = levels;
  const objectId = levels.at(-2) ?? '';
  const nodeId = levels.length === 4 ? levels[1] : undefined;
  if (!COMPONENT.test(component) || !ID.test(objectId) || (nodeId !== undefined && !ID.test(nodeId))) return undefined;
  return { component, isBundle: component === 'device', nodeId, objectId };
}

/** Filters that cover every discovery topic below a prefix. */
export function discoveryFilters(prefix: string): readonly string[] {
  return [`${prefix}/+/+/config`, `${prefix}/+/+/+/config`];
}
