import type { PunchOffer } from './punch-codec.ts';

/** Why no direct link came about, for people; `hopeless` when trying again in the same networks would not help. */
export interface PunchVerdict {
  readonly hopeless: boolean;
  readonly reason: string;
}

const GOES_ON = 'the relay goes on';

/** Judges an attempt that failed, by what both sides know of their NATs and whether the other side was heard. */
export function judge(
  local: Pick<PunchOffer, 'candidates' | 'mapping'>,
  remote: Pick<PunchOffer, 'candidates' | 'mapping'>,
  heard: boolean,
): PunchVerdict {
  if (local.candidates.length === 0) return hopeless('this peer has no UDP address that others could send to');
  if (remote.candidates.length === 0) return hopeless('the other peer has no UDP address that one could send to');
  if (heard) return passing('packets of the other peer came through, but no link could be made over them');
  const [here, there] = [local.mapping === 'dependent', remote.mapping === 'dependent'];
  if (here && there) {
    return hopeless('both peers are behind NATs that use another port for each destination (symmetric)');
  }
  if (here || there) {
    const [symmetric, other] = here ? ['this peer', 'the other peer'] : ['the other peer', 'this peer'];
    return hopeless(
      `${symmetric} is behind a NAT that uses another port for each destination (symmetric), and the NAT of ${other} lets in only answers`,
    );
  }
  return passing('no packet came through: a firewall stops UDP, or a NAT changes ports');
}

export function hopeless(why: string): PunchVerdict {
  return { hopeless: true, reason: `${why}; ${GOES_ON}` };
}

export function passing(why: string): PunchVerdict {
  return { hopeless: false, reason: `${why}; ${GOES_ON}` };
}
