import { PipevineError } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { Template } from './template.ts';
import type { TemplateValue } from './value.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

function scope(value: string, more: Readonly<Record<string, TemplateValue>> = {}): Map<string, TemplateValue> {
  const variables = new Map<string, TemplateValue>(Object.entries(more));
  variables.set('value', value);
  try {
    variables.set('value_json', JSON.parse(value));
  } catch {
    // As in Home Assistant: a payload that is no JSON leaves value_json undefined.
  }
  return variables;
}

function render(source: string, value = '', more: Readonly<Record<string, TemplateValue>> = {}): string {
  return new Template(source).render(scope(value, more), { nowMs: NOW });
}

function failure(source: string, value = ''): { code: string; message: string } {
  try {
    return { code: 'none', message: render(source, value) };
  } catch (error) {
    if (error instanceof PipevineError) return { code: error.code, message: error.message };
    throw error;
  }
}

describe('templates that devices publish', () => {
  it.each<[source: string, value: string, output: string]>([
    ['{{ value }}', ' 21.5 ', '21.5'],
    ['{{ value_json.temperature }}', '{"temperature":21.5}', '21.5'],
    ["{{ value_json['temp outside'] }}", '{"temp outside":-3}', '-3'],
    ['{{ value_json.ENERGY.Power }}', '{"ENERGY":{"Power":12}}', '12'],
    ['{{ value_json.list[1].x }}', '{"list":[1,{"x":"b"}]}', 'b'],
    ['{{ value_json.state }}', '{"state":null}', 'None'],
    ['{{ value_json.on }}', '{"on":true}', 'True'],
    ['{{ value_json.missing }}', '{}', ''],
    ['{{ value_json.missing | default(7) }}', '{}', '7'],
    ["{{ value_json.a | default('none', true) }}", '{"a":""}', 'none'],
    ['{{ value_json.t | float | round(1) }}', '{"t":"20.26"}', '20.3'],
    ['{{ (value_json.t | float * 1.8 + 32) | round(1) }}', '{"t":20}', '68.0'],
    ['{{ value | float(0) }}', 'nonsense', '0'],
    ['{{ value | int }}', '3.7', '3'],
    ['{{ value | int(base=16) }}', 'ff', '255'],
    ['{{ value | int(default=-1) }}', 'x', '-1'],
    ["{{ 'ON' if value_json.state == 'on' else 'OFF' }}", '{"state":"on"}', 'ON'],
    ["{{ value_json.output | iif('on', 'off') }}", '{"output":false}', 'off'],
    [
      '{% if value_json.rssi > -60 %}good{% elif value_json.rssi > -80 %}fair{% else %}bad{% endif %}',
      '{"rssi":-70}',
      'fair',
    ],
    ['{%- set v = value_json.v / 1000 -%}\n{{ v | round(3) }}', '{"v":3011}', '3.011'],
    ["{{ value_json.action.split('_')[0] }}", '{"action":"single_left"}', 'single'],
    ["{{ value | replace('_', ' ') | title }}", 'living_room', 'Living Room'],
    ['{{ value | lower | trim }}', '  OPEN ', 'open'],
    ["{{ value in ['open', 'opening'] }}", 'open', 'True'],
    ["{{ value_json is defined and 'x' in value_json and value_json.x is not none }}", '{"x":0}', 'True'],
    [
      '{% for k, v in value_json.items() %}{{ k }}={{ v }}{% if not loop.last %};{% endif %}{% endfor %}',
      '{"a":1,"b":2.5}',
      'a=1;b=2.5',
    ],
    ["{{ value_json.items | map(attribute='n') | sum }}", '{"x":[]}', 'error'],
    ["{{ value_json['rows'] | map(attribute='n') | list | sum }}", '{"rows":[{"n":1},{"n":2.5}]}', '3.5'],
    [
      "{{ value_json['rows'] | selectattr('id', 'eq', 2) | map(attribute='v') | first }}",
      '{"rows":[{"id":1,"v":"a"},{"id":2,"v":"b"}]}',
      'b',
    ],
    ['{{ value_json.values() | list | max }}', '{"a":3,"b":9}', '9'],
    ["{{ value_json.get('progress', 'null') }}", '{}', 'null'],
    [
      '{{ value_json | tojson }}',
      '{"b":[1,true,null],"a":"<é>"}',
      '{"a": "\\u003c\\u00e9\\u003e", "b": [1, true, null]}',
    ],
    ['{{ value_json.Wifi | to_json }}', '{"Wifi":{"RSSI":64}}', '{"RSSI":64}'],
    ['{{ (value | from_json).a }}', '{"a":5}', '5'],
    ["{{ value_json.t | timestamp_custom('%Y-%m-%d %H:%M', false) }}", '{"t":0}', '1970-01-01 00:00'],
    ['{{ value_json.t | timestamp_utc }}', '{"t":1700000000}', '2023-11-14T22:13:20+00:00'],
    [
      '{{ (as_datetime(value) - timedelta(hours=1)).isoformat() }}',
      '2026-01-01T00:30:00+00:00',
      '2025-12-31T23:30:00+00:00',
    ],
    ['{{ (now() - timedelta(seconds=5)).isoformat() }}', '', '2026-01-02T03:04:00+00:00'],
    ['{{ as_timestamp(now()) | int }}', '', '1767323045'],
    ["{{ '%02d:%02d' | format(value_json.h, value_json.m) }}", '{"h":7,"m":5}', '07:05'],
    ["{{ '{:.1f}%'.format(value_json.p) }}", '{"p":33.333}', '33.3%'],
    ["{{ '#%02x%02x%02x' | format(255, 128, 0) }}", '', '#ff8000'],
    ['{{ value_json.flags | bitwise_and(4) > 0 }}', '{"flags":6}', 'True'],
    ["{{ value | regex_replace('[^0-9.]', '') }}", '12.5 V', '12.5'],
    ["{{ value | regex_findall_index('T:([0-9.]+)') }}", 'H:40 T:21.3', '21.3'],
    ["{% set m = {'0':'idle','1':'heat'} %}{{ m[value] if value in m else 'unknown' }}", '1', 'heat'],
    ["{{ ['off','low','high'][value | int] }}", '2', 'high'],
    ['{{ [[value | int, 0] | max, 100] | min }}', '140', '100'],
    ["{{ {'brightness': (value | int / 255 * 100) | round} | to_json }}", '128', '{"brightness":50}'],
    ['{{ value_json.a ~ "-" ~ value_json.b }}', '{"a":1,"b":2.0}', '1-2'],
    ['{{ value | is_number }} {{ "x" | is_number }}', '4', 'True False'],
    ['{{ value | multiply(0.1) | round(2) }}', '215', '21.5'],
    ['{# a comment #}{% raw %}{{ x }}{% endraw %}', '', '{{ x }}'],
    ['{{ value[1:3] }}{{ value[-1] }}{{ value[::-1] }}', 'abcd', 'bcddcba'],
    [
      '{% set ns = namespace(n=0) %}{% for x in value_json %}{% if x > 1 %}{% set ns.n = ns.n + x %}{% endif %}{% endfor %}{{ ns.n }}',
      '[1,2,3]',
      '5',
    ],
    [
      '{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x > 4 %}{% break %}{% endif %}{{ x }}{% endfor %}',
      '',
      '0134',
    ],
    ['{% for x in [] %}x{% else %}empty{% endfor %}', '', 'empty'],
  ])('%s', (source, value, output) => {
    if (output === 'error') expect(failure(source, value).code).toBe('malformed');
    else expect(render(source, value)).toBe(output);
  });

  it('names the pieces of a remote control event as Zigbee2MQTT does', () => {
    const source = `{% set patterns = [
      {"pattern": '^(?P<button>(?:button_)?[a-z0-9]+)_(?P<action>(?:press|hold)(?:_release)?)$', "groups": ["button", "action"]},
      {"pattern": '^(?P<action>recall|scene)_(?P<scene>[0-2][0-9]{0,2})$', "groups": ["action", "scene"]}
    ] %}
    {% set ns = namespace(r=[('action', value_json.action|default(''))]) %}
    {% for p in patterns %}
      {% set m = (value_json.action|default(''))|regex_findall(p.pattern) %}
      {% if m[0] is undefined %}{% continue %}{% endif %}
      {% for key, value in zip(p.groups, m[0]) %}
        {% set ns.r = ns.r|rejectattr(0, 'eq', key)|list + [(key, value)] %}
      {% endfor %}
    {% endfor %}
    {{ dict.from_keys(ns.r|reject('eq', ('action', '')))|to_json }}`;
    expect(JSON.parse(render(source, '{"action":"button_1_hold_release"}'))).toEqual({
      button: 'button_1',
      action: 'hold_release',
    });
    expect(render(source, '{"action":""}')).toBe('{}');
  });
});

