/**
 * Who may do what, and what the refused one sees. Written by hand, so that a change of the roles or of what an operation
 * takes shows here:
 *
 * | cell      | outcome                                                                              |
 * |-----------|--------------------------------------------------------------------------------------|
 * | yes       | it is served                                                                         |
 * | lacks     | `refused`: the message names the missing capability and how to get it                |
 * | unknown   | `refused` before it can ask: no credential that would do                             |
 * | expired   | `expired` before it can ask                                                          |
 * | revoked   | `revoked` before it can ask                                                          |
 */
const TABLE = `
operation            stranger impostor guest  member host   relay  rendezvous gateway administrator expired revoked
discovery.query      unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
discovery.watch      unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
resolver.query       unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
resolver.propagate   unknown  unknown  lacks  yes    lacks  lacks  lacks      yes     yes           expired revoked
rendezvous.lease     unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
rendezvous.push      unknown  unknown  lacks  yes    lacks  lacks  lacks      yes     yes           expired revoked
rendezvous.replicate unknown  unknown  lacks  lacks  lacks  lacks  yes        yes     yes           expired revoked
rendezvous.peerview  unknown  unknown  lacks  lacks  lacks  lacks  yes        yes     yes           expired revoked
relay.lease          unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
mailbox.put          unknown  unknown  lacks  yes    lacks  lacks  lacks      yes     yes           expired revoked
mailbox.take         unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
mailbox.done         unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
punch.observe        unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
punch.request        unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
route.query          unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
peerinfo.read        unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
thing.read           unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
thing.observe        unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
thing.subscribe      unknown  unknown  yes    yes    lacks  lacks  lacks      yes     yes           expired revoked
thing.write          unknown  unknown  lacks  yes    lacks  lacks  lacks      yes     yes           expired revoked
thing.invoke         unknown  unknown  lacks  yes    lacks  lacks  lacks      yes     yes           expired revoked
pipe.bind            unknown  unknown  lacks  yes    lacks  lacks  lacks      yes     yes           expired revoked
`;

const OUTCOMES = ['yes', 'lacks', 'unknown', 'expired', 'revoked'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Who asks: a role that a credential gives alone, or somebody whose credential does not do. */
export const WHO = [
  'stranger',
  'impostor',
  'guest',
  'member',
  'host',
  'relay',
  'rendezvous',
  'gateway',
  'administrator',
  'expired',
  'revoked',
] as const;
export type Who = (typeof WHO)[number];

export interface AccessRow {
  readonly operation: string;
  readonly outcomes: ReadonlyMap<Who, Outcome>;
}

/** The table, row by row. Throws when a row is not whole. */
export function accessTable(): AccessRow[] {
  const [head = [], ...rows] = TABLE.trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  if (head.slice(1).join() !== WHO.join()) throw new Error(`The columns are to be ${WHO.join(', ')}.`);
  return rows.map(([operation = '', ...cells]) => ({
    operation,
    outcomes: new Map(
      WHO.map((who, at) => {
        const outcome = OUTCOMES.find((one) => one === cells[at]);
        if (outcome === undefined) throw new Error(`Row ${operation} says "${cells[at]}" of a ${who}.`);
        return [who, outcome];
      }),
    ),
  }));
}
