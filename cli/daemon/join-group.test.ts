import { expect, it } from 'vitest';
import { isCode } from './join-group.ts';

const CODE = 'BAGSH-AITD4-TYSDV-SDVZU-P2KBP-O7A75-WECB5-LU7UC-DMM5Z';

it.each([
  CODE,
  CODE.toLowerCase(),
  CODE.replaceAll('-', ''),
  CODE.replaceAll('-', ' '),
  ` ${CODE}\n`,
  // With a character lost or added: the code's own check says what is wrong.
  CODE.replace('AITD4', 'AIT4'),
  CODE.replace('AITD4', 'AITDD4'),
  `pipevine://join/${CODE}?seed=tcp%3A%2F%2Fhost%3A1`,
  'pipevine://join/nonsense',
])('takes %j for a join code', (text) => {
  expect(isCode(text)).toBe(true);
});

it.each([
  'home of ann',
  'Bobby-house',
  'book club on every second sunday evening here',
  'urn:pipevine:group:pe6yom633timxqdq2gty5adtgvte5okng6ckmncie3t6lichbvba',
  'be6yom633timxqdq2gty5adtgvte5okng6ckmncie3t6lichbvba',
  '',
])('takes %j for the name or id of a group', (text) => {
  expect(isCode(text)).toBe(false);
});
