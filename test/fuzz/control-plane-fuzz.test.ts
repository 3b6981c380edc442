import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { accepts, describeCodec, sealedOr } from './codec-fuzz.ts';
import { approvedByAll, approvedPayload, CODECS } from './control-plane-codecs.ts';
import { misshapen } from './hostile-input.ts';

for (const codec of CODECS) describeCodec(codec);

describe('what a whole quorum has signed', () => {
  it('is a credential or refused with one documented error, whatever it says', () => {
    const random = seededRandom('quorum fuzz');
    const codec = CODECS.find(({ name }) => name === 'a credential') ?? expect.fail();
    expect(accepts(codec, approvedByAll(approvedPayload))).toBe(true);
    for (const payload of misshapen(random, approvedPayload, 400)) {
      const signed = sealedOr(() => approvedByAll(payload));
      if (signed !== undefined) accepts(codec, signed);
    }
  });
});
