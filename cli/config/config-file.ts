import { PipevineError } from '@pipevine/runtime';
import { nearestNames } from '../naming/nearest-name.ts';
import { type OptionValue, optionFault } from './option-value.ts';
import { OPTIONS, type OptionSpec, optionOf } from './options.ts';
import { parseYamlMapping } from './yaml-mapping.ts';

/** A configuration is a page of text; this keeps a wrong file from filling the memory. */
const MAX_CONFIG_BYTES = 64 * 1024;
const SECTIONS = OPTIONS.filter((option: OptionSpec) => option.section).map(({ key }) => key);

/**
 * Reads a configuration file's text. Throws `invalid-argument` with `file:line:column`, what is wrong there and what was
 * expected; of several faults the first, and how many more there are.
 */
export function parseConfig(text: string, file: string): ReadonlyMap<string, OptionValue> {
  if (text.length > MAX_CONFIG_BYTES) {
    throw new PipevineError(
      'invalid-argument',
      `${file} is larger than ${MAX_CONFIG_BYTES} bytes: is it the right file?`,
    );
  }
  const { entries, fault: syntax } = parseYamlMapping(text, SECTIONS);
  const all = syntax === undefined ? [] : [syntax];
  const values = new Map<string, OptionValue>();
  for (const { key, keyOffset, value, valueOffset } of entries) {
    const option = optionOf(key);
    if (option === undefined || option.inFile === false) {
      all.push({ offset: keyOffset, message: unknownKey(key, option) });
      continue;
    }
    const fault = optionFault(option, value);
    if (fault === undefined)
      values.set(key, value as OptionValue); // `optionFault` has checked it
    else all.push({ offset: valueOffset, message: `"${key}": ${fault}` });
  }
  all.sort((a, b) => a.offset - b.offset);
  const [first] = all;
  if (first !== undefined) {
    const before = text.slice(0, first.offset).split('\n');
    const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
    const place = `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
    throw new PipevineError('invalid-argument', `${file}:${place}: ${first.message}${more}`);
  }
  return values;
}

function unknownKey(name: string, option: OptionSpec | undefined): string {
  if (option !== undefined) return `"${name}" cannot stand in the file; use the flag --${name}`;
  if (/password|secret/i.test(name)) {
    return `"${name}": secrets do not belong into this file; set PIPEVINE_MQTT_PASSWORD or "mqtt-password-file"`;
  }
  const keys = OPTIONS.filter((each: OptionSpec) => each.inFile !== false).map((each) => each.key);
  const [near] = nearestNames(name.replaceAll('_', '-'), keys, 1);
  return `unknown key "${name}"; ${near === undefined ? `known are ${keys.join(', ')}` : `did you mean "${near}"?`}`;
}
