/**
 * Edits of a 64-bit little-endian ELF executable (System V ABI, chapters 4 and 5) that is linked to fixed addresses, as
 * Node's are: without its symbols, and with a note of our own that is mapped into memory.
 *
 *     ELF header | program headers | ... segments ... | sections for debuggers
 *
 * A new segment needs a new program header, and directly behind these stand the interpreter's path and the notes of the
 * linker. The notes give way: the path moves to where they were, and their program header points to the new note.
 */

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const PF_READ = 4;
const ET_EXEC = 2;
/** The largest page of the boards' kernels: file offset and address of a segment must agree in these bits. */
const PAGE_BYTES = 0x10000n;

interface Segment {
  /** Of its program header in the file. */
  readonly at: number;
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileBytes: number;
  readonly memoryBytes: bigint;
}

export type ElfMachine = 'x64' | 'arm64';
const MACHINES: Readonly<Record<ElfMachine, number>> = { x64: 62, arm64: 183 };

/** The machine that an ELF executable runs on. Throws when it is no ELF executable of a known one. */
export function machineOf(image: Uint8Array): ElfMachine {
  const view = viewOf(image);
  const isElf = image.length >= HEADER_BYTES && view.getUint32(0) === 0x7f454c46 && image[4] === 2 && image[5] === 1;
  const machine = isElf ? view.getUint16(18, true) : undefined;
  if (machine === MACHINES.x64) return 'x64';
  if (machine === MACHINES.arm64) return 'arm64';
  throw new Error(
    `expected a 64-bit ELF executable for x64 or arm64, found ${isElf ? `machine ${machine}` : 'another file'}`,
  );
}

/** The same executable up to the end of what is loaded: no symbols, no debugging information, no section table. */
export function stripElf(image: Uint8Array): Uint8Array {
  machineOf(image);
  const loaded = segmentsOf(image).filter(({ type }) => type === PT_LOAD);
  const end = Math.max(...loaded.map(({ offset, fileBytes }) => offset + fileBytes));
  // A Buffer's slice() would be a view of it.
  const stripped = new Uint8Array(image.subarray(0, end));
  const view = viewOf(stripped);
  view.setBigUint64(40, 0n, true); // e_shoff
  view.setUint16(60, 0, true); // e_shnum
  view.setUint16(62, 0, true); // e_shstrndx
  return stripped;
}

/** The executable with one more segment: a note of this name (ASCII) that holds the content. */
export function addElfNote(image: Uint8Array, name: string, content: Uint8Array): Uint8Array {
  machineOf(image);
  const segments = segmentsOf(image);
  const header = viewOf(image);
  if (header.getUint16(16, true) !== ET_EXEC)
    throw new Error('expected an executable that is linked to fixed addresses');
  const interpreter = only(segments, PT_INTERP);
  const note = only(segments, PT_NOTE);
  const newHeader = HEADER_BYTES + segments.length * PROGRAM_HEADER_BYTES;
  const path = image.slice(interpreter.offset, interpreter.offset + interpreter.fileBytes);
  const pathAt = newHeader + PROGRAM_HEADER_BYTES;
  const isBehindHeaders = interpreter.offset === newHeader && note.offset >= newHeader + path.length;
  if (
    !isBehindHeaders ||
    note.offset - newHeader > path.length + 3 ||
    pathAt + path.length > note.offset + note.fileBytes
  ) {
    throw new Error(
      'expected the interpreter and then the notes behind the program headers; is it a Node of another build?',
    );
  }

  const loaded = segments.filter(({ type }) => type === PT_LOAD);
  const highest = loaded.reduce((max, { address, memoryBytes }) => {
    const end = address + memoryBytes;
    return end > max ? end : max;
  }, 0n);
  const address = roundUp(highest, PAGE_BYTES);
  const offset = Number(roundUp(BigInt(image.length), PAGE_BYTES));
  const bytes = noteOf(name, content);
  const out = new Uint8Array(offset + bytes.length);
  out.set(image);
  out.set(bytes, offset);
  const view = viewOf(out);

  const base = interpreter.address - BigInt(interpreter.offset);
  out.fill(0, newHeader, note.offset + note.fileBytes);
  out.set(path, pathAt);
  writeSegment(view, interpreter.at, PT_INTERP, pathAt, base + BigInt(pathAt), path.length, 1n);
  writeSegment(view, note.at, PT_NOTE, offset, address, bytes.length, 4n);
  writeSegment(view, newHeader, PT_LOAD, offset, address, bytes.length, PAGE_BYTES);
  view.setUint16(56, segments.length + 1, true); // e_phnum
  for (const { at, type } of segments) {
    if (type !== 6) continue; // PT_PHDR
    const size = BigInt((segments.length + 1) * PROGRAM_HEADER_BYTES);
    view.setBigUint64(at + 32, size, true);
    view.setBigUint64(at + 40, size, true);
  }
  return out;
}

function segmentsOf(image: Uint8Array): Segment[] {
  const view = viewOf(image);
  if (view.getBigUint64(32, true) !== BigInt(HEADER_BYTES) || view.getUint16(54, true) !== PROGRAM_HEADER_BYTES) {
    throw new Error('expected the program headers of the ELF file directly behind its header');
  }
  return Array.from({ length: view.getUint16(56, true) }, (_each, index) => {
    const at = HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
    return {
      at,
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      address: view.getBigUint64(at + 16, true),
      fileBytes: Number(view.getBigUint64(at + 32, true)),
      memoryBytes: view.getBigUint64(at + 40, true),
    };
  });
}

function writeSegment(
  view: DataView,
  at: number,
  type: number,
  offset: number,
  address: bigint,
  bytes: number,
  align: bigint,
): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, PF_READ, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 16, address, true);
  view.setBigUint64(at + 24, address, true);
  view.setBigUint64(at + 32, BigInt(bytes), true);
  view.setBigUint64(at + 40, BigInt(bytes), true);
  view.setBigUint64(at + 48, align, true);
}

/** `u32 name length | u32 content length | u32 type | name, 0 | content`, both padded to 4 bytes. */
function noteOf(name: string, content: Uint8Array): Uint8Array {
  const label = new TextEncoder().encode(`${name}\0`);
  const contentAt = 12 + padded(label.length);
  const note = new Uint8Array(contentAt + padded(content.length));
  const view = viewOf(note);
  view.setUint32(0, label.length, true);
  view.setUint32(4, content.length, true);
  note.set(label, 12);
  note.set(content, contentAt);
  return note;
}

function only(segments: readonly Segment[], wanted: number): Segment {
  const [found, second] = segments.filter(({ type }) => type === wanted);
  if (found === undefined || second !== undefined) throw new Error(`expected one program header of type ${wanted}`);
  return found;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const padded = (length: number) => (length + 3) & ~3;
const roundUp = (value: bigint, unit: bigint) => ((value + unit - 1n) / unit) * unit;
