import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_AFFORDANCE_NAME, MAX_AFFORDANCES, MAX_SCHEMA_DEPTH } from './thing-defaults.ts';
import type { JsonValue, ThingDescription } from './thing-description.ts';

type JsonObject = { readonly [key: string]: JsonValue };

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
const NUMBERS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'];
const COUNTS = ['minLength', 'maxLength', 'minItems', 'maxItems'];
const TEXTS = ['title', 'description', 'unit', 'format', 'pattern', 'contentEncoding', 'contentMediaType'];
const FLAGS = ['readOnly', 'writeOnly', 'observable', 'safe', 'idempotent', 'synchronous'];

/**
 * Checks that a JSON value is a Thing Description as far as consumers rely on it: every member that ThingDescription
 * names has its type, nested to a bound. Members that it does not name are carried unseen. Throws `malformed`, with the
 * place in the description.
 */
export function readThingDescription(value: JsonValue): ThingDescription {
  const thing = object(value, 'the description');
  text(thing, 'id', '');
  text(thing, 'title', '');
  optionalText(thing, 'description', '');
  optionalText(thing, 'base', '');
  const context = member(thing, '@context');
  if (typeof context !== 'string' && !Array.isArray(context)) wrong('@context', 'text or an array', context);
  checkTypeMember(thing, '');
  const version = member(thing, 'version');
  if (version !== undefined) {
    text(object(version, 'version'), 'instance', 'version/');
    optionalText(object(version, 'version'), 'model', 'version/');
  }
  checkSecurity(thing);
  checkLinks(thing);
  let count = 0;
  for (const kind of ['properties', 'actions', 'events'] as const) {
    const affordances = member(thing, kind);
    if (affordances === undefined) continue;
    for (const [name, affordance] of Object.entries(object(affordances, kind))) {
      if (++count > MAX_AFFORDANCES) malformed(`it has more than ${MAX_AFFORDANCES} properties, actions and events`);
      if (name === '' || name.length > MAX_AFFORDANCE_NAME) {
        malformed(`the names in ${kind} must have 1 to ${MAX_AFFORDANCE_NAME} characters`);
      }
      checkAffordance(kind, object(affordance, `${kind}/${name}`), `${kind}/${name}`);
    }
  }
  // Every member that the type names was checked above.
  return value as unknown as ThingDescription;
}

function checkAffordance(kind: 'properties' | 'actions' | 'events', affordance: JsonObject, at: string): void {
  const forms = member(affordance, 'forms');
  if (!Array.isArray(forms) || forms.length === 0) return wrong(`${at}/forms`, 'an array of at least one form', forms);
  for (const form of forms as readonly JsonValue[]) {
    text(object(form, `${at}/forms`), 'href', `${at}/forms/`);
    const op = member(object(form, `${at}/forms`), 'op');
    if (op !== undefined) texts(op, `${at}/forms/op`);
  }
  const schemas = { properties: [], actions: ['input', 'output'], events: ['data', 'subscription', 'cancellation'] };
  checkSchema(affordance, at, MAX_SCHEMA_DEPTH);
  for (const name of schemas[kind]) {
    const schema = member(affordance, name);
    if (schema !== undefined) checkSchema(object(schema, `${at}/${name}`), `${at}/${name}`, MAX_SCHEMA_DEPTH);
  }
}