describe('values', () => {
  it.each([
    ['{{ 1.0 }} {{ 1 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 7 // 2 }}', '1.0 1 3.5 3.0 3'],
    ['{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 0.0000001 }}', '1e+16 1000000000000000.0 0.0001 1e-05 1e-07'],
    ['{{ 0.1 + 0.2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ -7 % 3 }} {{ 7 % -3 }}', '0.30000000000000004 1024 0.5 2 -2'],
    ["{{ [1, 'a', None, True, 1.5, (1,), {'k': [\"it's\"]}] }}", "[1, 'a', None, True, 1.5, (1,), {'k': [\"it's\"]}]"],
    [
      '{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 0.125 | round(2) }} {{ -2.5 | round }}',
      '2 4 2.67 0.12 -2',
    ],
    ["{{ 2.1 | round(0, 'ceil') }} {{ 2.9 | round(0, 'floor') }} {{ 2.26 | round(1, 'half') }}", '3 2 2.5'],
    [
      '{{ true == 1 }} {{ 1 == 1.0 }} {{ "1" == 1 }} {{ [1] == [1.0] }} {{ none == false }}',
      'True True False True False',
    ],
    ['{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ not 1 > 2 }}', 'True False True'],
    ["{{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}", 'True True'],
    ['{{ -1 | abs }} {{ (1, 2) + (3,) }} {{ [1] * 3 }}', '1 (1, 2, 3) [1, 1, 1]'],
    [
      "{{ 5 is number }} {{ '5' is string }} {{ x is undefined }} {{ 4 is even }} {{ 9 is divisibleby 3 }}",
      'True True True True True',
    ],
    ['{{ 11 | ordinal }} {{ 22 | ordinal }}', '11th 22nd'],
    ["{{ 'b,a'.split(',') | sort | join('-') }} {{ [3, 1, 3] | unique | list }}", 'a-b [3, 1]'],
    ['{{ none }} {{ x }}|{{ false or "" }}|{{ 0 or 5 }}', 'None ||5'],
  ])('%s prints as in Python', (source, output) => {
    expect(render(source)).toBe(output);
  });

  it('gives a variable that is none, not one that is undefined', () => {
    expect(render('{{ code }} {{ code is none }} {{ code | default("x") }}', '', { code: null })).toBe(
      'None True None',
    );
  });

  it('prints local times with the offset that it is given', () => {
    const template = new Template("{{ 0 | timestamp_custom('%H:%M %z') }} {{ now().hour }}");
    expect(template.render(scope(''), { nowMs: NOW, utcOffsetMinutes: () => 120 })).toBe('02:00 +0200 5');
  });
});

