import {
  type ActionAffordance,
  completeDescription,
  type DataSchema,
  type EventAffordance,
  type JsonValue,
  type PeerId,
  PipevineError,
  type PropertyAffordance,
  peerIdFromBytes,
  type ThingInit,
  thingKeyOfTitle,
  type WithoutForms,
} from '@pipevine/runtime';

/** A property as a row of the dialog; its fields are texts. */
export interface PropertyRow {
  readonly name: string;
  readonly type?: string;
  readonly unit?: string;
  readonly readOnly?: boolean;
  readonly observable?: boolean;
  readonly minimum?: string | number;
  readonly maximum?: string | number;
  /** The choices, with commas between. */
  readonly enum?: string;
}
/** Types: empty for none, `any`, or one of JSON Schema. */
export interface ActionRow {
  readonly name: string;
  readonly input?: string;
  readonly output?: string;
}
export interface EventRow {
  readonly name: string;
  readonly data?: string;
}

/** What the dialog of a thing that a flow exposes saves. */
export interface DescriptionConfig {
  readonly title?: string;
  readonly about?: string;
  readonly propertyRows?: readonly PropertyRow[];
  readonly actionRows?: readonly ActionRow[];
  readonly eventRows?: readonly EventRow[];
  /** `json`: the whole is `td`, and the rows are not looked at. */
  readonly form?: 'rows' | 'json';
  readonly td?: string;
}

const TYPES = ['boolean', 'integer', 'number', 'string', 'object', 'array', 'null'] as const;
const MAX_TEXT = 256 * 1024;
/** A description is checked before it is known who exposes it. */
const ANY_PEER: PeerId = peerIdFromBytes(new Uint8Array(32));

/**
 * What the dialog describes, checked by the runtime. Throws `invalid-argument`, saying where it is wrong.
 */
export function exposedDescription(config: DescriptionConfig): ThingInit {
  const init = config.form === 'json' ? fromJson(config.td ?? '') : fromRows(config);
  const { title } = init;
  if (typeof title !== 'string' || title.trim() === '') throw invalid('The thing has no title.');
  completeDescription(init, { peer: ANY_PEER, key: thingKeyOfTitle(title) });
  return init;
}

/** A Thing Description, or one less what the runtime fills in, which is replaced. */
function fromJson(text: string): ThingInit {
  if (text.length > MAX_TEXT) throw invalid(`A Thing Description has at most ${MAX_TEXT} characters.`);
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw invalid(`The Thing Description is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (!isObject(given)) throw invalid('A Thing Description is a JSON object.');
  // Its members are checked when it is completed.
  const { id, base, security, securityDefinitions, forms, '@context': _, ...rest } = given;
  for (const kind of ['properties', 'actions', 'events']) if (kind in rest) rest[kind] = withoutForms(rest[kind], kind);
  return rest as unknown as ThingInit;
}

function withoutForms(affordances: unknown, kind: string): unknown {
  if (!isObject(affordances)) throw invalid(`${kind} is an object of objects.`);
  const bare = Object.entries(affordances).map(([name, affordance]) => {
    if (!isObject(affordance)) throw invalid(`${kind}/${name.slice(0, 80)} is an object.`);
    const { forms, ...rest } = affordance;
    return [name, rest];
  });
  return Object.fromEntries(bare);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fromRows({ title = '', about = '', propertyRows, actionRows, eventRows }: DescriptionConfig): ThingInit {
  return {
    title: title.trim(),
    ...(about.trim() !== '' && { description: about.trim() }),
    ...(propertyRows?.length && { properties: named('property', propertyRows, property) }),
    ...(actionRows?.length && { actions: named('action', actionRows, action) }),
    ...(eventRows?.length && { events: named('event', eventRows, event) }),
  };
}

function property(row: PropertyRow): WithoutForms<PropertyAffordance> {
  const { name, unit = '', readOnly = false, observable = true } = row;
  const type = typeNamed(row.type, `property "${name}"`);
  const minimum = bound(row.minimum, `The least value of property "${name}"`);
  const maximum = bound(row.maximum, `The greatest value of property "${name}"`);
  const choices = (row.enum ?? '').split(',').flatMap((text) => (text.trim() === '' ? [] : [text.trim()]));
  return {
    ...type,
    ...(unit.trim() !== '' && { unit: unit.trim() }),
    readOnly: readOnly === true,
    observable: observable === true,
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    ...(choices.length > 0 && { enum: choices.map((text) => choice(text, type?.type, name)) }),
  };
}

function action({ name, input, output }: ActionRow): WithoutForms<ActionAffordance> {
  const taken = typeNamed(input, `the input of action "${name}"`);
  const given = typeNamed(output, `the output of action "${name}"`);
  return { ...(taken && { input: taken }), ...(given && { output: given }) };
}

function event({ name, data }: EventRow): WithoutForms<EventAffordance> {
  const given = typeNamed(data, `the data of event "${name}"`);
  return given === undefined ? {} : { data: given };
}

function named<R extends { readonly name: string }, A>(
  kind: string,
  rows: readonly R[],
  make: (row: R) => A,
): { readonly [name: string]: A } {
  const found = new Map<string, A>();
  for (const given of rows) {
    const row = { ...given, name: String(given.name ?? '').trim() };
    if (row.name === '') throw invalid(`A ${kind} has no name.`);
    if (found.has(row.name)) throw invalid(`There are two of the ${kind} "${row.name}".`);
    found.set(row.name, make(row));
  }
  return Object.fromEntries(found);
}

/** Undefined: there is none. `any`: one of any type. */
function typeNamed(name: string | undefined, what: string): DataSchema | undefined {
  if (name === undefined || name === '') return undefined;
  if (name === 'any') return {};
  const type = TYPES.find((one) => one === name);
  if (type === undefined) throw invalid(`The type of ${what} is one of ${TYPES.join(', ')} or any; not "${name}".`);
  return { type };
}

function bound(value: string | number | undefined, what: string): number | undefined {
  const text = String(value ?? '').trim();
  if (text === '') return undefined;
  const number = Number(text);
  if (!Number.isFinite(number)) throw invalid(`${what} is a number, not "${text}".`);
  return number;
}

function choice(text: string, type: DataSchema['type'], name: string): JsonValue {
  if (type !== 'number' && type !== 'integer') return text;
  const number = Number(text);
  if (!Number.isFinite(number)) throw invalid(`The choices of property "${name}" are numbers, not "${text}".`);
  return number;
}

const invalid = (message: string) => new PipevineError('invalid-argument', message);
