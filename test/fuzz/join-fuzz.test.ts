import { formatJoinCode, identityFromSeed, PipevineError, parseJoinCode, WORLD_GROUP } from '@pipevine/runtime';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { CpaceInitiator, CpaceResponder } from '../../runtime/pake/cpace.ts';

const random = seededRandom('join fuzz');
const ALPHABET = 'ABCXYZ234567018-_ /?&=%\u0000\u2013\u00df\u{1f600}seedpipevine://join';

/** The code with which it failed, or undefined. */
function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof PipevineError) return error.code;
    throw error;
  }
}

describe('a join code', () => {
  const code = formatJoinCode({ fingerprint: random.bytes(16), secret: random.bytes(10) });
  const link = `pipevine://join/${code}?seed=tcp%3A%2F%2F192.0.2.1%3A7473&seed=mem%3A%2F%2Fa%3A1`;

  it('is read or refused with one clear error, whatever is typed or scanned', () => {
    const characters = [...ALPHABET];
    let refused = 0;
    for (let i = 0; i < 4_000; i++) {
      const text = [...(i % 2 === 0 ? code : link)];
      for (let edits = random.integer(4); edits >= 0; edits--) {
        const put = characters[random.integer(characters.length)] ?? '';
        text.splice(random.integer(text.length), random.integer(3), ...(random.integer(2) === 0 ? [] : [put]));
      }
      const failed = codeOf(() => parseJoinCode(text.join('')));
      expect([undefined, 'invalid-argument', 'unsupported']).toContain(failed);
      if (failed !== undefined) refused++;
    }
    expect(refused).toBeGreaterThan(1_000);
    for (const text of [
      '',
      '*'.repeat(100_000),
      `${link}${'&seed='.repeat(50_000)}`,
      'pipevine://join/',
      '%'.repeat(300),
    ]) {
      expect(codeOf(() => parseJoinCode(text))).toBe('invalid-argument');
    }
  });
});

describe('a password exchange', () => {
  const [initiator, responder] = [1, 2].map((byte) => identityFromSeed(nodeCrypto, new Uint8Array(32).fill(byte)).id);
  if (initiator === undefined || responder === undefined) throw new Error('There are two.');
  const sessionId = random.bytes(32);
  const init = {
    crypto: nodeCrypto,
    random,
    password: random.bytes(32),
    initiator,
    responder,
    group: WORLD_GROUP,
    sessionId,
  };

  it('takes no share that is not one, and one guess at most', () => {
    const shares = [0, 1, 31, 33, 64, 10_000].map((length) => random.bytes(length));
    // Points of small order: their result would not depend on the password.
    shares.push(
      new Uint8Array(32),
      Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
    );
    for (const share of shares)
      expect(['malformed', 'refused']).toContain(codeOf(() => new CpaceResponder(init, share)));
    for (let i = 0; i < 100; i++) {
      const exchange = new CpaceResponder(init, new CpaceInitiator(init).share);
      expect(codeOf(() => exchange.confirm(random.bytes(random.integer(100))))).toBe('refused');
      expect(codeOf(() => exchange.confirm(random.bytes(64)))).toBe('closed');
    }
  });
});