function checkSchema(schema: JsonObject, at: string, depthLeft: number): void {
  if (depthLeft === 0) malformed(`${at} is nested deeper than ${MAX_SCHEMA_DEPTH}`);
  checkTypeMember(schema, `${at}/`);
  const type = member(schema, 'type');
  if (type !== undefined && !(typeof type === 'string' && TYPES.includes(type))) {
    wrong(`${at}/type`, `one of ${TYPES.join(', ')}`, type);
  }
  for (const name of TEXTS) optionalText(schema, name, `${at}/`);
  for (const name of FLAGS) {
    const flag = member(schema, name);
    if (flag !== undefined && typeof flag !== 'boolean') wrong(`${at}/${name}`, 'true or false', flag);
  }
  for (const name of [...NUMBERS, ...COUNTS]) {
    const number = member(schema, name);
    if (number === undefined) continue;
    const good =
      typeof number === 'number' && (NUMBERS.includes(name) || (Number.isSafeInteger(number) && number >= 0));
    if (!good) wrong(`${at}/${name}`, 'a number', number);
  }
  const step = member(schema, 'multipleOf');
  if (typeof step === 'number' && step <= 0) wrong(`${at}/multipleOf`, 'more than 0', step);
  const choices = member(schema, 'enum');
  if (choices !== undefined && (!Array.isArray(choices) || choices.length === 0)) {
    wrong(`${at}/enum`, 'an array of at least one value', choices);
  }
  const required = member(schema, 'required');
  if (required !== undefined) texts(required, `${at}/required`);
  const inner: (readonly [string, JsonValue])[] = [];
  const alternatives = member(schema, 'oneOf');
  if (alternatives !== undefined) inner.push(...list(alternatives, `${at}/oneOf`));
  const items = member(schema, 'items');
  if (items !== undefined)
    inner.push(...(Array.isArray(items) ? list(items, `${at}/items`) : [['items', items] as const]));
  const properties = member(schema, 'properties');
  if (properties !== undefined) inner.push(...Object.entries(object(properties, `${at}/properties`)));
  for (const [name, value] of inner) checkSchema(object(value, `${at}/${name}`), `${at}/${name}`, depthLeft - 1);
}

function checkSecurity(thing: JsonObject): void {
  const security = member(thing, 'security');
  if (security === undefined) wrong('security', 'text or an array of text', security);
  else texts(security, 'security');
  const definitions = member(thing, 'securityDefinitions');
  for (const [name, scheme] of Object.entries(object(definitions, 'securityDefinitions'))) {
    text(object(scheme, `securityDefinitions/${name}`), 'scheme', `securityDefinitions/${name}/`);
  }
}

function checkLinks(thing: JsonObject): void {
  const links = member(thing, 'links');
  if (links === undefined) return;
  for (const [, link] of list(links, 'links')) {
    text(object(link, 'links'), 'href', 'links/');
    optionalText(object(link, 'links'), 'rel', 'links/');
  }
}

function checkTypeMember(value: JsonObject, at: string): void {
  const type = member(value, '@type');
  if (type !== undefined) texts(type, `${at}@type`);
}

/** A member of its own: a name like `constructor` must not find what every object inherits. */
function member(value: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function object(value: JsonValue | undefined, at: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'an object', value);
  // Neither null nor an array: of the JSON values an object is left.
  return value as JsonObject;
}

function list(value: JsonValue, at: string): (readonly [string, JsonValue])[] {
  if (!Array.isArray(value)) return wrong(at, 'an array', value);
  return (value as readonly JsonValue[]).map((entry, index) => [String(index), entry] as const);
}

function text(value: JsonObject, name: string, at: string): void {
  const found = member(value, name);
  if (typeof found !== 'string' || found === '') wrong(`${at}${name}`, 'text that is not empty', found);
}

function optionalText(value: JsonObject, name: string, at: string): void {
  const found = member(value, name);
  if (found !== undefined && typeof found !== 'string') wrong(`${at}${name}`, 'text', found);
}

function texts(value: JsonValue, at: string): void {
  const good = Array.isArray(value) ? value.every((entry) => typeof entry === 'string') : typeof value === 'string';
  if (!good) wrong(at, 'text or an array of text', value);
}

function wrong(at: string, expected: string, value: JsonValue | undefined): never {
  const kind = value === undefined ? 'nothing' : (JSON.stringify(value) ?? 'nothing').slice(0, 60);
  return malformed(`${at} must be ${expected}, not ${kind}`);
}

function malformed(what: string): never {
  throw new PipevineError('malformed', `Not a Thing Description 1.1: ${what}.`);
}
