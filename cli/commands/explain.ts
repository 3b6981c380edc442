import type { JsonValue } from '@pipevine/runtime';
import type { Arguments } from '../arguments/command-spec.ts';
import type { Params } from '../control/json-rpc.ts';
import { humanBytes } from '../output/bytes.ts';
import { EXIT } from '../output/exit-code.ts';
import { askDaemon, type CommandContext, nameOf, objectsOf, textOf } from './command-context.ts';
import { called, pathText } from './path-text.ts';

/** Of a kind so many are shown; --json shows all. */
const MAX_SHOWN = 8;

/** Ends with 1 when there is no way, as `doctor` does when something fails. */
export async function explain(
  context: CommandContext,
  { positionals: [peer = ''], local }: Arguments,
): Promise<number> {
  const connect = local.connect?.[0] !== 'false';
  const report = (await askDaemon(context, 'explain', { peer, connect })) as Params; // `explain` reports an object
  context.output.value(report, () => explainText(report));
  return report.state === 'none' ? EXIT.failed : EXIT.done;
}

export function explainText(report: Params): string {
  const lines = [`${called(report.name, report.peer)}: ${nameOf(report.text)}`];
  const rows = (label: string, texts: readonly string[]) => {
    for (const text of texts.slice(0, MAX_SHOWN)) lines.push(`  ${label.padEnd(9)}${text}`);
    if (texts.length > MAX_SHOWN) lines.push(`  ${''.padEnd(9)}and ${texts.length - MAX_SHOWN} more`);
  };
  rows('link', objectOf(report.link).map(linkText));
  rows('pipe', eachOnce(objectsOf(report.pipes).map(pipeText)));
  rows('tried', objectOf(report.trial).map(trialText));
  rows('address', addressTexts(report));
  rows(
    'punching',
    objectOf(report.punch).map(
      ({ state, reason, since }) => `${nameOf(state)} since ${nameOf(since)}${textOf(reason) && `: ${nameOf(reason)}`}`,
    ),
  );
  rows('relay', objectsOf(report.relays).map(relayText));
  rows(
    'group',
    objectsOf(report.groups).map(({ id, name }) => called(name, id)),
  );
  if (textOf(report.advice) !== '') lines.push(nameOf(report.advice));
  return lines.join('\n');
}

function linkText({ address, rttMs, bytesIn, bytesOut }: Params): string {
  const roundTrip = typeof rttMs === 'number' ? `round trip ${rttMs.toFixed(1)} ms, ` : '';
  return `${nameOf(address)}, ${roundTrip}${humanBytes(bytesIn)} in, ${humanBytes(bytesOut)} out`;
}

const pipeText = ({ name, kind, path }: Params) =>
  `${nameOf(name)} (${nameOf(kind)}), ${pathText(path) ?? 'waiting for a way'}`;

const trialText = ({ reached, elapsedMs, reason }: Params) =>
  reached === true ? `just now, reached in ${elapsedMs} ms` : `just now, not reached: ${nameOf(reason)}`;

/** The same text several times is one line. */
function eachOnce(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => (count === 1 ? text : `${text}, ${count} times`));
}

/** Each address with how its last attempt ended, those of attempts alone among them. */
function addressTexts(report: Params): string[] {
  const attempts = new Map(objectsOf(report.attempts).map((attempt) => [textOf(attempt.address), attempt]));
  const sources = new Map(objectsOf(report.addresses).map(({ address, source }) => [textOf(address), textOf(source)]));
  return [...new Set([...sources.keys(), ...attempts.keys()])].map((address) => {
    const source = sources.get(address);
    return `${nameOf(address)}${source === undefined ? '' : ` (${nameOf(source)})`}: ${outcomeText(attempts.get(address))}`;
  });
}

function outcomeText(attempt: Params | undefined): string {
  if (attempt === undefined) return 'not tried';
  const { outcome, reason, at, failures } = attempt;
  if (outcome === 'linked') return `linked at ${nameOf(at)}`;
  const times = Number(failures) > 1 ? ` ${failures} times` : '';
  return `failed${times}, last at ${nameOf(at)}: ${nameOf(reason) || nameOf(outcome)}`;
}

function relayText({ relay, name, its, own, linked }: Params): string {
  const leases = its === true ? (own === true ? 'both lease there' : 'it leases there') : 'this peer leases there';
  return `${called(name, relay)}, ${leases}, ${linked === true ? 'linked' : 'no link to it'}`;
}

function objectOf(value: JsonValue | undefined): readonly Params[] {
  return objectsOf(value === undefined || value === null ? [] : [value]);
}