describe('hostile templates', () => {
  it.each([
    ["{{ 'a' * 10**9 }}", 'overloaded'],
    ['{{ [0] * 10**9 }}', 'overloaded'],
    ['{% for i in range(10**9) %}x{% endfor %}', 'overloaded'],
    ['{% for a in range(4000) %}{% for b in range(4000) %}x{% endfor %}{% endfor %}', 'overloaded'],
    [
      "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      'overloaded',
    ],
    ['{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}', 'overloaded'],
    [
      '{% set ns = namespace(s=[]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}',
      'overloaded',
    ],
    [
      '{% set ns = namespace(s=[]) %}{% for i in range(99) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s == ns.s | list }}{{ ns.s | to_json }}',
      'overloaded',
    ],
    ["{{ 'x'.rjust(10**9) }}", 'overloaded'],
    ["{{ '%99999d' | format(1) }}", 'overloaded'],
    ["{{ '{:99999d}'.format(1) }}", 'overloaded'],
    ["{{ ('a' * 60000).replace('a', 'aaaaaaaa') }}", 'overloaded'],
    ["{{ ('a' * 4000) | regex_match('(a+)+$b') }}", 'overloaded'],
    ["{{ ('a' * 30 ~ 'b') | regex_search('(a|a)*c') }}", 'overloaded'],
    ['{{ 10 ** 400 }}', 'overloaded'],
    [`{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`, 'malformed'],
    [`{{ ${'['.repeat(5000)} }}`, 'malformed'],
    [`{{ ${'not '.repeat(3000)} true }}`, 'malformed'],
    [`{{ ${'-'.repeat(5000)}1 }}`, 'malformed'],
    [`{{ 1${' + 1'.repeat(3000)} }}`, 'malformed'],
    [`{{ a${'.b'.repeat(3000)} }}`, 'malformed'],
    [`{{ a${'|d'.repeat(3000)} }}`, 'malformed'],
    [`${'{% if 1 %}'.repeat(1000)}`, 'malformed'],
    [`{{ 1 ${'if 1 else 1 '.repeat(1000)} }}`, 'malformed'],
    ['x'.repeat(20_000), 'malformed'],
    ["{{ ''.__class__.__mro__ }}", 'malformed'],
    ["{{ value.constructor.constructor('return process')() }}", 'malformed'],
    ["{{ value_json.constructor('x') }}", 'malformed'],
    ["{{ [].constructor.constructor('x')() }}", 'malformed'],
    ["{{ range.constructor('x')() }}", 'malformed'],
    ["{{ ''['constructor']['constructor']('x')() }}", 'malformed'],
    ['{{ value_json.__proto__.polluted }}', 'malformed'],
    ["{{ value | attr('constructor') }}", 'malformed'],
    ["{{ states('sensor.x') }}", 'malformed'],
    ['{{ nothing + 1 }}', 'malformed'],
    ['{{ nothing.more }}', 'malformed'],
    ['{{ 1 / 0 }}', 'malformed'],
    ['{{ 1 % 0 }}', 'malformed'],
    ['{{ none | float }}', 'malformed'],
    ["{{ 'x' | nofilter }}", 'malformed'],
    ["{{ 'x' is notest }}", 'malformed'],
    ['{{ value', 'malformed'],
    ['{% if value %}', 'malformed'],
    ['{% endif %}', 'malformed'],
    ['{% include "x" %}', 'malformed'],
    ['{% macro m() %}{% endmacro %}', 'malformed'],
    ['{% break %}', 'malformed'],
    ["{{ 'unterminated }}", 'malformed'],
    ['{{ a b }}', 'malformed'],
    ['{{ 1 ? 2 : 3 }}', 'malformed'],
    ["{{ value | regex_match('(?<=a)b') }}", 'malformed'],
    ["{{ value | regex_match('a{1000}') }}", 'malformed'],
  ])('%.60s is %s', (source, code) => {
    expect(failure(source, '{"x":1}').code).toBe(code);
  });

  it('sees nothing through the prototype of anything', () => {
    const tries = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'];
    for (const name of tries) {
      expect(
        render(
          `{{ value_json.${name} }}${'{{ value_json["'}${name}"] }}{{ value.${name} }}{{ [1].${name} }}`,
          '{"x":1}',
        ),
      ).toBe('');
      expect(render(`{{ ${name} is defined }}`)).toBe('False');
    }
    expect(render('{{ value_json.__proto__ }}', '{"__proto__":"own"}')).toBe('own');
  });

  it('changes nothing that it was given', () => {
    const variables = scope('{"a":[1,2]}');
    const before = JSON.stringify(variables.get('value_json'));
    for (const source of [
      '{% set value_json = 1 %}{{ value_json }}',
      '{{ value_json.a | sort(reverse=true) }}',
      '{{ value_json.a | reverse | list }}',
    ]) {
      new Template(source).render(variables, { nowMs: NOW });
    }
    expect(failure('{{ value_json.a.append(3) }}', '{"a":[]}').code).toBe('malformed');
    expect(JSON.stringify(variables.get('value_json'))).toBe(before);
  });

  it('says which template it was, in few words', () => {
    const { message } = failure(`{{ value | float }}${' '.repeat(10)}${'tail'.repeat(100)}`, 'x');
    expect(message).toContain('{{ value | float }}');
    expect(message.length).toBeLessThan(250);
  });

  it('takes any text as a source without any other error', () => {
    const pieces = [
      '{{',
      '}}',
      '{%',
      '%}',
      'if',
      'for',
      'in',
      'x',
      "'",
      '"',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '|',
      '.',
      ',',
      '-',
      '1',
      'is',
      'not',
      ' ',
    ];
    let seed = 7;
    for (let round = 0; round < 3_000; round += 1) {
      let source = '{{ ';
      for (let length = 0; length < 14; length += 1) {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        source += pieces[seed % pieces.length];
      }
      expect(['none', 'malformed', 'overloaded']).toContain(failure(source, '{"x":1}').code);
    }
  });
});
