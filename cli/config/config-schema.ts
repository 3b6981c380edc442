import { BOARD_SCHEMA } from './board-schema.ts';
import { MAX_LIST } from './option-value.ts';
import { OPTIONS, type OptionSpec, variableOf } from './options.ts';

/** The JSON Schema (2020-12) of the configuration file: what pipevine.schema.json holds, and what editors check with. */
export function configSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:pipevine:schema:configuration:1',
    title: 'Pipevine configuration',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      OPTIONS.filter((option: OptionSpec) => option.inFile !== false).map((option) => [
        option.key,
        optionSchema(option),
      ]),
    ),
  };
}

function optionSchema(option: OptionSpec): object {
  const { type, choices, pattern, minimum, maximum } = option;
  const description = `${option.description}. Variable ${variableOf(option.key)}, flag --${option.key}.`;
  const text = {
    type: 'string',
    ...(choices === undefined ? { minLength: 1 } : { enum: choices }),
    ...(pattern === undefined ? {} : { pattern }),
  };
  if (type === 'list') {
    return { description, anyOf: [text, { type: 'array', items: text, maxItems: MAX_LIST }] };
  }
  if (option.section === true) return { description, anyOf: [{ type }, BOARD_SCHEMA] };
  if (type === 'string') return { description, ...text };
  return {
    description,
    type,
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  };
}
