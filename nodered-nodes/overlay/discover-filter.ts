import { type AdvertisementQuery, type PeerGroup, PipevineError } from '@pipevine/runtime';
import { memberNamed } from '../node/member-named.ts';
import type { Node, NodeAPI, NodeMessage } from '../node/red.ts';
import { inputText, inputValue } from '../node/values.ts';
import { advertisementKind } from './found-advertisement.ts';

export interface DiscoverFilterConfig {
  /** Empty: `msg.kind`. */
  readonly kind?: string;
  /** `*` stands for any run of characters; empty: any. */
  readonly filter?: string;
  readonly filterType?: string;
  /** An object of texts; empty: any. */
  readonly attributes?: string;
  readonly attributesType?: string;
  /** Id or name of the peer that has published it; empty: any. */
  readonly target?: string;
  readonly targetType?: string;
}

const MAX_ATTRIBUTES = 32;

/** What is looked for with this message. Rejects with `invalid-argument`, or when the peer is not found. */
export async function discoverFilter(
  context: { readonly RED: NodeAPI; readonly node: Node },
  config: DiscoverFilterConfig,
  msg: NodeMessage & { readonly kind?: unknown },
  group: PeerGroup,
  signal: AbortSignal,
): Promise<Omit<AdvertisementQuery, 'group'>> {
  const kind = advertisementKind(config.kind || msg.kind || 'thing');
  const name = await inputText(context, config.filter ?? '', config.filterType, msg, 'A name');
  const target = await inputText(context, config.target ?? '', config.targetType, msg, 'A peer');
  const { attributes: given = '', attributesType = 'json' } = config;
  const attributes = given === '' ? undefined : texts(await inputValue(context, given, attributesType, msg));
  return {
    kind,
    ...(name !== undefined && { name }),
    ...(attributes !== undefined && { attributes }),
    ...(target !== undefined && { publisher: await memberNamed(group, target, { signal }) }),
  };
}

function texts(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const entries = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : undefined;
  const allowed = entries?.every(([, one]) => ['string', 'number', 'boolean'].includes(typeof one));
  if (entries === undefined || allowed !== true || entries.length > MAX_ATTRIBUTES) {
    const message = `Attributes are an object of at most ${MAX_ATTRIBUTES} names and texts, such as {"connector": "mqtt"}.`;
    throw new PipevineError('invalid-argument', message);
  }
  return Object.fromEntries(entries.map(([key, one]) => [key, String(one)]));
}
