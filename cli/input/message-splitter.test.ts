import { describe, expect, it } from 'vitest';
import { frameMessages, lineMessages, MAX_MESSAGE_BYTES, type MessageSplitter, toFrame } from './message-splitter.ts';

const texts = ['', 'a', 'grün', 'x'.repeat(300), ''];

function split(splitter: MessageSplitter, ...chunks: Uint8Array[]): string[] {
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()].map((one) =>
    Buffer.from(one).toString(),
  );
}

describe('standard input as messages', () => {
  it.each([
    ['lines', lineMessages, Buffer.from(texts.map((text) => `${text}\n`).join(''))],
    ['lines with returns', lineMessages, Buffer.from(texts.map((text) => `${text}\r\n`).join(''))],
    ['frames', frameMessages, Buffer.concat(texts.map((text) => toFrame(Buffer.from(text))))],
  ])('is the same messages as %s, cut at whatever byte', (_name, make, bytes) => {
    for (let at = 0; at <= bytes.length; at++) {
      expect(split(make(), bytes.subarray(0, at), bytes.subarray(at))).toEqual(texts);
    }
    expect(split(make(), ...Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(texts);
  });

  it('has a last line without an end, and no last frame without one', () => {
    expect(split(lineMessages(), Buffer.from('a\nb'))).toEqual(['a', 'b']);
    const frame = toFrame(Buffer.from('abc'));
    for (let at = 1; at < frame.length; at++) {
      expect(() => split(frameMessages(), frame.subarray(0, at))).toThrow('ended inside a frame');
    }
  });

  it('is refused before it is kept when a message is too large', () => {
    expect(() => frameMessages().push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow(`${MAX_MESSAGE_BYTES}`);
    const endless = lineMessages();
    const chunk = new Uint8Array(MAX_MESSAGE_BYTES / 2 + 1);
    endless.push(chunk);
    expect(() => endless.push(chunk)).toThrow(`${MAX_MESSAGE_BYTES}`);
  });
});
