import { type DataSchema, type JsonValue, PipevineError } from '@pipevine/runtime';

/** Largest value, characters of JSON: what the runtime takes on the wire. */
const MAX_CHARACTERS = 256 * 1024;
const TRUE = ['true', 'on', '1', 'yes'];
const FALSE = ['false', 'off', '0', 'no'];

/**
 * A payload as the data schema wants it, where there is one way to read it: "20" as a number, "on" or 1 as true, 20 as a text, a
 * text of JSON as a list or an object, "ON" as the choice "on", a Buffer as base64 text where the schema says so. All else is left
 * for the runtime's check to refuse. Throws `invalid-argument` for what is no JSON value.
 */
export function coercedValue(schema: DataSchema, value: unknown, what: string): JsonValue {
  const json = jsonValue(value, schema, what);
  const choice = chosen(schema, json);
  if (choice !== undefined) return choice;
  switch (schema.type) {
    case 'boolean':
      return toBoolean(json) ?? json;
    case 'number':
    case 'integer':
      return toNumber(json) ?? json;
    case 'string':
      return typeof json === 'number' || typeof json === 'boolean' ? String(json) : json;
    case 'object':
    case 'array':
      return typeof json === 'string' ? (parsed(json, schema.type) ?? json) : json;
    default:
      return json;
  }
}

/** Throws `invalid-argument`. */
export function jsonValue(value: unknown, schema: Pick<DataSchema, 'contentEncoding'>, what: string): JsonValue {
  const refuse = (came: string) =>
    new PipevineError('invalid-argument', `The value of ${what} is a JSON value, not ${came}.`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refuse(String(value));
    return value;
  }
  if (value instanceof Uint8Array) {
    if (schema.contentEncoding === 'base64') return Buffer.from(value).toString('base64');
    throw refuse('a Buffer');
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw refuse(`this: ${cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)}`);
  }
  if (text === undefined) throw refuse(typeof value);
  if (text.length > MAX_CHARACTERS) {
    throw new PipevineError(
      'too-large',
      `The value of ${what} has ${text.length} characters of JSON; ${MAX_CHARACTERS} are allowed.`,
    );
  }
  // What JSON.stringify makes is JSON.
  return JSON.parse(text) as JsonValue;
}

/** One of the choices, though it differs in case or is written as a text. */
function chosen({ enum: choices }: DataSchema, value: JsonValue): JsonValue | undefined {
  if (choices === undefined || typeof value === 'object' || choices.includes(value)) return undefined;
  const wanted = String(value).toLowerCase();
  const alike = choices.filter((choice) => typeof choice !== 'object' && String(choice).toLowerCase() === wanted);
  return alike.length === 1 ? alike[0] : undefined;
}

function toBoolean(value: JsonValue): boolean | undefined {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim().toLowerCase() : '';
  if (TRUE.includes(text)) return true;
  return FALSE.includes(text) ? false : undefined;
}

function toNumber(value: JsonValue): number | undefined {
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function parsed(text: string, type: 'object' | 'array'): JsonValue | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const fits = type === 'array' ? Array.isArray(value) : typeof value === 'object' && value !== null;
    // What JSON.parse gives is JSON.
    return fits ? (value as JsonValue) : undefined;
  } catch {
    return undefined;
  }
}
