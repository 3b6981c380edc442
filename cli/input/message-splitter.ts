import { PipevineError } from '@pipevine/runtime';

/** Largest message, bytes: that of a pipe. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const LENGTH_BYTES = 4;

/** Cuts what comes into messages. */
export interface MessageSplitter {
  /** The messages that are complete now. Throws `too-large`. */
  push(chunk: Uint8Array): Uint8Array[];
  /** What is left at the end. Throws `malformed` when it is half a message. */
  end(): Uint8Array[];
}

/** Lines of text, without their ends; the last one may have none. */
export function lineMessages(): MessageSplitter {
  let rest: Uint8Array[] = [];
  let length = 0;
  const take = (): Uint8Array => {
    const line = Buffer.concat(rest);
    rest = [];
    length = 0;
    return line.at(-1) === 13 ? line.subarray(0, -1) : line;
  };
  const keep = (part: Uint8Array) => {
    rest.push(part);
    length += part.length;
    checkSize(length, 'a line');
  };
  return {
    push: (chunk) => {
      const lines: Uint8Array[] = [];
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        keep(chunk.subarray(from, at));
        lines.push(take());
        from = at + 1;
      }
      if (from < chunk.length) keep(chunk.subarray(from));
      return lines;
    },
    end: () => (length === 0 ? [] : [take()]),
  };
}

/** Frames: a length of 4 bytes, the highest first, and so many bytes. */
export function frameMessages(): MessageSplitter {
  let parts: Uint8Array[] = [];
  let length = 0;
  let wanted = LENGTH_BYTES;
  let inBody = false;
  return {
    push: (chunk) => {
      const messages: Uint8Array[] = [];
      parts.push(chunk);
      length += chunk.length;
      if (length < wanted) return messages;
      let buffer = Buffer.concat(parts);
      while (buffer.length >= wanted) {
        const taken = buffer.subarray(0, wanted);
        buffer = buffer.subarray(wanted);
        if (inBody) messages.push(taken);
        wanted = inBody ? LENGTH_BYTES : taken.readUInt32BE(0);
        inBody = !inBody;
        if (inBody) checkSize(wanted, 'a frame');
      }
      parts = [buffer];
      length = buffer.length;
      return messages;
    },
    end: () => {
      if (length === 0 && !inBody) return [];
      throw new PipevineError(
        'malformed',
        `standard input ended inside a frame: ${wanted} bytes expected, ${length} came`,
      );
    },
  };
}

/** A message as a frame. */
export function toFrame(message: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(LENGTH_BYTES + message.length);
  frame.writeUInt32BE(message.length, 0);
  frame.set(message, LENGTH_BYTES);
  return frame;
}

function checkSize(bytes: number, what: string): void {
  if (bytes <= MAX_MESSAGE_BYTES) return;
  throw new PipevineError(
    'too-large',
    `${what} of standard input has more than ${MAX_MESSAGE_BYTES} bytes, the most that a message may have; is --binary what you mean?`,
  );
}
