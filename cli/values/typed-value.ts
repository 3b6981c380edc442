import { type DataSchema, type JsonValue, PipevineError } from '@pipevine/runtime';

const TRUE = ['true', 'on'];
const FALSE = ['false', 'off'];

/**
 * What a person typed, as the JSON value that the schema asks for: `on` for a boolean, `warm` without quotes for a string.
 * Where the schema names no type: JSON if it parses, else a string. Throws `invalid-argument`. Ranges are checked later.
 */
export function typedValue(text: string, schema: DataSchema | undefined, what: string): JsonValue {
  const choices = schema?.enum;
  if (choices !== undefined) {
    const exact = choices.find((choice) => textOf(choice) === text);
    const folded = choices.filter((choice) => textOf(choice).toLowerCase() === text.toLowerCase());
    const chosen = exact ?? (folded.length === 1 ? folded[0] : undefined);
    if (chosen !== undefined) return chosen;
    throw unfit(what, `one of ${choices.slice(0, 20).map(textOf).join(', ')}`, text);
  }
  const parsed = parseJson(text);
  switch (schema?.type) {
    case 'boolean':
      if (TRUE.includes(text.toLowerCase())) return true;
      if (FALSE.includes(text.toLowerCase())) return false;
      throw unfit(what, 'true or false (on and off will do)', text);
    case 'number':
    case 'integer':
      if (typeof parsed === 'number' && (schema.type === 'number' || Number.isInteger(parsed))) return parsed;
      throw unfit(what, schema.type === 'integer' ? 'a whole number' : 'a number', text);
    case 'string':
      return typeof parsed === 'string' ? parsed : text;
    case 'null':
      if (parsed === null) return null;
      throw unfit(what, 'null', text);
    case 'array':
      if (Array.isArray(parsed)) return parsed;
      throw unfit(what, "a JSON array such as '[1, 2]'", text);
    case 'object':
      if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
      throw unfit(what, 'a JSON object such as \'{"key": 1}\'', text);
    default:
      return parsed === undefined ? text : parsed;
  }
}

const textOf = (value: JsonValue) => (typeof value === 'string' ? value : JSON.stringify(value));

function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unfit(what: string, expected: string, text: string): PipevineError {
  return new PipevineError('invalid-argument', `${what} takes ${expected}, not "${text.slice(0, 100)}"`);
}
