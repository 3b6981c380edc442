import { expect, it } from 'vitest';
import { registration } from './foreign-programs.ts';

it('registers heads of ELF files for AArch64 with an emulator that stays open', () => {
  const [, name, type, offset, magic = '', mask = '', emulator, flags] = registration('mine').split(':');
  expect([name, type, offset, emulator, flags]).toEqual(['mine', 'M', '', '/usr/bin/qemu-aarch64-static', 'OCF']);
  const bytes = (text: string) =>
    text
      .split('\\x')
      .slice(1)
      .map((digits) => Number.parseInt(digits, 16));
  // e_machine of the ELF head, little-endian: 183.
  expect([bytes(magic).length, bytes(mask).length]).toEqual([20, 20]);
  expect(bytes(magic).slice(18)).toEqual([183, 0]);
  // Programs that can be loaded anywhere have type 3, others 2.
  expect([2, 3].map((elfType) => elfType & (bytes(mask)[16] ?? 0))).toEqual([2, 2]);
});
