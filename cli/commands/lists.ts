import type { Arguments } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';
import { type CommandContext, listOf, shortId, textOf } from './command-context.ts';
import { printList } from './print-list.ts';

export function peers(context: CommandContext): Promise<number> {
  return printList(
    context,
    'peers',
    {},
    ['NAME', 'PEER', 'LINK', 'ROUND TRIP'],
    (peer) => [
      textOf(peer.name) || '-',
      shortId(peer.id),
      textOf(peer.address) || 'not connected',
      typeof peer.rttMs === 'number' ? `${peer.rttMs.toFixed(1)} ms` : '-',
    ],
    'No other peers are known. `pipevine doctor` checks the network.',
  );
}

export function things(context: CommandContext, options: Arguments['local']): Promise<number> {
  return printList(
    context,
    'things',
    { ...given('name', options), ...given('connector', options) },
    ['NAME', 'PEER', 'STATE', 'VIA', 'PROPERTIES', 'ACTIONS', 'EVENTS'],
    (thing) => [
      textOf(thing.name),
      shortId(thing.peer),
      textOf(thing.availability),
      textOf(thing.connector) || '-',
      summary(listOf(thing.properties)),
      summary(listOf(thing.actions)),
      summary(listOf(thing.events)),
    ],
    'No things are known.',
  );
}

export function discover(context: CommandContext, kind: string, options: Arguments['local']): Promise<number> {
  const attributes = Object.fromEntries(
    (options.attr ?? []).map((text) => {
      const at = text.indexOf('=');
      return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, '*'];
    }),
  );
  return printList(
    context,
    'discover',
    { kind, attributes, ...given('name', options) },
    ['NAME', 'PUBLISHER', 'GROUP', 'KEY', 'ATTRIBUTES'],
    (found) => [
      textOf(found.name) || '-',
      shortId(found.publisher),
      shortId(found.group),
      textOf(found.key) || '-',
      Object.entries(found.attributes ?? {})
        .map(([name, value]) => `${name}=${value}`)
        .join(' ') || '-',
    ],
    `No advertisements of kind ${kind} are known.`,
  );
}

function summary(names: readonly string[]): string {
  return names.length === 0 ? '-' : names.slice(0, 5).join(', ') + (names.length > 5 ? ', ...' : '');
}

function given(key: string, options: Arguments['local']): Params {
  const value = options[key]?.[0];
  return value === undefined ? {} : { [key]: value };
}
