import { describe, expect, it } from 'vitest';
import { addElfNote, machineOf, stripElf } from './elf-executable.ts';

const LOAD = 1;
const INTERPRETER = 3;
const NOTE = 4;
const PATH = '/lib/ld.so.1\0';

/** Header, four program headers, the interpreter's path, 64 bytes of notes, 16 of code, then 32 for debuggers. */
function executable({ interpreterAt = 64 + 4 * 56, machine = 183, type = 2 } = {}): Uint8Array {
  const noteAt = 64 + 4 * 56 + 16;
  const image = new Uint8Array(noteAt + 64 + 16 + 32);
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, 64n, true);
  view.setBigUint64(40, BigInt(image.length - 32), true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 4, true);
  view.setUint16(60, 1, true);
  const header = (index: number, kind: number, offset: number, bytes: number) => {
    const at = 64 + index * 56;
    view.setUint32(at, kind, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, BigInt(0x400000 + offset), true);
    view.setBigUint64(at + 32, BigInt(bytes), true);
    view.setBigUint64(at + 40, BigInt(bytes), true);
  };
  header(0, 6, 64, 4 * 56);
  header(1, INTERPRETER, interpreterAt, PATH.length);
  header(2, LOAD, 0, noteAt + 64 + 16);
  header(3, NOTE, noteAt, 64);
  image.set(new TextEncoder().encode(PATH), interpreterAt);
  image.fill(0x90, noteAt + 64, noteAt + 64 + 16);
  return image;
}

function segments(image: Uint8Array) {
  const view = new DataView(image.buffer);
  return Array.from({ length: view.getUint16(56, true) }, (_each, index) => {
    const at = 64 + index * 56;
    const offset = Number(view.getBigUint64(at + 8, true));
    const bytes = Number(view.getBigUint64(at + 32, true));
    return {
      type: view.getUint32(at, true),
      address: view.getBigUint64(at + 16, true),
      offset,
      content: image.subarray(offset, offset + bytes),
    };
  });
}

describe('strip', () => {
  it('keeps what is loaded, byte for byte, and nothing behind it', () => {
    const image = executable();
    const stripped = stripElf(image);
    expect(stripped).toHaveLength(image.length - 32);
    expect(stripped.subarray(64)).toEqual(image.subarray(64, stripped.length));
    const view = new DataView(stripped.buffer);
    expect([view.getBigUint64(40, true), view.getUint16(60, true)]).toEqual([0n, 0]);
  });

  it('leaves the original alone, also if it is a Buffer', () => {
    const image = Buffer.from(executable());
    const before = Buffer.from(image);
    stripElf(image);
    expect(image.equals(before)).toBe(true);
  });
});

describe('note', () => {
  const content = new Uint8Array([1, 2, 3, 4, 5]);
  const changed = addElfNote(stripElf(executable()), 'NODE_SEA_BLOB', content);

  it('is found by its program header: length of the name, of the content, name, content', () => {
    const note = segments(changed).find(({ type }) => type === NOTE)?.content ?? new Uint8Array();
    const view = new DataView(note.buffer, note.byteOffset);
    expect([view.getUint32(0, true), view.getUint32(4, true)]).toEqual([14, 5]);
    expect(new TextDecoder().decode(note.subarray(12, 26))).toBe('NODE_SEA_BLOB\0');
    expect(note.subarray(28, 33)).toEqual(content);
  });

  it('is loaded, above all else, where file and address agree in their page', () => {
    const loaded = segments(changed).filter(({ type }) => type === LOAD);
    expect(loaded).toHaveLength(2);
    const [first, second] = loaded;
    expect(second?.address).toBeGreaterThan(first?.address ?? 0n);
    expect((second?.address ?? 1n) % 0x10000n).toBe(BigInt(second?.offset ?? 0) % 0x10000n);
  });

  it('keeps the path of the interpreter and the code', () => {
    const interpreter = segments(changed).find(({ type }) => type === INTERPRETER);
    expect(new TextDecoder().decode(interpreter?.content)).toBe(PATH);
    expect(interpreter?.address).toBe(BigInt(0x400000 + (interpreter?.offset ?? 0)));
    const original = stripElf(executable());
    expect(changed.subarray(original.length - 16, original.length)).toEqual(original.subarray(-16));
  });

  it('is refused where there is no room for its program header', () => {
    expect(() => addElfNote(executable({ interpreterAt: 64 + 4 * 56 + 32 }), 'X', content)).toThrow(
      /expected the interpreter/,
    );
  });

  it('is refused in an executable whose addresses are not fixed', () => {
    expect(() => addElfNote(executable({ type: 3 }), 'X', content)).toThrow(/fixed addresses/);
  });
});

it('tells machines apart, and executables from other files', () => {
  expect([machineOf(executable()), machineOf(executable({ machine: 62 }))]).toEqual(['arm64', 'x64']);
  expect(() => machineOf(executable({ machine: 8 }))).toThrow(/machine 8/);
  expect(() => machineOf(new TextEncoder().encode('#!/bin/sh\n'))).toThrow(/another file/);
});
